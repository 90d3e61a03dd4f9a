"""What the web asks of every page: nothing changed by looking, nobody sent elsewhere, safe headers.

The routes are read from the resolver, so a new one is covered by being there.
"""

import re
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.tests.routes import Route, all_routes
from governance.tests.test_borders import OPEN_TO_ALL, Border, client_of
from grids import hindrance
from grids.access import SIGNED_IN
from grids.factories import PASSWORD, UserFactory, person
from grids.models import Role
from incidents.models import Attachment, Incident

pytestmark = pytest.mark.django_db

ROUTES = [route for route in all_routes() if not route.admin]
WRITES = re.compile(r'(?:INSERT INTO|DELETE FROM|UPDATE)\s+"?(\w+)"?(?=\s+(?:SET|AS|\(|WHERE|"|$))')
# Where somebody is signed in, who took a list away, who opened a confidential file.
KEPT_OF_LOOKING = {
    *("django_session", "grids_usersession", "core_auditentry", "mediation_fileopening"),
}
PAGES = (
    *("text/html", "text/xml", "application/json", "application/geo+json"),
    "application/vnd.oai.openapi",
)
BROWSERS_SHOW = ("text/plain", "application/x-protobuf", "image/jpeg")


@pytest.fixture
def border() -> Border:
    return Border()


def everybody(border: Border) -> list[Client]:
    world = border.world
    at_county = (Role.COUNTY_LEADER, Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN, Role.SECURITY_ADMIN)
    people = [world.town_admin, world.worker, world.chief, world.office, world.city_handler]
    people += [world.command, border.mediator]
    people += [person(role, world.county) for role in at_county]
    return [Client(), *map(client_of, people)]


def address(border: Border, route: Route) -> str:
    known = [prefix for prefix in border.things if route.pattern.startswith(prefix)]
    if route.arguments and known and not route.pattern.startswith(OPEN_TO_ALL):
        return border.url(route)
    return route.url(border.world.places)


def looked_at(border: Border) -> list[tuple[Route, Any, set[str]]]:
    """Return each route with the first good answer to a GET, and the tables it wrote to."""
    clients = everybody(border)
    found = []
    for route in ROUTES:
        url = address(border, route)
        for client in clients:
            with CaptureQueriesContext(connection) as asked:
                response = client.get(url)
                if response.streaming:
                    b"".join(response.streaming_content)
            written = {
                table for query in asked.captured_queries for table in WRITES.findall(query["sql"])
            }
            found.append((route, response, written))
            if response.status_code == 200:
                break
    return found


def test_looking_changes_nothing_and_files_say_what_they_are(border):
    changed, unnamed, opened = [], [], set()
    for route, response, written in looked_at(border):
        if written - KEPT_OF_LOOKING:
            changed.append((route.pattern, sorted(written - KEPT_OF_LOOKING)))
        if response.status_code != 200:
            continue
        opened.add(route.pattern)
        kind = response.headers["Content-Type"]
        disposition = response.headers.get("Content-Disposition", "")
        if kind.startswith(BROWSERS_SHOW):
            continue
        if not kind.startswith(PAGES) and not disposition.startswith("attachment"):
            unnamed.append((route.pattern, kind, disposition))
    assert changed == []
    assert unnamed == []
    assert len(opened) > 60


@pytest.mark.parametrize("https", [False, True])
def test_every_answer_carries_the_headers_that_keep_a_page_to_itself(client, settings, https):
    settings.SECURE_HSTS_SECONDS = 3600 if https else 0
    for url in ("/", "/login/", "/report/", "/nothing-here/", "/api/v1/areas/1/", "/static/x.css"):
        headers = client.get(url, secure=https).headers
        assert headers["X-Frame-Options"] == "DENY" or url.startswith("/static/"), url
        assert headers["X-Content-Type-Options"] == "nosniff", url
        assert headers["Referrer-Policy"] == "same-origin", url
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", url
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, url
        assert "frame-ancestors 'none'" in policy, url
        assert "unsafe" not in policy, url
        assert ("Strict-Transport-Security" in headers) == https, url


def test_by_https_all_cookies_are_kept_from_scripts_and_from_http(settings):
    """The names are those of governance/settings.py under GESHI_HTTPS."""
    for name in ("SESSION", "CSRF", "LANGUAGE"):
        assert hasattr(settings, f"{name}_COOKIE_SECURE"), name
        assert getattr(settings, f"{name}_COOKIE_SAMESITE") == "Lax", name
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.LANGUAGE_COOKIE_SECURE = settings.HTTPS = True
    client = Client()
    client.get("/report/", secure=True)
    client.get("/login/", secure=True)
    client.post("/i18n/setlang/", {"language": "en", "next": "/"}, secure=True)
    somebody = UserFactory()
    form = {"username": somebody.username, "password": PASSWORD}
    client.post("/login/", form, secure=True)
    assert {"sessionid", "csrftoken", "django_language"} <= set(client.cookies)
    for name, cookie in client.cookies.items():
        assert cookie["secure"], name
        assert cookie["samesite"] == "Lax", name
        assert cookie["httponly"] or name == "csrftoken", name


ELSEWHERE = ["https://evil.example/", "//evil.example/", "/\t/evil.example/", "/\\evil.example/"]


@pytest.mark.parametrize("there", ELSEWHERE)
def test_no_page_leads_elsewhere_because_its_address_says_so(border, there):
    admin = client_of(border.admin)
    case = Incident.objects.get()
    asked = [
        ("/login/", Client().post, {"username": "x", "password": "y"}),
        ("/admin/login/", Client().get, {}),
        ("/i18n/setlang/", Client().post, {"language": "en"}),
        (f"/cards/{border.worker.pk}/", admin.get, {}),
        (f"/incidents/{case.tracking_code}/accept/", admin.post, {}),
        (f"/reveal/user/{border.worker.pk}/phone/", admin.post, {"reason": "核实"}),
    ]
    for url, ask, data in asked:
        response = ask(url, data | {"next": there})
        for name in ("Location", "Refresh"):
            assert "evil" not in response.headers.get(name, "").split("next=")[0], url
        links = re.findall(r'(?:href|action)="([^"]*)"', response.content.decode())
        assert not [link for link in links if "evil" in link.split("next=")[0]], url


@pytest.mark.parametrize("status", [400, 403, 404, 413, 429, 500])
def test_each_refusal_is_a_page_in_chinese(status, settings, monkeypatch):
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    if status == 400:
        settings.ALLOWED_HOSTS = ["localhost"]
        response = client.get("/", headers={"Host": "evil.example"})
    elif status == 403:
        response = client.post("/login/", {})
    elif status == 404:
        response = client.get("/nothing-here/")
    elif status == 413:
        response = client.generic("POST", "/report/", b"", CONTENT_LENGTH=str(10**9))
    elif status == 429:
        settings.RATE_LIMITS = settings.RATE_LIMITS | {"rate": (0, 60)}
        response = client.get("/rate/no-such-token/")
    else:
        monkeypatch.setattr("governance.views.health.health", lambda _now: 1 / 0)
        response = client.get("/healthz")
    assert response.status_code == status
    page = response.content.decode()
    title = re.search("<title>(.*?)</title>", page, re.DOTALL)
    assert title, page[:300]
    assert re.search("[\u4e00-\u9fff]{3}", title[1])
    assert 'lang="zh-hans"' in page
    assert 'href="/"' in page


def test_public_forms_are_counted_by_address(settings, monkeypatch):
    """Every public route that takes a POST counts somewhere below it, or changes nothing."""
    counted = []
    monkeypatch.setattr("core.ratelimit.check", lambda name, _ident: counted.append(name))
    uncounted = {
        "logout/": "ends one's own session",
        "i18n/setlang/": "sets a cookie",
        "login/passkey/": "gives a challenge to whoever has shown the password",
        "login/second/": "counts whoever has shown the password",
        "photos/": "counts photos that are there",
        "rate/%(token)s/": "counts ratings that are complete, and wrong tokens",
        "report/": "counts reports that are complete",
        "report/twins/": "counts what is long enough to be compared",
    }
    border = Border()
    forgotten = []
    for route in ROUTES:
        if route.roles is not None or route.pattern in uncounted:
            continue
        counted.clear()
        status = Client().post(address(border, route), {}).status_code
        if status not in {401, 403, 405} and not counted:
            forgotten.append((route.pattern, status))
    assert forgotten == []


def test_the_walk_knows_who_is_who():
    assert any(route.roles is None for route in ROUTES)
    assert any(route.roles == SIGNED_IN for route in ROUTES)


def test_public_pages_show_staff_nothing_before_their_second_factor(border, settings):
    settings.TWO_FACTOR = "required"
    admin = client_of(border.admin)
    photo = border.things["files/"]["photo_id"]
    stored = Attachment.objects.get(pk=photo).file
    stored.storage.save(stored.name, ContentFile(b"a picture"))
    outlines = "/map/areas/?bbox=115,33,117,35&zoom=14"
    assert admin.get(f"/files/{photo}/").status_code == 404
    assert '"open":' not in admin.get(outlines).content.decode()
    session = admin.session
    session[hindrance.PASSED] = True
    session.save()
    assert admin.get(f"/files/{photo}/").status_code == 200
    assert '"open":' in admin.get(outlines).content.decode()
