"""Who may open a view: one mark on every view, read by the view itself and by the matrix test.

What lives here: the decorators and the DRF permission. What must not: what a person sees inside
a view; that is the scope (``request.scope``), and outside of it the answer is 404.

A view's ``roles`` is a frozenset of roles, ``None`` for the public, or SIGNED_IN.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django_htmx.http import HttpResponseClientRedirect
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core.htmx import wants_partial

View = Callable[..., Any]
AnyView = TypeVar("AnyView", bound=Callable[..., Any])

# Open to everybody who has signed in, whatever the post.
SIGNED_IN = frozenset({"*"})
# Open to no person: another system's key opens it, which the view itself looks at.
BY_KEY: frozenset[str] = frozenset()
UNDECLARED = object()


def roles(*allowed: str) -> Callable[[View], View]:
    """Open a view to people in one of these roles today.

    Anonymous people are sent to the login page; signed in without the role is 403. For a class
    use ``method_decorator(roles(…), name="dispatch")``; for DRF set ``roles`` and HasRole.
    """
    return _guard(frozenset(allowed))


def authenticated(view: View) -> View:
    """Open a view to everybody who has signed in."""
    return _guard(SIGNED_IN)(view)


def public(view: AnyView) -> AnyView:
    """Mark a view, function or class, as open to the public."""
    view.roles = None  # type: ignore[attr-defined]
    return view


def open_before(hindrance: str) -> Callable[[AnyView], AnyView]:
    """Keep a view open to whom this stands before (grids.hindrance), named by its page."""

    def mark(view: AnyView) -> AnyView:
        view.open_before = hindrance  # type: ignore[attr-defined]
        return view

    return mark


def is_open_before(callback: Any, hindrance: str) -> bool:
    """Return whether a resolver's callback is marked with :func:`open_before`."""
    inside = getattr(callback, "view_class", None)
    marks = (getattr(callback, "open_before", ""), getattr(inside, "open_before", ""))
    return hindrance in marks


def declared(callback: Any) -> Any:
    """Return what a resolver's callback declares: roles, None, SIGNED_IN, or UNDECLARED."""
    inside = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    initial = getattr(callback, "initkwargs", None) or getattr(callback, "view_initkwargs", {})
    if "roles" in initial:
        return initial["roles"]
    if hasattr(callback, "roles"):
        return callback.roles
    return getattr(inside, "roles", UNDECLARED)


def holds(request: HttpRequest, allowed: frozenset[str]) -> bool:
    """Return whether the signed-in person of ``request`` has one of ``allowed``."""
    return allowed == SIGNED_IN or request.scope.has(*allowed)  # type: ignore[attr-defined]


class HasRole(BasePermission):
    """Lets in whoever has one of the view's ``roles``; a view without the mark is closed."""

    def has_permission(self, request: Request, view: Any) -> bool:
        allowed: frozenset[str] | None = getattr(view, "roles", frozenset())
        if allowed is None:
            return True
        return bool(request.user and request.user.is_authenticated) and holds(
            request._request, allowed
        )


def _guard(allowed: frozenset[str]) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_login(request)
            if not holds(request, allowed):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.roles = allowed  # type: ignore[attr-defined]
        return guarded

    return decorate


def _to_login(request: HttpRequest) -> HttpResponse:
    if not wants_partial(request):
        return redirect_to_login(request.get_full_path())
    there = request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
    return send_to(request, redirect_to_login(there).url)


def send_to(request: HttpRequest, url: str) -> HttpResponse:
    """Redirect; a piece of a page cannot hold another page, so the whole page goes there."""
    return HttpResponseClientRedirect(url) if wants_partial(request) else redirect(url)
