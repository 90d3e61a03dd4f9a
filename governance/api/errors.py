"""Errors of the REST framework, told like all other refusals of the house."""

from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import exception_handler

from core import logging


def told(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return {"detail", "code", "errors", "request_id"} for an error of the framework.

    Refusals of our own services pass on to the middleware, which says the same.
    """
    response = exception_handler(error, context)
    if response is not None:
        detail = error.detail if isinstance(error, APIException) else None
        code = getattr(detail, "code", None) or "not_found"
        response.data = {
            "detail": str(detail) if detail is not None else response.data["detail"],
            "code": code,
            "errors": {},
            "request_id": logging.request_id.get(),
        }
    return response
