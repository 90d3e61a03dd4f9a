"""The pages of scores: who sees whose, numbers that open their cases, sheet and API."""

import io
import re
from datetime import date, timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone
from python_calamine import CalamineWorkbook

from core.models import AuditEntry
from governance import scores as tables
from governance.queries import published_results
from grids.factories import person, post
from grids.models import Role
from incidents.factories import World, actor, as_
from incidents.models import CallBack, ScoreFormula
from incidents.queries.scores import Period
from incidents.services import dispatching, scores, verification
from incidents.services.intake import Report, report
from mediation.factories import dispute_at, mediator_in
from mediation.models import Dispute, DisputeState

pytestmark = pytest.mark.django_db

MARCH = {"period": "2026-03"}


@pytest.fixture
def march(db):
    """Two cases of March in the first town, one closed in time; it is the first of April now."""
    with time_machine.travel("2026-03-02T09:00:00+08:00", tick=False) as clock:
        world = World()
        closed = world.called_back()
        callback = CallBack.objects.get(incident=closed)
        verification.rate(token=callback.token, score="satisfied", solved=True)
        world.dispatched()
        longitude, latitude = world.places.point_in(world.grid)
        found, _new = report(
            Report(text="路灯坏了一排", source="worker", latitude=latitude, longitude=longitude),
            actor=actor(world.worker),
        )
        dispatching.triage(
            incident_id=found.pk, actor=actor(world.command), category=world.rubbish, send=False
        )
        scores.fold()
        clock.move_to("2026-04-01T09:00:00+08:00")
        yield world


def page(user, query, name="scores"):
    return as_(user).get(reverse(name), query)


def sheet(response):
    book = CalamineWorkbook.from_filelike(io.BytesIO(response.content))
    return book.get_sheet_by_index(0).to_python()


def links_of(text):
    return [
        link.replace("&amp;", "&") for link in re.findall(r'href="(/scores/cases/[^"]+)"', text)
    ]


# The page.


def test_the_command_centre_goes_down_from_the_county_to_the_grids(march):
    places, text = march.places, page(march.command, MARCH).content.decode()
    assert places.county.name in text
    for town in places.towns:
        assert town.name in text
    assert "50.00%" in text  # one of two closed
    for area in (places.towns[0], places.villages[0]):
        text = page(march.command, MARCH | {"area": area.pk}).content.decode()
        assert "50.00%" in text
    assert places.grids[0].name in text


def test_a_town_without_cases_shows_no_data(march):
    text = page(march.command, MARCH | {"area": march.places.towns[1].pk}).content.decode()
    assert "暂无数据" in text
    assert not re.search(r's-value">[\d.]+%', text)


def test_a_number_opens_exactly_its_cases(march):
    for query in ({}, {"tab": "departments"}, {"tab": "people", "area": march.town.pk}):
        text = page(march.command, MARCH | query).content.decode()
        shown = re.findall(r'href="(/scores/cases/[^"]+)"[^>]*>(\d+)</a>', text)
        assert shown
        for link, n in shown:
            opened = as_(march.command).get(link.replace("&amp;", "&")).content.decode()
            assert opened.count('<tr class="g-row') == int(n), link


def test_the_list_is_paged_by_keys(march, monkeypatch):
    monkeypatch.setattr("governance.views.scores.PAGE_SIZE", 1)
    query = MARCH | {"whose": f"area:{march.county.pk}", "measure": "due", "of": "whole"}
    client = as_(march.command)
    first = client.get(reverse("scores_cases"), query).content.decode()
    following = re.search(r'href="(\?[^"]*cursor=[^"]+)"', first).group(1).replace("&amp;", "&")
    second = client.get(reverse("scores_cases") + following).content.decode()
    codes = [re.findall(r"/incidents/(\w+)/", text)[0] for text in (first, second)]
    assert len(set(codes)) == 2


def test_days_to_come_do_not_count_yet(march):
    with time_machine.travel("2026-03-05T09:00:00+08:00"):
        text = page(march.command, MARCH).content.decode()
    assert "2026-03-04" in text
    assert "50.00%" not in text


@pytest.mark.parametrize(
    "query",
    [
        {"period": "2026-13"},
        {"period": "x"},
        {"first": "2026-03-05", "last": "2026-03-01"},
        {"first": "2026-03-05"},
        {"first": "2026-02-30", "last": "2026-03-01"},
        {"first": "9999-02-01", "last": "9999-12-31"},
    ],
)
def test_days_that_make_no_sense_are_told_and_kept(march, query):
    for name in ("scores", "scores_mine"):
        response = page(march.command, query, name)
        text = response.content.decode()
        assert response.status_code == 400
        assert 'role="alert"' in text
        assert query.get("first", "") in text


def test_the_worst_comes_first_and_no_data_last(march):
    query = MARCH | {"sort": "on_time"}
    text = page(march.command, query).content.decode()
    places = [text.rindex(town.name) for town in march.places.towns]
    assert places[0] < places[1]
    text = page(march.command, MARCH | {"sort": "-on_time"}).content.decode()
    assert text.rindex(march.places.towns[0].name) < text.rindex(march.places.towns[1].name)


def test_formula_and_version_are_told(march):
    text = page(march.command, MARCH).content.decode()
    assert "2026-1" in text
    ScoreFormula.objects.create(version="2026-2", valid_from=date(2026, 3, 1))
    assert "2026-2" in page(march.command, MARCH).content.decode()


def test_many_people_are_shown_page_by_page(march, monkeypatch):
    monkeypatch.setattr("governance.views.scores.TABLE_ROWS", 1)
    query = MARCH | {"tab": "people", "area": march.town.pk, "sort": "worker"}
    client = as_(march.command)
    first = client.get(reverse("scores"), query).content.decode()
    following = re.search(r'href="(\?[^"]*page=1[^"]*)"', first).group(1).replace("&amp;", "&")
    second = client.get(reverse("scores") + following).content.decode()
    seen = [re.findall(r"/scores/people/(\d+)/", text) for text in (first, second)]
    assert [len(set(row)) for row in seen] == [1, 1]
    assert seen[0] != seen[1]


# Who sees whose.


def test_a_town_sees_itself_and_not_its_neighbour(march):
    text = page(march.town_admin, MARCH).content.decode()
    assert march.places.villages[0].name in text
    other = march.places.towns[1]
    assert other.name not in text
    assert page(march.town_admin, MARCH | {"area": other.pk}).status_code == 404
    assert page(march.town_admin, MARCH | {"area": march.county.pk}).status_code == 404
    assert page(march.town_admin, MARCH | {"tab": "departments"}).status_code == 404


def test_a_department_sees_itself_alone(march):
    text = page(march.city_handler, MARCH).content.decode()
    assert march.city.name in text
    assert march.water.name not in text
    for query in ({"area": march.town.pk}, {"tab": "people"}, {"department": march.city.pk}):
        assert page(march.city_handler, MARCH | query).status_code == 404


@pytest.mark.parametrize("who", ["worker", "chief"])
def test_people_of_the_grids_see_no_tables(march, who):
    assert page(getattr(march, who), MARCH).status_code == 403
    assert page(getattr(march, who), MARCH, "scores_mine").status_code == 200


def scores_of(user, somebody):
    return as_(user).get(reverse("scores_person", args=[somebody.pk]), MARCH).status_code


def test_a_person_is_seen_by_the_line_and_the_command_centre_alone(march):
    next_town = person(Role.TOWN_ADMIN, march.places.towns[1])
    next_chief = person(Role.GRID_CHIEF, march.places.grids[1])
    colleague = person(Role.GRID_WORKER, march.grid)
    line = [march.worker, march.chief, march.office, march.town_admin, march.command, march.leader]
    assert {scores_of(user, march.worker) for user in line} == {200}
    others = [next_town, next_chief, colleague, march.city_handler]
    assert {scores_of(user, march.worker) for user in others} == {404}
    assert scores_of(march.chief, march.town_admin) == 404
    assert scores_of(march.town_admin, march.command) == 404
    assert scores_of(march.command, march.city_handler) == 200


def test_whoever_left_is_seen_by_the_last_line(march):
    march.worker.postings.update(valid_from="2026-01-01", valid_to="2026-03-20")
    assert scores_of(march.town_admin, march.worker) == 200
    assert scores_of(person(Role.TOWN_ADMIN, march.places.towns[1]), march.worker) == 404


def test_the_list_behind_a_number_is_closed_to_others(march):
    client = as_(person(Role.TOWN_ADMIN, march.places.towns[1]))
    for whose in (
        f"area:{march.town.pk}",
        f"area:{march.county.pk}",
        f"department:{march.city.pk}",
        f"person:{march.worker.pk}",
        "person:999999999",
        "area:x",
        "nobody:1",
        "",
    ):
        query = MARCH | {"whose": whose, "measure": "valid", "of": "whole"}
        assert client.get(reverse("scores_cases"), query).status_code == 404, whose


@pytest.mark.parametrize("query", [{"measure": "x"}, {"measure": "on_time", "of": "x"}, {}])
def test_a_number_that_does_not_exist_opens_nothing(march, query):
    query = MARCH | {"whose": f"area:{march.county.pk}"} | query
    assert page(march.command, query, "scores_cases").status_code == 404


def test_ones_own_old_cases_are_counted_but_not_shown_after_a_move(march):
    march.worker.postings.update(valid_from="2026-01-01", valid_to="2026-03-20")
    post(march.worker, Role.GRID_WORKER, march.places.grids[-1], valid_from=date(2026, 3, 20))
    query = MARCH | {"whose": f"person:{march.worker.pk}", "measure": "missed", "of": "part"}
    text = page(march.worker, query, "scores_cases").content.decode()
    assert "另有 2 件" in text


def test_a_workers_month_on_the_phone(march):
    text = page(march.worker, MARCH, "scores_mine").content.decode()
    assert "g-phone" in text
    # one valid report; two of three matters of the grid were found by others
    assert "66.66%" in text or "66.67%" in text
    for link in links_of(text):
        assert as_(march.worker).get(link).status_code == 200


# The sheet and the API.


def test_the_sheet_holds_what_the_page_shows_and_is_on_record(march):
    response = page(march.command, MARCH | {"table": "0"}, "scores_file")
    rows = sheet(response)
    assert rows[1][0] == march.county.name
    assert "50.00% (1/2)" in rows[1]
    assert rows[1][-1] == "2026-1"
    assert AuditEntry.objects.filter(action="scores.exported").count() == 1
    assert page(march.command, MARCH | {"table": "7"}, "scores_file").status_code == 404


def test_a_name_that_is_a_formula_stays_a_text(march):
    march.worker.display_name = "=1+1"
    march.worker.save(update_fields=["display_name"])
    query = MARCH | {"tab": "people", "table": "0"}
    response = page(march.town_admin, query, "scores_file")
    cells = [row[0] for row in sheet(response)]
    assert "=1+1" not in cells
    assert any("1+1" in str(cell) for cell in cells)


def api(user, **query):
    return as_(user).get("/api/v1/scores/", query)


def test_the_api_says_the_same(march):
    answer = api(march.command, **MARCH).json()
    assert (answer["first"], answer["last"]) == ("2026-03-01", "2026-03-31")
    (table,) = answer["tables"]
    found = {row["key"]: row for row in table["total"]["measures"]}
    assert found["on_time"] == {
        "key": "on_time",
        "unit": "share",
        "value": 0.5,
        "whole": 2,
        "parts": {"part": 1},
    }
    empty = {row["key"]: row for row in table["rows"][1]["measures"]}
    assert empty["on_time"]["value"] is None


def test_the_api_has_the_rights_of_the_page(march):
    assert api(march.worker).status_code == 403
    assert api(march.town_admin, area=march.places.towns[1].pk).status_code == 404
    assert api(march.city_handler, tab="people").status_code == 404
    assert api(march.command, period="x").status_code == 400
    assert api(march.command, first="2026-03-02", last="2026-03-01").status_code == 400
    assert api(march.command, creator="1").status_code == 400


# Published results.


def test_published_results_count_cases_and_disputes(march):
    mediator = mediator_in(march.places)
    for state in (DisputeState.AGREED, DisputeState.REGISTERED):
        dispute_at(march.places.grids[0], mediator=mediator, state=state)
    Dispute.objects.update(registered_at=timezone.now() - timedelta(days=10))
    found = published_results([march.county], Period(date(2026, 3, 1), date(2026, 3, 31)))
    assert (found.due, found.closed, found.found, found.resolved) == (2, 1, 2, 1)
    text = page(march.command, MARCH).content.decode()
    assert "50.00%" in text


@pytest.mark.parametrize(
    ("code", "first", "last"),
    [
        ("2026-03", "2026-03-01", "2026-03-31"),
        ("2026-04", "2026-04-01", "2026-04-09"),
        ("2026Q1", "2026-01-01", "2026-03-31"),
        ("2026", "2026-01-01", "2026-04-09"),
        ("2025Q4", "2025-10-01", "2025-12-31"),
    ],
)
def test_periods_by_name_end_yesterday_at_the_latest(code, first, last):
    found = tables.period_of(code, today=date(2026, 4, 10))
    assert (found.first, found.last) == (date.fromisoformat(first), date.fromisoformat(last))


def test_a_period_not_begun_is_empty(march):
    response = page(march.command, {"period": "2026-04"})
    assert response.status_code == 200
    assert "暂无数据" in response.content.decode()


def test_a_page_takes_few_queries_however_many_rows(march, django_assert_max_num_queries):
    client = as_(march.command)
    client.get(reverse("scores"), MARCH)
    with django_assert_max_num_queries(18):
        client.get(reverse("scores"), MARCH)
