"""What happens to every request of the house: a log context, and readable refusals."""

import re
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from core import logging
from core.errors import GeshiError, TooLarge
from core.views.errors import refusal

MEGABYTE = 1024 * 1024
_GOOD_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class GeshiMiddleware:
    """Give the request an id, and turn a GeshiError into a page, a piece of one, or JSON.

    A good X-Request-ID of the proxy is kept, so that one id runs through all logs.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _GOOD_ID.fullmatch(given) else uuid.uuid4().hex
        id_token = logging.request_id.set(request_id)
        case_token = logging.case_code.set("")
        try:
            response = self.get_response(request)
        finally:
            logging.request_id.reset(id_token)
            logging.case_code.reset(case_token)
        response.headers["X-Request-ID"] = request_id
        return response

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        """Refuse a body that is too long before anybody reads it, and puts it on the disk."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > settings.BODY_MEGABYTES * MEGABYTE:
            return refusal(request, TooLarge(settings.BODY_MEGABYTES))
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return refusal(request, error) if isinstance(error, GeshiError) else None
