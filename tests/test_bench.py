"""The benchmark stays able to run: its county fits the tables, its sums are right."""

from types import SimpleNamespace

import pytest
from django.urls import reverse

from benchmarks import articles, county, report, search
from benchmarks.load import summary
from core.models import Timer
from grids.models import Posting, Role
from grids.queries import Scope
from incidents.models import Article, Event, Incident, StageClock
from incidents.queries.queue import queue_page, read_filters

SMALL = {"towns": 4, "urban_towns": 1, "villages": 14, "rural": 45, "community": 6,
         "dedicated": 5, "unit_grids": 2, "units": 6}  # fmt: skip


@pytest.fixture
def small_past(db, monkeypatch):
    monkeypatch.setattr(county, "PLACES", 300)
    county.build_places(shape=SMALL, say=lambda words: None)
    county.fill(1, 400, 400)
    county.set_sequences()


def test_cases_written_in_bulk_are_read_like_any_other(small_past, client):
    assert Incident.objects.count() == 400
    assert Incident.objects.open().count() > 3
    assert Event.objects.filter(action="report").count() == 400
    assert StageClock.objects.exists()
    command = Posting.objects.filter(role=Role.COMMAND).first().user
    scope = Scope.for_user(command)
    page = queue_page(user=command, scope=scope, filters=read_filters({"show": "all"}, scope=scope))
    assert len(page.items) == 50
    client.force_login(command)
    for case in (page.items[0], Incident.objects.filter(state="closed").first()):
        assert client.get(reverse("incident", args=[case.tracking_code])).status_code == 200


def test_cases_topped_up_wait_for_departments(small_past):
    county.top_up(30, lambda words: None)
    waiting = Incident.objects.filter(
        state="dispatched", overdue_at=None, owner_department__isnull=False
    )
    assert waiting.count() == 30


def test_cases_made_for_one_row_are_forgotten_whole(small_past):
    county.fill(401, 420, 420, state="dispatched")
    assert Timer.objects.filter(subject_id__in=clocks_after(400)).count() == 80
    gone = clocks_after(400)
    county.forget(401, 420)
    assert Incident.objects.count() == Event.objects.filter(action="report").count() == 400
    assert not clocks_after(400)
    assert not Timer.objects.filter(subject_id__in=gone).exists()


def clocks_after(incident: int) -> list[int]:
    return list(StageClock.objects.filter(incident__gt=incident).values_list("pk", flat=True))


def test_short_timelines_keep_the_first_and_the_last_row(small_past):
    county.fill(401, 500, 500, short=True)
    short = Incident.objects.filter(pk__gt=400, state="closed").exclude(pk__endswith="0")
    for case in short:
        rows = case.events.order_by("seq").values_list("seq", flat=True)
        assert list(rows) == [1, case.last_seq]


def test_the_row_of_search_finds_cases_by_words(small_past):
    bench = SimpleNamespace(results={})
    [row] = search.measure_search(bench)
    assert bench.results["search"]["words"]
    assert row[0].startswith("search, ")


def test_the_row_of_articles_finds_some_and_leaves_none_behind(small_past, monkeypatch):
    monkeypatch.setattr(articles, "ARTICLES", 600)
    shipped = Article.objects.count()
    bench = SimpleNamespace(results={})
    rows = articles.measure_articles(bench)
    assert bench.results["articles filled"]["articles"] == shipped + 600
    assert [row[0].startswith("articles that fit ") for row in rows] == [True, True]
    assert Article.objects.count() == shipped


def test_a_summary_counts_refusals_and_tells_the_tail():
    times = [n / 1000 for n in range(1, 101)]
    found = summary(times, seconds=2.0, wrong={500: 1})
    assert found["rate"] == 50
    assert found["p50"] == 50
    assert found["p95"] == 95
    assert found["max"] == 100
    assert found["wrong"] == {500: 1}


def test_slow_statements_are_told_by_shape(tmp_path):
    log = tmp_path / "postgresql.log"
    log.write_text(
        "2026-01-01 10:00:00 UTC [1] LOG:  duration: 61.2 ms  statement: SELECT 1 WHERE a = 5\n"
        "2026-01-01 10:00:01 UTC [1] LOG:  duration: 90.0 ms  execute x: SELECT 1 WHERE a = 'b'\n"
        "2026-01-01 10:00:02 UTC [1] LOG:  checkpoint complete\n"
    )
    [slow] = report.slow_statements(log, 0)
    assert slow == {"shape": "SELECT ? WHERE a = ?", "times": 2, "slowest": 90.0}
