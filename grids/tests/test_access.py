"""Landing at one's desk, and being sent away from others'."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from rest_framework.views import APIView

from grids import desks
from grids.access import SIGNED_IN, UNDECLARED, HasRole, authenticated, declared, public, roles
from grids.desks import Desk
from grids.factories import UserFactory, person
from grids.models import Role
from grids.queries import Scope


@pytest.fixture
def two_desks(monkeypatch):
    monkeypatch.setattr(desks, "_desks", {})
    late = Desk("login", "次要工作台", "clock", frozenset({Role.TOWN_ADMIN, Role.COMMAND}), rank=20)
    first = Desk("password_change", "首要工作台", "key", frozenset({Role.TOWN_ADMIN}), rank=10)
    missing = Desk("no-such-view", "无", "x", frozenset({Role.TOWN_ADMIN}), rank=0)
    for desk in (late, first, missing):
        desks.register(desk)


def test_a_stranger_sees_the_landing_page(client, db):
    page = client.get("/").content.decode()
    assert "工作人员登录" in page


def test_staff_land_at_the_first_desk_of_their_roles(client, county, two_desks):
    client.force_login(person(Role.TOWN_ADMIN, county.towns[0]))
    assert client.get("/").url == "/password/"
    client.force_login(person(Role.COMMAND, county.county))
    assert client.get("/").url == "/login/"


def test_somebody_without_a_post_is_told_so(client, db, two_desks):
    client.force_login(UserFactory())
    assert "目前没有任职" in client.get("/").content.decode()


def test_a_page_shows_the_desks_and_the_post_of_its_reader(client, county, two_desks):
    client.force_login(person(Role.TOWN_ADMIN, county.towns[0]))
    page = client.get("/password/").content.decode()
    assert page.index("首要工作台") < page.index("次要工作台")
    assert "东关镇" in page


def test_a_piece_of_a_page_sends_the_whole_page_to_the_login(client, db):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/town/?q=1"}
    response = client.get("/password/", headers=headers)
    assert response["HX-Redirect"] == "/login/?next=/town/%3Fq%3D1"


def test_every_way_of_marking_a_view_is_read():
    def view(request):
        return HttpResponse()

    class Api(APIView):
        roles = frozenset({Role.COMMAND})

    assert declared(view) is UNDECLARED
    assert declared(roles(Role.COMMAND)(view)) == {Role.COMMAND}
    assert declared(authenticated(view)) == SIGNED_IN
    assert declared(Api.as_view()) == {Role.COMMAND}
    assert declared(Api.as_view(roles=None)) is None
    assert declared(public(view)) is None


def test_an_api_view_without_the_mark_is_closed(rf: RequestFactory, county):
    class Api(APIView):
        permission_classes = [HasRole]

        def get(self, request):
            return HttpResponse()

    request = rf.get("/")
    request.user = person(Role.COMMAND, county.county)
    request.scope = Scope.for_user(request.user)
    request._dont_enforce_csrf_checks = True
    assert Api.as_view()(request).status_code == 403
    assert type("Open", (Api,), {"roles": SIGNED_IN}).as_view()(request).status_code == 200
