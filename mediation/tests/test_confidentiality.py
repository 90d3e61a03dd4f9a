"""Who sees the row, who opens the file, and what is on record about it."""

import pytest
from django.urls import reverse

from core.models import AuditEntry
from grids.factories import person, post
from grids.models import Role
from mediation.factories import A_NAME, A_PHONE, B_NAME, FACTS, dispute_at, mediator_in
from mediation.models import LIST_ROLES, DisputeMediator, DisputeState, FileOpening
from mediation.services import people
from mediation.workflow import Actor

pytestmark = pytest.mark.django_db

SECRETS = (A_NAME, B_NAME, A_PHONE, FACTS[:8], "滴水纠纷")


@pytest.fixture
def dispute(county, worker):
    return dispute_at(county.grids[0], mediator=worker)


def pages(dispute):
    return [
        reverse("dispute", args=[dispute.number]),
        reverse("dispute_parties", args=[dispute.number]),
        reverse("dispute_agreement", args=[dispute.number]),
    ]


def looks(client, user, url):
    client.force_login(user)
    return client.get(url)


def at_place(county, role):
    place = {
        Role.GRID_WORKER: county.grids[0],
        Role.GRID_CHIEF: county.grids[0],
        Role.GRID_GUIDE: county.villages[0],
        Role.VILLAGE_OFFICE: county.villages[0],
        Role.TOWN_ADMIN: county.towns[0],
        Role.COMMAND: county.county,
        Role.COUNTY_LEADER: county.county,
        Role.MEDIATOR: county.towns[0],
    }[role]
    return person(role, place)


@pytest.mark.parametrize("role", sorted(LIST_ROLES))
def test_inside_the_scope_the_row_is_listed_and_the_file_stays_closed(
    client, county, dispute, role
):
    user = at_place(county, role)
    listed = looks(client, user, reverse("disputes")).content.decode()
    assert dispute.number in listed
    assert not [secret for secret in SECRETS if secret in listed]
    for url in pages(dispute):
        answer = looks(client, user, url)
        assert answer.status_code == 403
        assert not [secret for secret in SECRETS if secret in answer.content.decode()]
    assert not FileOpening.objects.exists()


def test_outside_the_scope_there_is_nothing_whatever_number_is_tried(client, county, dispute):
    stranger = person(Role.TOWN_ADMIN, county.towns[1])
    assert dispute.number not in looks(client, stranger, reverse("disputes")).content.decode()
    for url in pages(dispute):
        assert looks(client, stranger, url).status_code == 404
    for name, more in (("dispute_act", ["remark"]), ("dispute_reveal", [])):
        answer = client.post(reverse(name, args=[dispute.number, *more]), {"reason": "想看看"})
        assert answer.status_code == 404


@pytest.mark.parametrize("number", ["%00", "MJ-2026-000001%00", "MJ 2026", "1"])
def test_a_number_that_is_none_is_not_found(client, worker, number):
    assert looks(client, worker, f"/mediation/{number}/").status_code == 404


@pytest.mark.parametrize(
    ("role", "place"), [(Role.UNIT_HEAD, "unit"), (Role.SYSTEM_ADMIN, "county")]
)
def test_people_without_a_part_in_mediation_do_not_get_in(client, county, dispute, role, place):
    user = person(role, getattr(county, place))
    assert looks(client, user, reverse("disputes")).status_code == 403
    assert looks(client, user, pages(dispute)[0]).status_code == 403


def test_the_named_mediator_opens_the_file_with_the_parties_masked_and_it_is_on_record(
    client, dispute, worker
):
    page = looks(client, worker, pages(dispute)[0])
    assert page.status_code == 200
    text = page.content.decode()
    assert FACTS[:8] in text
    assert "赵**" in text
    assert "199****1001" in text
    assert A_PHONE not in text
    assert FileOpening.objects.get().user == worker
    assert AuditEntry.objects.filter(action="dispute.open_file", actor=worker).count() == 1
    looks(client, worker, pages(dispute)[0])
    assert FileOpening.objects.count() == 2


def test_a_mediator_opens_their_own_file_and_not_the_next_number(client, county, dispute, worker):
    other = dispute_at(county.grids[0], mediator=mediator_in(county))
    assert looks(client, worker, pages(dispute)[0]).status_code == 200
    assert looks(client, worker, pages(other)[0]).status_code == 403


def test_the_parties_are_shown_in_full_only_on_a_reason_that_is_kept(client, dispute, worker):
    client.force_login(worker)
    url = reverse("dispute_reveal", args=[dispute.number])
    for reason in ("", "  ", "看"):
        answer = client.post(url, {"reason": reason}, headers={"HX-Request": "true"})
        assert answer.status_code == 422
        assert A_PHONE not in answer.content.decode()
    answer = client.post(url, {"reason": "通知双方到场调解"}, headers={"HX-Request": "true"})
    assert A_PHONE in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    opening = FileOpening.objects.get(what="contact")
    assert opening.reason == "通知双方到场调解"
    again = client.get(pages(dispute)[1], headers={"HX-Request": "true"}).content.decode()
    assert A_PHONE not in again


@pytest.mark.parametrize("reason", ["领导要求了解", "看", ""])
def test_the_unnamed_are_refused_the_reveal_whatever_reason_they_give(
    client, county, dispute, reason
):
    client.force_login(at_place(county, Role.COMMAND))
    url = reverse("dispute_reveal", args=[dispute.number])
    for headers in ({}, {"HX-Request": "true"}):
        answer = client.post(url, {"reason": reason}, headers=headers)
        assert answer.status_code == 403
        assert "赵" not in answer.content.decode()
    assert not FileOpening.objects.exists()


def test_the_village_names_itself_on_the_record_and_then_opens_the_file(client, county, dispute):
    office = at_place(county, Role.VILLAGE_OFFICE)
    client.force_login(office)
    url = reverse("dispute_act", args=[dispute.number, "name_mediator"])
    answer = client.post(url, {"user": office.pk, "seen": dispute.version})
    assert answer.status_code == 302
    assert client.get(pages(dispute)[0]).status_code == 200
    event = dispute.events.get(action="name_mediator")
    assert event.actor == office
    assert event.data["mediator"] == office.pk


def test_a_released_mediator_no_longer_opens_the_file(client, county, dispute, worker):
    office = Actor.for_user(at_place(county, Role.VILLAGE_OFFICE))
    people.release_mediator(dispute_id=dispute.pk, user=worker, actor=office, reason="亲属回避")
    assert looks(client, worker, pages(dispute)[0]).status_code == 403
    assert DisputeMediator.objects.get().until


def test_a_mediator_whose_posting_ended_is_out(client, dispute, worker):
    posting = worker.postings.get()
    posting.valid_to = posting.valid_from
    posting.save()
    assert looks(client, worker, pages(dispute)[0]).status_code == 403


def test_a_mediator_moved_away_keeps_the_files_they_are_named_to(client, county, dispute, worker):
    posting = worker.postings.get()
    posting.valid_to = posting.valid_from
    posting.save()
    post(worker, Role.GRID_WORKER, county.grids[7])
    assert looks(client, worker, pages(dispute)[0]).status_code == 200


def test_the_leader_of_a_red_case_opens_it_until_it_is_red_no_more(client, county, dispute, worker):
    leader, actor = at_place(county, Role.COUNTY_LEADER), Actor.for_user(worker)
    change = {"dispute_id": dispute.pk, "actor": actor, "reason": "情绪变化"}
    people.set_colour(**change, colour="red", leader=leader)
    assert looks(client, leader, pages(dispute)[0]).status_code == 200
    people.set_colour(**change, colour="yellow", leader=leader)
    assert looks(client, leader, pages(dispute)[0]).status_code == 403


def test_printing_the_agreement_is_on_record(client, county, worker):
    dispute = dispute_at(county.grids[0], mediator=worker, state=DisputeState.AGREED)
    answer = looks(client, worker, pages(dispute)[2])
    assert A_NAME in answer.content.decode()
    assert FileOpening.objects.get().what == "print"


def test_the_anonymous_are_sent_to_the_login(client, dispute):
    assert client.get(pages(dispute)[0]).status_code == 302
