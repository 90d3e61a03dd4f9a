"""How the AI did, as facts of cases, their sums, and the page that shows them."""

from datetime import date

import pytest
from django.db import connection, transaction
from django.utils import timezone

from grids.factories import person
from grids.models import Role
from incidents import scoring
from incidents.factories import World, actor, category
from incidents.models import (
    Article,
    FactKind,
    Incident,
    Mark,
    OwnerKind,
    RoutingRule,
    ScoreFact,
    ScoreFormula,
    ScoreSum,
    Suggestion,
)
from incidents.queries import ai_figures as read
from incidents.services import answering, dispatching, scores
from incidents.services.knowledge import save_article
from incidents.services.triage import triage_new

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    world = World()
    RoutingRule.objects.create(position=1, name="交主管部门", owner_kind=OwnerKind.CATEGORY_OWNER)
    world.question = category(world.city, name="医保咨询", is_question=True, tier="ai")
    save_article(
        article=Article(
            code="K1",
            title="住院费用怎么报销",
            body="出院时在医院直接结算。",
            keywords=["报销", "住院"],
            source="县医保服务窗口",
            published_on=date(2026, 3, 1),
            category=world.question,
        ),
        actor=None,
    )
    return world


def month():
    return read.month_of(timezone.localdate())


def fold():
    while scores.fold(batch=50):
        pass


def read_by_ai(world, item, text="村口垃圾堆了三天没人清"):
    incident = world.report(text, category=item)
    triage_new()
    return Incident.objects.get(pk=incident.pk)


def thought(incident, item, version=3):
    """As if a model had suggested ``item``."""
    return Suggestion.objects.create(
        incident=incident,
        category=item,
        model_version=version,
        confidence=0.7,
        created_at=timezone.now(),
    )


def marks(incident):
    fold()
    row = ScoreFact.objects.filter(incident=incident, kind=FactKind.AI).first()
    return row and Mark(row.marks)


def decide(world, incident, item):
    return dispatching.triage(incident_id=incident.pk, actor=actor(world.command), category=item)


def test_a_report_nobody_has_decided_counts_nowhere(world):
    assert marks(read_by_ai(world, world.rubbish)) is None


def test_an_answer_is_handled_alone_until_it_did_not_help(world):
    incident = read_by_ai(world, world.question, "住院费用怎么报销")
    assert marks(incident) & (Mark.ALONE | Mark.ANSWERED) == Mark.ALONE | Mark.ANSWERED
    assert not marks(incident) & Mark.UNSOLVED
    answering.not_solved(tracking_code=incident.tracking_code)
    assert marks(incident) & Mark.UNSOLVED
    assert not marks(incident) & Mark.OVERRULED


def test_what_a_person_decides_as_suggested_is_not_overruled(world):
    incident = world.report()
    thought(incident, world.rubbish)
    triage_new()
    decide(world, incident, world.rubbish)
    assert marks(incident) == Mark.OPINION


def test_another_category_by_a_person_overrules_it(world):
    incident = world.report()
    thought(incident, world.rubbish)
    triage_new()
    decide(world, incident, world.road)
    assert marks(incident) == Mark.OPINION | Mark.OVERRULED
    fact = ScoreFact.objects.get(incident=incident, kind=FactKind.AI)
    assert (fact.category_id, fact.model_version) == (world.rubbish.pk, 3)


def test_a_dispatch_alone_that_is_taken_back_is_overruled(world):
    world.rubbish.ai_allowed = True
    world.rubbish.save()
    incident = read_by_ai(world, world.rubbish)
    assert marks(incident) == Mark.ALONE | Mark.OPINION
    dispatching.object_to(
        incident_id=incident.pk, actor=actor(world.city_handler), reason="不归我们管"
    )
    dispatching.uphold_objection(
        incident_id=incident.pk,
        actor=actor(world.command),
        reason="确属水利",
        department=world.water,
    )
    assert marks(incident) & Mark.OVERRULED


def test_without_the_ai_there_is_nothing_to_count(world):
    incident = world.report()
    decide(world, incident, world.rubbish)
    assert marks(incident) is None


def by_hand():
    """Everything counted again from the facts."""
    found = {}
    for fact in ScoreFact.objects.filter(kind=FactKind.AI):
        for subject, pk in (("ai_item", fact.category_id), ("ai_model", fact.model_version)):
            key = subject, pk, fact.day.replace(day=1), fact.marks
            found[key] = found.get(key, 0) + 1
    return found


def kept():
    rows = ScoreSum.objects.filter(kind=FactKind.AI, n__gt=0)
    assert not rows.filter(whole_month=False).exists()
    return {(row.subject, row.subject_id, row.day, row.marks): row.n for row in rows}


def test_sums_follow_the_facts_and_a_rebuild_finds_the_same(world):
    for n in range(3):
        incident = read_by_ai(world, world.question, "住院费用怎么报销")
        if n:
            answering.not_solved(tracking_code=incident.tracking_code)
    other = world.report()
    thought(other, world.rubbish)
    triage_new()
    decide(world, other, world.road)
    fold()
    assert kept() == by_hand()
    before = kept()
    ScoreSum.objects.all().delete()
    ScoreFact.objects.all().delete()
    scores.rebuild()
    assert kept() == before
    (sums,) = [read.by_item([world.county.pk], month())[world.question.pk]]
    value = scoring.value_of(scoring.AI_UNSOLVED, sums, ScoreFormula())
    assert (value.whole, value.parts[0][1]) == (3, 2)


# The page.


def rows_behind(client, **asked):
    text = client.get("/ai/cases/", {"month": f"{month().first:%Y-%m}"} | asked)
    assert text.status_code == 200
    return text.content.decode()


def test_each_number_opens_its_cases(client, world):
    kept_one = read_by_ai(world, world.question, "住院费用怎么报销")
    lost = read_by_ai(world, world.question, "住院费用怎么报销，急")
    answering.not_solved(tracking_code=lost.tracking_code)
    fold()
    client.force_login(world.command)
    page = client.get("/ai/").content.decode()
    assert "50.00%" in page
    assert f"item={world.question.pk}&amp;measure=ai_unsolved" in page
    behind = rows_behind(client, measure="ai_unsolved", of="part", item=world.question.pk)
    assert lost.tracking_code in behind
    assert kept_one.tracking_code not in behind
    whole = rows_behind(client, measure="ai_unsolved", of="whole", model=0)
    assert lost.tracking_code in whole
    assert kept_one.tracking_code in whole


def test_a_month_without_anything_says_no_data(client, world):
    client.force_login(world.leader)
    page = client.get("/ai/?month=2024-02").content.decode()
    assert "暂无数据" in page
    assert "0.00%" not in page


@pytest.mark.parametrize("month", ["2026-13", "x", "20260-1", "９"])
def test_a_month_that_is_none_is_this_one(client, world, month):
    client.force_login(world.command)
    assert client.get("/ai/", {"month": month}).status_code == 200


@pytest.mark.parametrize(
    "asked",
    [{}, {"measure": "due"}, {"measure": "ai_alone", "of": "x"}],
)
def test_a_number_that_is_none_is_not_found(client, world, asked):
    client.force_login(world.command)
    assert client.get("/ai/cases/", asked).status_code == 404


def test_the_system_administrator_reads_figures_and_opens_no_case(client, world):
    read_by_ai(world, world.question, "住院费用怎么报销")
    fold()
    client.force_login(person(Role.SYSTEM_ADMIN, world.county))
    page = client.get("/ai/").content.decode()
    assert "/ai/cases/" not in page
    assert "/ai/items/" in page
    assert client.get("/ai/cases/?measure=ai_alone").status_code == 403


def test_how_many_items_there_are_changes_no_number_of_queries(
    client, world, django_assert_max_num_queries
):
    client.force_login(world.command)
    client.get("/ai/")
    for _n in range(20):
        category(world.city)
    with django_assert_max_num_queries(16):
        client.get("/ai/")


def test_the_plan_of_a_numbers_cases_walks_an_index(world):
    need = scoring.AI_UNSOLVED
    for part in (read.Part(), read.Part(item=world.question.pk), read.Part(model=3)):
        (rows,) = read.facts_of([world.county.pk], part, need, "part", month())
        from_index = rows.order_by("-day", "-id")[:51]
        assert _explained(from_index).count("Seq Scan") == 0


def _explained(rows):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        return rows.explain()


def test_nothing_of_the_next_county_is_counted_or_opened(client, world):
    read_by_ai(world, world.question, "住院费用怎么报销")
    fold()
    assert read.by_model([world.county.pk + 10_000], month()) == {}
    (rows,) = read.facts_of(
        [world.county.pk + 10_000], read.Part(), scoring.AI_ALONE, "whole", month()
    )
    assert not rows.exists()
