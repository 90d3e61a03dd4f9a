"""The list, the form of a new dispute, the steps on the file, and the API."""

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from grids.factories import person
from grids.models import Role
from mediation.api import DisputeViewSet, router_entries
from mediation.factories import A_NAME, FACTS, dispute_at, mediator_in
from mediation.models import Dispute, DisputeState
from mediation.queries import figures, list_page
from mediation.services import sessions
from mediation.workflow import Actor

pytestmark = pytest.mark.django_db

S = DisputeState


@pytest.fixture
def form(county):
    return {
        "key": str(uuid.uuid4()),
        "area": county.grids[0].pk,
        "title": "滴水纠纷",
        "facts": FACTS,
        "kind": "neighbour",
        "source": "worker",
        "colour": "blue",
        "a_name": A_NAME,
        "a_phone": "19900001001",
        "a_agreed": "on",
        "b_name": "钱大海",
        "b_agreed": "on",
    }


def test_a_worker_registers_and_lands_on_the_file(client, worker, form):
    client.force_login(worker)
    answer = client.post(reverse("dispute_new"), form, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("dispute", args=[Dispute.objects.get().number])
    assert answer.status_code == 200


def test_the_form_sent_twice_registers_once(client, worker, form):
    client.force_login(worker)
    first = client.post(reverse("dispute_new"), form)
    second = client.post(reverse("dispute_new"), form)
    assert first.url == second.url
    assert Dispute.objects.count() == 1


def test_a_refused_form_gives_back_everything_typed(client, worker, form):
    client.force_login(worker)
    answer = client.post(reverse("dispute_new"), {**form, "b_name": ""})
    text = answer.content.decode()
    assert answer.status_code == 422
    for typed in (A_NAME, FACTS, "19900001001", form["key"]):
        assert typed in text
    assert not Dispute.objects.exists()


@pytest.mark.parametrize("bad", [{"colour": "red"}, {"kind": "x"}, {"source": "incident"}])
def test_what_the_form_does_not_offer_is_refused(client, worker, form, bad):
    client.force_login(worker)
    assert client.post(reverse("dispute_new"), {**form, **bad}).status_code == 422


def test_a_place_outside_ones_own_is_refused(client, county, worker, form):
    client.force_login(worker)
    answer = client.post(reverse("dispute_new"), {**form, "area": county.grids[5].pk})
    assert answer.status_code == 422
    assert not Dispute.objects.exists()


def test_the_county_chooses_the_town_first(client, county, form):
    client.force_login(person(Role.COMMAND, county.county))
    places = client.get(reverse("dispute_places"), {"town": county.towns[1].pk}).content.decode()
    assert str(county.grids[4].pk) in places
    form |= {"town": county.towns[1].pk, "area": county.grids[4].pk}
    assert client.post(reverse("dispute_new"), form).status_code == 302
    assert Dispute.objects.get().village == county.villages[2]


def test_county_leaders_look_and_do_not_register(client, county):
    client.force_login(person(Role.COUNTY_LEADER, county.county))
    assert client.get(reverse("disputes")).status_code == 200
    assert client.get(reverse("dispute_new")).status_code == 403


def test_the_list_is_filtered_by_colour_step_state_and_number(client, county, worker):
    first = dispute_at(county.grids[0], mediator=worker, colour="yellow")
    panel = dispute_at(county.grids[0], mediator=worker, state=S.PANEL)
    client.force_login(worker)

    def shown(**query):
        text = client.get(reverse("disputes"), query).content.decode()
        return {d.number for d in (first, panel) if f"/mediation/{d.number}/" in text}

    assert shown() == {first.number, panel.number}
    assert shown(colour="yellow") == {first.number}
    assert shown(step="4") == {panel.number}
    assert shown(state=S.FIRST) == {first.number}
    assert shown(number=panel.number.lower()) == {panel.number}
    assert shown(overdue="on") == set()
    assert shown(mine="on") == {first.number, panel.number}


def test_pages_follow_one_another_without_gap_or_repeat(county, worker):
    made = [dispute_at(county.grids[0], mediator=worker).number for _ in range(5)]
    scope = Actor.for_user(worker).scope
    seen, cursor = [], None
    while True:
        page = list_page(user=worker, scope=scope, cursor=cursor, size=2)
        seen += [row.number for row in page.items]
        cursor = page.next
        if not cursor:
            break
    assert seen == made[::-1]


def test_the_figures_show_no_rate_where_nothing_was_found(county, worker):
    scope = Actor.for_user(worker).scope
    assert figures(user=worker, scope=scope).rate is None
    for state in (S.AGREED, S.CLOSED, S.FIRST):
        dispute_at(county.grids[0], mediator=worker, state=state)
    month_later = timezone.now() + timedelta(days=40)
    counts = figures(user=worker, scope=scope, now=month_later)
    assert (counts.found, counts.resolved, counts.overdue, counts.blue) == (3, 2, 1, 1)
    assert counts.rate == 66.67


def test_every_state_shows_its_file(client, county, worker):
    client.force_login(worker)
    for state in S.values:
        dispute = dispute_at(county.grids[0], mediator=worker, state=state)
        page = client.get(reverse("dispute", args=[dispute.number]))
        assert page.status_code == 200
        assert str(dispute.get_state_display()) in page.content.decode()


def test_a_session_is_recorded_from_the_page_and_a_refusal_keeps_what_was_typed(
    client, county, worker
):
    dispute = dispute_at(county.grids[0], mediator=worker)
    client.force_login(worker)
    url = reverse("dispute_act", args=[dispute.number, "record_step"])
    typed = {
        "seen": dispute.version,
        "held_at": timezone.localtime().strftime("%Y-%m-%dT%H:%M"),
        "place": "村委会调解室",
        "mediator_names": "测试调解员",
        "record": "双方各让一步，仍有分歧",
        "outcome": "failed",
    }
    refused = client.post(url, typed)
    assert refused.status_code == 422
    assert "双方各让一步" in refused.content.decode()
    assert client.post(url, {**typed, "outcome": "next"}).status_code == 302
    dispute.refresh_from_db()
    assert dispute.state == S.VILLAGER


def test_who_comes_second_reads_what_happened_and_loses_nothing(client, county, worker):
    dispute = dispute_at(county.grids[0], mediator=worker)
    seen = dispute.version
    sessions.remark(dispute_id=dispute.pk, actor=Actor.for_user(worker), note="已电话联系")
    client.force_login(worker)
    url = reverse("dispute_act", args=[dispute.number, "remark"])
    answer = client.post(url, {"seen": seen, "note": "另一条备注"})
    assert answer.status_code == 409
    text = answer.content.decode()
    assert "另一条备注" in text
    assert worker.display_name in text
    read = answer.context["forms"]["remark"]["seen"].value()
    assert client.post(url, {"seen": read, "note": "另一条备注"}).status_code == 302


def test_an_unknown_step_is_not_found_and_a_get_is_not_allowed(client, county, worker):
    dispute = dispute_at(county.grids[0], mediator=worker)
    client.force_login(worker)
    assert client.post(reverse("dispute_act", args=[dispute.number, "erase"])).status_code == 404
    assert client.get(reverse("dispute_act", args=[dispute.number, "remark"])).status_code == 405


def test_the_api_lists_rows_without_names_or_facts(rf, county, worker):
    assert ("disputes", DisputeViewSet) in router_entries
    dispute = dispute_at(county.grids[0], mediator=worker)
    answer = api(rf, worker, {"get": "list"}, "/?colour=blue")
    assert [row["number"] for row in answer.data["results"]] == [dispute.number]
    assert set(answer.data["results"][0]) == {
        "number",
        "kind",
        "colour",
        "state",
        "step",
        "town",
        "village",
        "grid",
        "registered_at",
        "due_at",
        "settled_at",
        "ended_at",
    }
    assert api(rf, worker, {"get": "retrieve"}, "/", number=dispute.number).status_code == 200


def test_the_api_is_closed_outside_the_scope_and_without_the_role(rf, county, worker):
    dispute = dispute_at(county.grids[0], mediator=worker)
    stranger, head = mediator_in(county, grid=7), person(Role.UNIT_HEAD, county.unit)
    assert api(rf, stranger, {"get": "list"}, "/").data["results"] == []
    one = {"get": "retrieve"}
    assert api(rf, stranger, one, "/", number=dispute.number).status_code == 404
    assert api(rf, head, {"get": "list"}, "/").status_code == 403


def api(rf, user, actions, url, **kwargs):
    request = rf.get(url)
    request.user = user
    request.scope = Actor.for_user(user).scope
    request._dont_enforce_csrf_checks = True
    return DisputeViewSet.as_view(actions)(request, **kwargs)
