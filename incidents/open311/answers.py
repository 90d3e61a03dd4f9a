"""How GeoReport answers: the same rows as XML or JSON, refusals as its list of errors.

What must not live here: what is answered.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any
from xml.sax.saxutils import escape

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from core import ratelimit
from core.errors import GeshiError, Invalid, TooMany
from grids.access import public

XML, JSON = "xml", "json"
CONTENT_TYPES = {XML: "text/xml; charset=utf-8", JSON: "application/json; charset=utf-8"}
DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
# What one element of a list is called.
SINGULAR = {
    "services": "service",
    "service_requests": "request",
    "service_request_updates": "request_update",
    "errors": "error",
    "attributes": "attribute",
    "values": "value",
    "endpoints": "endpoint",
    "formats": "format",
}
# XML 1.0 has no room for these, not even escaped.
_UNSPEAKABLE = dict.fromkeys(
    [*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF]
)

Rows = Mapping[str, Any] | list[Mapping[str, Any]]


@dataclass(frozen=True)
class Answer:
    """Rows under the name of their root element; None stands as null or an empty element."""

    root: str
    rows: Rows
    status: int = 200


class NotFound(GeshiError):
    """Something asked for by its number is not here, or not public."""

    status = 404
    code = "not_found"


class WrongMethod(GeshiError):
    """A method this address does not know."""

    status = 405
    code = "method_not_allowed"


View = Callable[..., Answer]


def georeport(*methods: str) -> Callable[[View], Callable[..., HttpResponse]]:
    """Open a view of the protocol to everybody, within limits, and answer as the address asks.

    No session, cookie or account is looked at. GET stands for HEAD too.
    """

    def decorate(view: View) -> Callable[..., HttpResponse]:
        @public
        @csrf_exempt
        @never_cache
        @wraps(view)
        def answered(request: HttpRequest, *args: Any, format: str = XML, **named: Any) -> Any:
            try:
                ratelimit.check("open311", ratelimit.client_ip(request))
                if ("GET" if request.method == "HEAD" else request.method) not in methods:
                    raise WrongMethod(_("This address does not know this method."))
                return written(view(request, *args, **named), format)
            except GeshiError as error:
                return refused(error, format, methods)
            except (MultiPartParserError, SuspiciousOperation):
                return refused(Invalid(_("Bad request")), format)

        return answered

    return decorate


def written(answer: Answer, form: str) -> HttpResponse:
    """Return the answer as XML or JSON."""
    text = as_json(answer.rows) if form == JSON else as_xml(answer.root, answer.rows)
    return HttpResponse(text, status=answer.status, content_type=CONTENT_TYPES[form])


def refused(error: GeshiError, form: str, methods: tuple[str, ...] = ()) -> HttpResponse:
    """Return a refusal: one entry of ``code`` and ``description`` for each thing that is wrong."""
    told = error.errors if isinstance(error, Invalid) else {}
    lines = [
        f"{name}: {message}" if name else str(message)
        for name, messages in told.items()
        for message in messages
    ]
    rows: list[Mapping[str, Any]] = [
        {"code": error.status, "description": line} for line in lines or [str(error)]
    ]
    response = written(Answer("errors", rows, error.status), form)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, WrongMethod):
        response.headers["Allow"] = ", ".join(methods)
    return response


def as_json(rows: Rows) -> str:
    """Return the rows as JSON.

    >>> as_json([{"service_request_id": "7", "address": None}])
    '[{"service_request_id": "7", "address": null}]'
    """
    return json.dumps(rows, ensure_ascii=False)


def as_xml(root: str, rows: Rows) -> str:
    """Return the rows as XML below ``root``, with its declaration.

    >>> as_xml("errors", [{"code": 404, "description": "<&"}]).splitlines()[1]
    '<errors><error><code>404</code><description>&lt;&amp;</description></error></errors>'
    """
    return DECLARATION + _element(root, rows)


def _element(name: str, value: Any) -> str:
    if value is None or value == "":
        return f"<{name}/>"
    return f"<{name}>{_inside(name, value)}</{name}>"


def _inside(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(_element(key, part) for key, part in value.items())
    if isinstance(value, list | tuple):
        return "".join(_element(SINGULAR[name], part) for part in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(str(value).translate(_UNSPEAKABLE))
