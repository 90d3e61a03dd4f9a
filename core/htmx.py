"""One view for the whole page and for the piece of it htmx asks for."""

from collections.abc import Mapping
from typing import Any

from django import shortcuts
from django.http import HttpRequest, HttpResponse


def wants_partial(request: HttpRequest) -> bool:
    """Return whether htmx will put the answer into a page that already stands."""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    partial: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render ``template``, or ``partial`` instead when htmx asks for a piece of the page.

    Keep the piece in its own file and include it from the page, so both show the same.
    """
    chosen = partial if partial and wants_partial(request) else template
    response = shortcuts.render(request, chosen, dict(context or {}), status=status)
    if partial:
        response.headers["Vary"] = "HX-Request"
    return response
