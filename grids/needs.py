"""A need found at a door becomes a case: the door an upper floor fills at start-up.

What must not live here: cases. Whoever takes needs in registers
``open_case(*, key, area, address, text, actor, ip) -> code`` in AppConfig.ready; it runs in the
visit's transaction, and the same key is the same case.
"""

import uuid
from typing import Protocol

from django.utils.translation import gettext_lazy as _

from core.errors import Conflict
from grids.models import Area, User


class OpenCase(Protocol):
    """Takes a need in and returns the code of its case."""

    def __call__(
        self, *, key: uuid.UUID, area: Area, address: str, text: str, actor: User, ip: str | None
    ) -> str: ...


_takers: list[OpenCase] = []


def register(open_case: OpenCase) -> None:
    """Let ``open_case`` take needs in; a second one takes the first one's place."""
    _takers[:] = [open_case]


def open_case(
    *, key: uuid.UUID, area: Area, address: str, text: str, actor: User, ip: str | None = None
) -> str:
    """Make a case of a need and return its code. Raises what the taker raises."""
    if not _takers:
        raise Conflict(_("Needs cannot be passed on here."))
    return _takers[0](key=key, area=area, address=address, text=text, actor=actor, ip=ip)
