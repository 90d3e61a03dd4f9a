"""Refusals are readable, and every request leaves a trace in the log."""

import json
import logging as python_logging

import pytest
from django.db import OperationalError
from django.http import Http404, HttpResponse
from django.test import Client
from django.urls import include, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from redis.exceptions import BusyLoadingError

from core import htmx, logging
from core.errors import (
    BadUpload,
    CalendarMissing,
    Conflict,
    GeshiError,
    Invalid,
    NotAllowed,
    TooMany,
)

ERRORS = {
    "invalid": Invalid(errors={"phone": ["bad phone <b>"]}),
    "forbidden": NotAllowed(),
    "conflict": Conflict(_("%(who)s was first."), who="张三"),
    "too-many": TooMany(retry_after=7),
    "upload": BadUpload("bad file", field="file"),
    "calendar": CalendarMissing(2027),
}


def refuse(request, name):
    raise ERRORS[name]


def broken(request):
    raise RuntimeError("secret detail")


def database_gone(request):
    raise OperationalError("the connection is closed")


def cache_coming_up(request):
    raise BusyLoadingError("Redis is loading the dataset in memory")


def missing(request):
    raise Http404


def show_id(request):
    return HttpResponse(logging.request_id.get())


def fragment(request):
    return htmx.render(request, "core/404.html", {"message": "hello"}, partial="core/_error.html")


routes = [
    path("refuse/<str:name>/", refuse),
    path("broken/", broken),
    path("gone/", database_gone),
    path("coming-up/", cache_coming_up),
    path("missing/", missing),
    path("id/", show_id),
    path("fragment/", fragment),
]
urlpatterns = [
    *routes,
    path("api/v1/", include(routes)),
    path("i18n/", include("django.conf.urls.i18n")),
]
handler400 = "core.views.errors.bad_request"
handler403 = "core.views.errors.forbidden"
handler404 = "core.views.errors.not_found"
handler500 = "core.views.errors.server_error"

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]
STATUSES = [
    ("invalid", 400),
    ("forbidden", 403),
    ("conflict", 409),
    ("too-many", 429),
    ("upload", 400),
    ("calendar", 409),
]


@pytest.mark.parametrize(("name", "status"), STATUSES)
def test_a_refusal_is_a_page_a_piece_or_json_with_its_status(client, name, status):
    message = str(ERRORS[name].message)
    page = client.get(f"/refuse/{name}/")
    piece = client.get(f"/refuse/{name}/", headers={"HX-Request": "true"})
    api = client.get(f"/api/v1/refuse/{name}/")
    assert [page.status_code, piece.status_code, api.status_code] == [status] * 3
    assert message in page.content.decode()
    assert "<html" in page.content.decode()
    assert message in piece.content.decode()
    assert "<html" not in piece.content.decode()
    assert api.json()["detail"] == message


def test_a_refusal_names_its_fields_and_escapes_them(client):
    assert "bad phone &lt;b&gt;" in client.get("/refuse/invalid/").content.decode()
    body = client.get("/api/v1/refuse/invalid/").json()
    assert body["errors"] == {"phone": ["bad phone <b>"]}
    assert body["code"] == "invalid"
    assert body["request_id"]


@pytest.mark.parametrize("prefix", ["/", "/api/v1/"])
def test_a_body_longer_than_anything_we_take_is_refused_unread(client, settings, prefix):
    settings.BODY_MEGABYTES = 3
    too_long, just_right = ((3 * 1024 * 1024 + more) for more in (1, 0))
    refused = client.generic("POST", f"{prefix}id/", b"", CONTENT_LENGTH=str(too_long))
    taken = client.generic("POST", f"{prefix}id/", b"", CONTENT_LENGTH=str(just_right))
    assert (refused.status_code, taken.status_code) == (413, 200)
    assert "3 MB" in refused.content.decode()


def test_too_many_says_when_to_come_back(client):
    assert client.get("/refuse/too-many/").headers["Retry-After"] == "7"


def test_a_message_is_filled_in_the_language_of_its_reader():
    error = GeshiError(_("Chinese"), unused=1)
    with override("en"):
        assert str(error.message) == "Chinese"
        assert str(TooMany(5).message) == "Too many attempts. Please try again in 5 seconds."
    assert str(GeshiError("100% sure")) == "100% sure"


@pytest.mark.parametrize("prefix", ["/", "/api/v1/"])
def test_a_crash_tells_nothing_but_its_number(prefix):
    response = Client(raise_request_exception=False).get(f"{prefix}broken/")
    assert response.status_code == 500
    assert "secret detail" not in response.content.decode()
    assert response.headers["X-Request-ID"] in response.content.decode()


@pytest.mark.parametrize("what", ["gone", "coming-up"])
@pytest.mark.parametrize("prefix", ["/", "/api/v1/"])
def test_a_lost_database_or_cache_asks_to_come_back_and_is_no_crash(prefix, what):
    response = Client(raise_request_exception=False).get(f"{prefix}{what}/")
    assert response.status_code == 503
    assert "请稍后再试" in response.content.decode()


def test_a_crash_is_told_even_when_no_template_can_be_rendered(settings):
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": []}]
    response = Client(raise_request_exception=False).get("/broken/")
    assert response.status_code == 500
    assert response.headers["X-Request-ID"] in response.content.decode()


@pytest.mark.parametrize("address", ["/missing/", "/nothing-here/"])
def test_not_found_is_a_page_or_json(client, address):
    page, api = client.get(address), client.get(f"/api/v1{address}")
    assert page.status_code == api.status_code == 404
    assert "<html" in page.content.decode()
    assert api.json()["code"] == "not_found"


def test_a_form_that_is_too_old_says_so():
    response = Client(enforce_csrf_checks=True).post("/id/")
    assert response.status_code == 403
    assert "<html" in response.content.decode()


def test_the_request_id_of_the_proxy_is_kept_and_a_bad_one_is_not(client):
    assert client.get("/id/", headers={"X-Request-ID": "abc-1"}).content == b"abc-1"
    for bad in ("x" * 65, 'a"b', "a b"):
        response = client.get("/id/", headers={"X-Request-ID": bad})
        assert response.headers["X-Request-ID"] == response.content.decode() != bad
    assert logging.request_id.get() == ""


@pytest.mark.parametrize(
    ("headers", "whole"),
    [
        ({}, True),
        ({"HX-Request": "true"}, False),
        ({"HX-Request": "true", "HX-Boosted": "true"}, True),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, True),
    ],
)
def test_htmx_gets_the_piece_and_everybody_else_the_page(client, headers, whole):
    response = client.get("/fragment/", headers=headers)
    assert ("<html" in response.content.decode()) is whole
    assert "HX-Request" in response.headers["Vary"]


def test_a_log_line_is_json_with_request_and_case():
    record = python_logging.LogRecord("core", 20, "", 1, "took %s 路灯", ("3",), None)
    request_token = logging.request_id.set("r1")
    case_token = logging.case_code.set("GS-1")
    logging.ContextFilter().filter(record)
    logging.request_id.reset(request_token)
    logging.case_code.reset(case_token)
    line = json.loads(logging.JsonFormatter().format(record))
    assert line["message"] == "took 3 路灯"
    assert (line["request_id"], line["case"], line["level"]) == ("r1", "GS-1", "INFO")
