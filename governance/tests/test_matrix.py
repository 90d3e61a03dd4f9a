"""Role × route: every route says who may open it, and keeps its word for every role.

The routes are read from the resolver, so a new one is covered, or fails, by being there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import resolve

from governance.tests.routes import Route, all_routes
from grids.access import BY_KEY, SIGNED_IN
from grids.factories import DepartmentFactory, SmallCounty, UserFactory, person, small_county
from grids.models import Department, Role
from grids.models.posting import ROLE_LEVELS

ROUTES = all_routes()
OURS = [route for route in ROUTES if not route.admin]
ADMIN = [route for route in ROUTES if route.admin and not route.arguments]
# Where the administration site answers without the staff mark, and why that is harmless.
ADMIN_OPEN = {"admin/login/": "replaced by ours", "admin/logout/": "only ends a session"}


@dataclass(frozen=True)
class Cast:
    """A small county with somebody signed in for every role."""

    county: SmallCounty
    sessions: dict[str, str]

    def client(self, role: str) -> Client:
        """Return a browser of its own for the one who holds this role."""
        client = Client(raise_request_exception=False)
        client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[role]
        return client


@pytest.fixture(scope="module")
def whole_cast(django_db_setup, django_db_blocker) -> Iterator[Cast]:
    """Build the county once for all routes; what each of them does to it is taken back."""
    with django_db_blocker.unblock(), transaction.atomic():
        county = small_county()
        people = {role: client_as(role, county) for role in Role.values}
        yield Cast(county, {role: client.session.session_key for role, client in people.items()})
        transaction.set_rollback(True)


@pytest.fixture
def cast(whole_cast, db) -> Cast:
    return whole_cast


@pytest.fixture
def county(cast) -> SmallCounty:
    return cast.county


def ids(routes: list[Route]) -> list[str]:
    return [route.pattern or "/" for route in routes]


def place_for(role: str, county: SmallCounty):
    """Return a place where the role may be held."""
    if role == Role.DEPARTMENT_HANDLER:
        return Department.objects.first() or DepartmentFactory(county=county.county)
    areas = {"unit": county.unit, "grid": county.grids[0], "village": county.villages[0]}
    areas |= {"town": county.towns[0], "county": county.county}
    return next(area for level, area in areas.items() if level in ROLE_LEVELS[role])


def client_of(user) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def client_as(role: str, county: SmallCounty, **posting) -> Client:
    return client_of(person(role, place_for(role, county), **posting))


def answers(client: Client, url: str) -> list[int]:
    """Return the statuses of GET and POST, without those the view does not know."""
    both = [client.get(url), client.post(url)]
    return [response.status_code for response in both if response.status_code != 405]


def answer(client: Client, url: str) -> int:
    """Return the status of GET, or of an empty POST where GET is not known."""
    status = client.get(url).status_code
    return client.post(url).status_code if status == 405 else status


def test_the_walk_finds_the_routes():
    patterns = {route.pattern for route in ROUTES}
    assert {"", "login/", "password/", "admin/grids/user/"} <= patterns


@pytest.mark.parametrize("route", OURS, ids=ids(OURS))
def test_every_route_says_who_may_open_it(route):
    assert route.is_declared, "mark the view with grids.access: roles(…), authenticated or public"
    allowed = route.roles
    assert allowed is None or allowed == SIGNED_IN or allowed <= set(Role.values)


@pytest.mark.parametrize("route", OURS, ids=ids(OURS))
def test_the_address_asked_for_below_reaches_its_view(route, county):
    hint = "another route stands before it, or governance/tests/routes.py needs an argument"
    assert resolve(route.url(county)).func is route.callback, hint


@pytest.mark.parametrize("route", OURS, ids=ids(OURS))
def test_a_stranger_opens_only_what_is_public(route, county):
    url = route.url(county)
    client = Client(raise_request_exception=False)
    if route.roles is None:
        assert answer(client, url) not in {401, 403}
        assert answer(client, url) != 500
        return
    for response in (client.get(url), client.post(url)):
        to_login = response.status_code == 302 and response.url.startswith("/login/")
        assert to_login or response.status_code in {401, 403, 405}


@pytest.mark.parametrize("route", OURS, ids=ids(OURS))
def test_each_role_opens_its_own_routes_and_no_other(route, cast):
    url = route.url(cast.county)
    for role in Role.values:
        client = cast.client(role)
        if route.roles is None or route.roles == SIGNED_IN or role in route.roles:
            status = answer(client, url)
            assert status != 403, role
            assert status != 500, role
        else:
            refused = {403, 404} if route.arguments else {403}
            assert set(answers(client, url)) <= refused, role


@pytest.mark.parametrize("route", OURS, ids=ids(OURS))
def test_a_post_that_ended_opens_no_route(route, county, time_machine):
    time_machine.move_to("2026-05-06 09:00+08:00", tick=False)
    if route.roles in (None, SIGNED_IN, BY_KEY):
        return
    role = min(route.roles)
    ended = client_as(role, county, valid_from="2026-01-01", valid_to="2026-05-06")
    assert set(answers(ended, route.url(county))) <= {403}
    never = client_of(UserFactory())
    assert set(answers(never, route.url(county))) <= {403}


@pytest.mark.parametrize("route", ADMIN, ids=ids(ADMIN))
def test_the_administration_site_is_closed_without_the_staff_mark(route, county):
    if route.pattern in ADMIN_OPEN:
        return
    url = route.url(county)
    for client in (Client(), client_as(Role.SYSTEM_ADMIN, county)):
        response = client.get(url)
        assert response.status_code == 302
        assert response.url.startswith("/admin/login/")
