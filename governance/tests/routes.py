"""All routes of the product as data, for tests that must hold for every one of them.

What lives here: walking the resolver and filling in arguments. What must not: expectations.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.regex_helper import normalize

from grids.access import UNDECLARED, declared
from grids.factories import SmallCounty

# Views of libraries that cannot carry the mark themselves.
PUBLIC_OF_LIBRARIES = {"django.views.i18n.set_language"}

# An argument nobody answers to: the right role then gets 404, which is a fair answer.
UNKNOWN = {"int": 999_999_999, "uuid": "00000000-0000-0000-0000-000000000000", "float": "0"}

# Arguments that must look a certain way to reach their view, by name or by (route, name).
ARGUMENTS: dict[str | tuple[str, str], Callable[[SmallCounty], Any]] = {
    "tracking_code": lambda _county: "0UNKNOWN",
    ("api/v1/areas/%(code)s/", "code"): lambda county: county.county.code,
    "format": lambda _county: "json",
    "z": lambda _county: 12,
    "x": lambda _county: 3358,
    "y": lambda _county: 1640,
}


@dataclass(frozen=True)
class Route:
    """One route: ``pattern`` with ``%(name)s`` in it, and what its view declares."""

    pattern: str
    arguments: tuple[tuple[str, str], ...]
    callback: Any
    admin: bool

    @property
    def roles(self) -> Any:
        """A frozenset of roles, None for the public, SIGNED_IN or UNDECLARED."""
        name = f"{self.callback.__module__}.{getattr(self.callback, '__name__', '')}"
        return None if name in PUBLIC_OF_LIBRARIES else declared(self.callback)

    @property
    def is_declared(self) -> bool:
        """Whether the view says who may open it."""
        return self.roles is not UNDECLARED

    def url(self, county: SmallCounty) -> str:
        """Return an address of this route with its arguments filled in."""
        return "/" + self.pattern % {
            name: self._argument(name, kind, county) for name, kind in self.arguments
        }

    def _argument(self, name: str, kind: str, county: SmallCounty) -> Any:
        build = ARGUMENTS.get((self.pattern, name)) or ARGUMENTS.get(name)
        return build(county) if build else UNKNOWN.get(kind, "unknown")


def all_routes() -> list[Route]:
    """Return every route of the product, the administration site's marked as such."""
    return list(_walk(get_resolver(), "", {}, admin=False))


def _walk(
    resolver: URLResolver, prefix: str, kinds: dict[str, str], *, admin: bool
) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        regex = prefix + entry.pattern.regex.pattern.removeprefix("^")
        regex = regex.removesuffix(r"\Z").removesuffix("$")
        converters = getattr(entry.pattern, "converters", {})
        here = kinds | {
            name: type(converter).__name__.removesuffix("Converter").lower()
            for name, converter in converters.items()
        }
        if isinstance(entry, URLResolver):
            yield from _walk(entry, regex, here, admin=admin or entry.app_name == "admin")
        elif isinstance(entry, URLPattern):
            pattern, names = normalize(regex)[0]
            arguments = tuple((name, here.get(name, "")) for name in names)
            yield Route(pattern, arguments, entry.callback, admin or pattern.startswith("admin/"))
