"""Gives every request the scope of whoever makes it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from grids.queries import Scope


class ScopeMiddleware:
    """Set ``request.scope``; it costs one query when first looked at, and none before.

    It is read afresh for every request, so a posting that ended stops opening doors at once.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.scope = SimpleLazyObject(lambda: Scope.for_user(request.user))  # type: ignore[attr-defined]
        return self.get_response(request)
