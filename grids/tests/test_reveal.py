"""A colleague's phone in full: on a reason, for a minute, on record, and never across a border."""

import pytest
from django.test import Client
from django.urls import reverse

from core.models import AuditEntry
from grids.factories import person
from grids.models import Role, User

HTMX = {"HX-Request": "true"}
PHONE = "19900001234"


@pytest.fixture
def worker(county) -> User:
    somebody = person(Role.GRID_WORKER, county.grids[0])
    somebody.phone = PHONE
    somebody.save()
    return somebody


def look(user: User, whom: User, reason: str = "值班联系", field: str = "phone", **more):
    client = Client()
    client.force_login(user)
    return client.post(reverse("reveal", args=["user", whom.pk, field]), {"reason": reason}, **more)


def test_the_town_sees_the_phone_once_and_the_look_is_on_record(county, worker):
    town = person(Role.TOWN_ADMIN, county.towns[0])
    shown = look(town, worker, "值班联系，回电13900000000", headers=HTMX)
    assert PHONE in shown.content.decode()
    assert 'data-expires="60"' in shown.content.decode()
    assert "no-store" in shown.headers["Cache-Control"]
    entry = AuditEntry.objects.get(action="reveal.phone")
    assert (entry.actor, entry.subject_type, entry.subject_id) == (town, "user", worker.pk)
    assert entry.data == {"reason": "值班联系，回电139****0000"}
    assert (entry.town_id, entry.village_id, entry.grid_id) == (
        county.towns[0].pk,
        county.villages[0].pk,
        county.grids[0].pk,
    )


def test_without_scripts_the_page_leaves_by_itself_and_never_to_another_site(county, worker):
    town = person(Role.TOWN_ADMIN, county.towns[0])
    shown = look(town, worker)
    assert PHONE in shown.content.decode()
    assert shown.headers["Refresh"] == "60;url=/"


def test_without_a_reason_nothing_is_shown_and_nothing_recorded(county, worker):
    refused = look(person(Role.COMMAND, county.county), worker, " \x00 ", headers=HTMX)
    assert refused.status_code == 422
    assert PHONE not in refused.content.decode()
    assert "199****1234" in refused.content.decode()
    assert not AuditEntry.objects.filter(action__startswith="reveal.").exists()


@pytest.mark.parametrize(
    ("role", "place", "status"),
    [
        (Role.GRID_CHIEF, "own grid", 200),
        (Role.VILLAGE_OFFICE, "own village", 200),
        (Role.COMMAND, "county", 200),
        (Role.GRID_WORKER, "own grid", 403),
        (Role.COUNTY_LEADER, "county", 403),
        (Role.GRID_CHIEF, "next grid", 404),
        (Role.VILLAGE_OFFICE, "next village", 404),
        (Role.TOWN_ADMIN, "next town", 404),
        (Role.SYSTEM_ADMIN, "county", 404),
        (Role.AUDIT_ADMIN, "county", 404),
        (Role.SECURITY_ADMIN, "county", 404),
    ],
)
def test_who_may_look_at_a_worker_of_the_first_grid(county, worker, role, place, status):
    places = {
        "own grid": county.grids[0],
        "next grid": county.grids[1],
        "own village": county.villages[0],
        "next village": county.villages[1],
        "next town": county.towns[1],
        "county": county.county,
    }
    answer = look(person(role, places[place]), worker)
    assert answer.status_code == status
    assert (PHONE in answer.content.decode()) == (status == 200)


def test_leading_one_place_opens_nobody_where_one_only_works(county, worker):
    chief = person(Role.GRID_CHIEF, county.grids[1])
    chief.postings.create(role=Role.GRID_WORKER, area=county.grids[0])
    assert look(chief, worker).status_code == 403


def test_one_s_own_phone_is_no_secret_from_oneself(worker):
    assert PHONE in look(worker, worker).content.decode()


def test_a_phone_nobody_gave_is_told_as_such(county, worker):
    User.objects.filter(pk=worker.pk).update(phone="")
    answer = look(person(Role.TOWN_ADMIN, county.towns[0]), worker)
    assert answer.status_code == 422
    assert "没有保存" in answer.content.decode()


@pytest.mark.parametrize("address", ["user/%s/password", "nothing/%s/phone", "user/x%s/phone"])
def test_what_was_never_offered_is_not_there(county, worker, address):
    client = Client()
    client.force_login(person(Role.COMMAND, county.county))
    answer = client.post(f"/reveal/{address % worker.pk}/", {"reason": "看看"})
    assert answer.status_code == 404
