"""What any view may need of the web: addresses, pages of rows, private pictures."""

from typing import Any

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header, url_has_allowed_host_and_scheme

from core.paging import Page


def own_address(address: str) -> str:
    """Return an address of this site, else "": nobody is sent elsewhere.

    >>> own_address("/town/?page=2"), own_address("//evil.example/")
    ('/town/?page=2', '')
    """
    # Browsers leave tabs and line ends out of an address, so "/<tab>/evil" would be "//evil".
    own = address.startswith("/") and address.isprintable()
    return address if own and url_has_allowed_host_and_scheme(address, allowed_hosts=None) else ""


def public_address(request: HttpRequest) -> str:
    """Return the address residents reach the product at, without a slash at the end."""
    return settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")


def page_urls(request: HttpRequest, page: Page) -> dict[str, str]:
    """Return ``next_url`` and ``previous_url`` for parts/pager.html, the filters kept."""
    asked = request.GET.copy()
    urls = {}
    for name, cursor in (("next_url", page.next), ("previous_url", page.previous)):
        asked["cursor"] = cursor or ""
        urls[name] = f"?{asked.urlencode()}" if cursor else ""
    return urls


def number_in(text: str | None) -> int:
    """Return the whole number that a text of an address or a form is, 0 for anything else.

    No id is 0, so nothing is found by it. More than 18 digits are no number of a table's.

    >>> number_in("12"), number_in("x"), number_in(None)
    (12, 0, 0)
    """
    text = text or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def private_picture(stored: Any, name: str) -> FileResponse:
    """Return a stored JPEG for the eyes of whoever asked alone; raises Http404 if it is gone."""
    try:
        content = stored.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    response = FileResponse(content, content_type="image/jpeg")
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    response.headers["Cache-Control"] = "private, max-age=3600"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def private_pdf(data: bytes, name: str) -> HttpResponse:
    """Return a PDF to be saved under ``name``, which stays on shared desks: nobody's name in it."""
    response = HttpResponse(data, content_type="application/pdf")
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or ""
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
