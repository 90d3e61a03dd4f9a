"""Pages for what went wrong: refusals of the services, and Django's own errors.

What lives here: rendering, as a page, a piece of one, or JSON under /api/.
What must not: deciding what is wrong.
"""

import sys
from logging import getLogger
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import requires_csrf_token
from redis import exceptions as redis

from core import logging
from core.errors import GeshiError, Invalid, TooMany
from core.htmx import wants_partial

logger = getLogger(__name__)

# What speaks of a database or a cache that is away or just coming up.
AWAY = (OperationalError, InterfaceError, redis.ConnectionError, redis.TimeoutError)


def refusal(request: HttpRequest, error: GeshiError) -> HttpResponse:
    """Return the response for a refused action, with the status the error means.

    JSON: {"detail": str, "code": str, "errors": {field: [str]}, "request_id": str}.
    """
    errors = {
        field: [str(message) for message in messages]
        for field, messages in (error.errors if isinstance(error, Invalid) else {}).items()
    }
    context = {"message": error.message, "errors": errors, "status": error.status}
    if _is_api(request):
        response: HttpResponse = _json(str(error.message), error.code, error.status, errors)
    elif wants_partial(request):
        response = render(request, "core/_error.html", context, status=error.status)
    else:
        response = render(request, "core/error.html", context, status=error.status)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: a request that cannot be understood."""
    return _answer(request, "core/400.html", 400, "bad_request", _("Bad request"))


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: signed in, inside the scope, without the right."""
    return _answer(request, "core/403.html", 403, "not_allowed", _("You may not do this."))


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose page is too old, or that came from another site."""
    message = _("This page is too old. Go back, reload it and send it again.")
    return _answer(request, "core/403.html", 403, "csrf", message)


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: not there, or not for this person; the answer is the same."""
    return _answer(request, "core/404.html", 404, "not_found", _("Not found"))


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """500: our fault; 503 while there is no database or cache to ask. The page stands alone,
    because what it would extend may be broken.
    """
    status, code, message = 500, "server_error", _("Something went wrong")
    if isinstance(sys.exc_info()[1], AWAY):
        message = _("The system is restarting or very busy. Please try again in a moment.")
        status, code = 503, "unavailable"
    try:
        return _answer(request, "core/500.html", status, code, message)
    except Exception:
        logger.exception("the page for errors is broken too")
        text = f"{message} {logging.request_id.get()}"
        return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


def _answer(
    request: HttpRequest, template: str, status: int, code: str, message: str
) -> HttpResponse:
    if _is_api(request):
        return _json(message, code, status, {})
    context = {
        "message": message,
        "errors": {},
        "request_id": logging.request_id.get(),
        "status": status,
    }
    if wants_partial(request):
        template = "core/_error.html"
    # The pages of our own faults get no request: context processors may be what broke. Nor does
    # what is refused before anybody asked who it is, such as a host name that is not ours.
    known = status < 500 and hasattr(request, "user")
    return render(request if known else None, template, context, status=status)  # type: ignore[arg-type]


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def _json(message: str, code: str, status: int, errors: dict[str, Any]) -> JsonResponse:
    body = {
        "detail": message,
        "code": code,
        "errors": errors,
        "request_id": logging.request_id.get(),
    }
    return JsonResponse(body, status=status, json_dumps_params={"ensure_ascii": False})
