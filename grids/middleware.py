"""Gives every request the scope of its maker, and stops those who must do something first."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from core.views.errors import refusal
from grids import hindrance
from grids.access import declared, is_open_before, send_to
from grids.queries import Scope
from grids.services import sessions


class ScopeMiddleware:
    """Set ``request.scope``; it costs one query when first looked at, and none before.

    It is read afresh for every request, so a posting that ended stops opening doors at once.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.scope = SimpleLazyObject(lambda: Scope.for_user(request.user))  # type: ignore[attr-defined]
        return self.get_response(request)


class AccountMiddleware:
    """Before any page, file or call that is not public: the first password is changed and a second
    factor is there, where one must be. Notes once a minute that the session is in use.

    Account and scope are what the view asks for anyway; by itself this costs no query.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *_args: Any) -> HttpResponse | None:
        """Send whoever must do something first to where they do it; the API says 403."""
        if declared(view) is None or view.__module__ == "django.views.i18n":
            return None
        if not request.user.is_authenticated:
            return None
        sessions.seen(request=request)
        error = hindrance.before_work(request)
        if error is None or is_open_before(view, error.page):
            return None
        if request.path.startswith("/api/"):
            return refusal(request, error)
        return send_to(request, reverse(error.page))
