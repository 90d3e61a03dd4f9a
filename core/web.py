"""Small questions about addresses."""


def own_address(address: str) -> str:
    """Return an address of this site, else "": nobody is sent elsewhere.

    >>> own_address("/town/?page=2"), own_address("//evil.example/")
    ('/town/?page=2', '')
    """
    own = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if own and "\n" not in address and "\r" not in address else ""
