"""The pages of acts: drafting, dry run, decision, record; the border of a town."""

import json
from typing import Any

import pytest
from django.contrib.gis.geos import GEOSGeometry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from grids.factories import SIDE, person
from grids.models import Area, Reorganisation, Role
from grids.models.reorganisation import ActState, StepKind
from grids.services import reorganisation as acts
from grids.services.reorganisation import NewStep


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend="grids.backends.PostingBackend")
    return client


@pytest.fixture
def keeper(county) -> Any:
    return person(Role.SYSTEM_ADMIN, county.county)


@pytest.fixture
def admin(county) -> Any:
    return person(Role.TOWN_ADMIN, county.towns[0])


def merging(county, drafter, first=1, second=0) -> Reorganisation:
    villages = county.villages
    step = NewStep(kind=StepKind.MERGE_VILLAGES, subject=villages[first], target=villages[second])
    return acts.draft(
        actor=drafter, title="合并两村的决定", effective_on=timezone.localdate(), steps=[step]
    )


def typed(*steps: dict[str, str], **act: str) -> dict[str, str]:
    """Return what the form of an act sends."""
    data = {"title": "撤村并村", "effective_on": "2026-12-01", "s-INITIAL_FORMS": "0"} | act
    data["s-TOTAL_FORMS"] = str(len(steps))
    for number, step in enumerate(steps):
        data |= {f"s-{number}-{name}": value for name, value in step.items()}
    return data


def merge_of(county) -> dict[str, str]:
    gone, kept = county.villages[1], county.villages[0]
    return {"kind": "merge_villages", "subject": gone.code, "target": f"{kept.code} {kept.name}"}


def test_an_act_is_drafted_by_code_or_by_what_the_list_offers(county, admin):
    answer = client_of(admin).post(reverse("reorganise_new"), typed(merge_of(county)))
    act = Reorganisation.objects.get()
    assert answer["Location"] == reverse("reorganisation", args=[act.pk])
    assert act.steps.get().subject == county.villages[1]


def test_bad_input_comes_back_with_what_was_typed(county, admin):
    step = {"kind": "rename", "subject": "没有的村", "new_name": "长安村"}
    answer = client_of(admin).post(reverse("reorganise_new"), typed(step, title=""))
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "没有的村" in text
    assert "长安村" in text
    assert not Reorganisation.objects.exists()


def test_a_village_of_the_neighbour_is_not_found(county, admin):
    client, neighbour = client_of(admin), county.villages[2]
    step = {"kind": "rename", "subject": neighbour.code, "new_name": "长安村"}
    assert client.post(reverse("reorganise_new"), typed(step)).status_code == 422
    found = client.get(reverse("reorganise_areas"), {"field": "s-0-subject", "s-0-subject": "新村"})
    assert found.content.decode().count("<option") == 1
    assert neighbour.code not in found.content.decode()


def test_one_more_step_is_added_and_nothing_typed_is_lost(county, admin):
    data = typed(merge_of(county), title="撤并") | {"more": "1"}
    answer = client_of(admin).post(reverse("reorganise_new"), data)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "s-1-kind" in text
    assert 'value="撤并"' in text


def test_the_dry_run_says_what_would_move(county, keeper, django_assert_max_num_queries):
    person(Role.VILLAGE_OFFICE, county.villages[1])
    act = merging(county, keeper)
    client = client_of(keeper)
    with django_assert_max_num_queries(30):
        text = client.get(reverse("reorganisation", args=[act.pk])).content.decode()
    assert f"{county.villages[0].code}003" in text
    assert Area.objects.get(pk=county.villages[1].pk).closed_on is None


def test_the_map_shows_towns_and_villages_before_and_after(county, keeper):
    step = NewStep(kind=StepKind.MOVE_VILLAGE, subject=county.villages[1], target=county.towns[1])
    act = acts.draft(actor=keeper, title="划归", effective_on=timezone.localdate(), steps=[step])
    answer = client_of(keeper).get(reverse("reorganisation_map", args=[act.pk]))
    sizes = {
        (feature["properties"]["role"], feature["properties"]["id"]): GEOSGeometry(
            json.dumps(feature["geometry"])
        ).area
        for feature in answer.json()["features"]
    }
    one, other = county.towns
    village = 2 * SIDE * SIDE
    assert sizes["before", one.pk] == pytest.approx(2 * village)
    assert sizes["after", one.pk] == pytest.approx(village)
    assert sizes["after", other.pk] == pytest.approx(3 * village)
    assert sizes["after", county.villages[1].pk] == pytest.approx(village)


def test_people_in_post_are_listed_as_far_as_the_reader_keeps_them(county, keeper, admin):
    office = person(Role.VILLAGE_OFFICE, county.villages[3])
    step = NewStep(
        kind=StepKind.MERGE_VILLAGES, subject=county.villages[3], target=county.villages[0]
    )
    act = acts.draft(actor=keeper, title="合并", effective_on=timezone.localdate(), steps=[step])
    url = reverse("reorganisation_rows", args=[act.pk, "postings:postings"])
    assert office.display_name in client_of(keeper).get(url).content.decode()
    assert office.display_name not in client_of(admin).get(url).content.decode()


def test_an_act_goes_from_draft_to_done_by_two_people(county, admin):
    act = merging(county, admin)
    do = lambda who, action, seen, **more: client_of(who).post(  # noqa: E731
        reverse("reorganisation_do", args=[act.pk, action]), {"seen": seen, **more}
    )
    assert do(admin, "submit", 1).status_code == 302
    assert do(admin, "approve", 2).status_code == 403
    assert do(person(Role.COMMAND, county.county), "approve", 2).status_code == 302
    act.refresh_from_db()
    assert act.state == ActState.DECIDED
    waiting = client_of(admin).get(reverse("reorganisation", args=[act.pk])).content.decode()
    progress = f"{reverse('reorganisation_progress', args=[act.pk])}?seen={act.version}"
    assert progress in waiting
    assert "HX-Refresh" not in client_of(admin).get(progress)
    acts.carry_out_due()
    assert client_of(admin).get(progress)["HX-Refresh"] == "true"
    record = client_of(admin).get(reverse("reorganisation", args=[act.pk])).content.decode()
    assert county.grids[2].code in record
    assert Area.objects.get(pk=county.grids[2].pk).code in record


def test_who_is_late_reads_what_happened_and_keeps_the_note(county, keeper):
    act = merging(county, keeper)
    url = reverse("reorganisation_do", args=[act.pk, "withdraw"])
    client = client_of(keeper)
    assert client.post(url, {"seen": 1, "note": ""}).status_code == 422
    answer = client.post(url, {"seen": 7, "note": "重复登记"})
    assert answer.status_code == 409
    assert "重复登记" in answer.content.decode()


def test_acts_of_another_town_are_not_there(county, keeper, admin):
    act = merging(county, keeper, first=3, second=2)
    client = client_of(admin)
    assert act.title not in client.get(reverse("reorganise")).content.decode()
    for name, args in (
        ("reorganisation", [act.pk]),
        ("reorganise_edit", [act.pk]),
        ("reorganisation_rows", [act.pk, "incidents:open"]),
        ("reorganisation_map", [act.pk]),
        ("reorganisation_progress", [act.pk]),
    ):
        assert client.get(reverse(name, args=args)).status_code == 404
    for action in ("submit", "approve", "withdraw", "try_again"):
        url = reverse("reorganisation_do", args=[act.pk, action])
        assert client.post(url, {"seen": 1, "note": "无"}).status_code == 404


def test_a_draft_of_the_county_about_two_towns_is_read_by_both_and_changed_by_none(county, keeper):
    step = NewStep(kind=StepKind.MOVE_VILLAGE, subject=county.villages[0], target=county.towns[1])
    act = acts.draft(actor=keeper, title="划归", effective_on=timezone.localdate(), steps=[step])
    for town in county.towns:
        client = client_of(person(Role.TOWN_ADMIN, town))
        assert client.get(reverse("reorganisation", args=[act.pk])).status_code == 200
        url = reverse("reorganisation_do", args=[act.pk, "submit"])
        assert client.post(url, {"seen": 1}).status_code == 403


def test_only_a_draft_is_corrected(county, keeper):
    act = merging(county, keeper)
    client, url = client_of(keeper), reverse("reorganise_edit", args=[act.pk])
    assert county.villages[1].code in client.get(url).content.decode()
    data = typed(merge_of(county), title="新标题", seen="1")
    assert client.post(url, data).status_code == 302
    acts.submit(act_id=act.pk, actor=keeper, seen=2)
    assert client.get(url).status_code == 409


def test_the_list_costs_the_same_however_many_acts(county, keeper, django_assert_num_queries):
    client = client_of(keeper)
    merging(county, keeper)
    client.get(reverse("reorganise"))
    with django_assert_num_queries(3) as few:
        client.get(reverse("reorganise"))
    for _n in range(3):
        merging(county, keeper)
    with django_assert_num_queries(len(few.captured_queries)):
        client.get(reverse("reorganise"))
