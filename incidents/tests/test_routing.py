"""The routing table: first match wins, every condition, errors shown, village list kept."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from grids.factories import DepartmentFactory
from incidents.factories import category
from incidents.models import Event, Incident, OwnerKind, RoutingRule, Tier
from incidents.services import dispatching
from incidents.services.routing import decide, mismatch
from incidents.workflow import AI

pytestmark = pytest.mark.django_db
# A Sunday at 23:30 in the county.
NIGHT = datetime(2026, 11, 22, 23, 30, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def case(world):
    return world.pending()


def rule(position, owner_kind=OwnerKind.CATEGORY_OWNER, **more):
    return RoutingRule.objects.create(
        position=position, name=f"规则{position}", owner_kind=owner_kind, **more
    )


def outcomes(decision):
    return [(row["position"], row["outcome"]) for row in decision.explanation]


def test_the_first_matching_rule_wins_and_later_ones_are_not_asked(world, case):
    rule(10, OwnerKind.TOWN, tier=Tier.WHISTLE)
    rule(20, OwnerKind.DEPARTMENT, department=world.water)
    rule(30, OwnerKind.GRID)
    decision = decide(case)
    assert decision.owner == world.water
    assert outcomes(decision) == [(10, "passed"), (20, "matched")]


def test_no_rule_leaves_the_case_to_a_dispatcher(case):
    assert decide(case).owner is None


def test_a_rule_may_leave_the_case_to_a_dispatcher(case):
    rule(10, OwnerKind.PERSON)
    rule(20)
    decision = decide(case)
    assert decision.owner is None
    assert outcomes(decision) == [(10, "matched")]


def test_an_inactive_rule_is_not_asked(world, case):
    rule(10, OwnerKind.TOWN, active=False)
    rule(20)
    assert decide(case).owner == world.city


def test_each_condition_alone_decides_whether_a_rule_applies(world, case):
    other = category(world.water, major="另一大类")
    holds = [
        {"category": case.category},
        {"major": case.category.major},
        {"area": world.village},
        {"tier": Tier.LOCAL},
        {"source": "resident"},
        {"weekdays": "67"},
        {"words": ["井盖", "垃圾"]},
        {"valid_from": date(2026, 11, 22)},
        {"valid_to": date(2026, 11, 23)},
    ]
    fails = [
        {"category": other},
        {"major": "另一大类"},
        {"area": world.places.villages[1]},
        {"tier": Tier.WHISTLE},
        {"source": "hotline"},
        {"weekdays": "12345"},
        {"words": ["井盖"]},
        {"valid_from": date(2026, 11, 23)},
        {"valid_to": date(2026, 11, 22)},
    ]
    for condition in holds:
        assert mismatch(RoutingRule(**condition), case, NIGHT) is None, condition
    for condition in fails:
        assert mismatch(RoutingRule(**condition), case, NIGHT), condition


@pytest.mark.parametrize(
    ("start", "end", "moment", "inside"),
    [
        ("20:00", "07:00", "23:30", True),
        ("20:00", "07:00", "06:59", True),
        ("20:00", "07:00", "07:00", False),
        ("20:00", "07:00", "12:00", False),
        ("08:00", "12:00", "08:00", True),
        ("08:00", "12:00", "12:00", False),
    ],
)
def test_a_time_span_may_cross_midnight(case, start, end, moment, inside):
    span = RoutingRule(from_time=time.fromisoformat(start), to_time=time.fromisoformat(end))
    now = datetime.combine(NIGHT.date(), time.fromisoformat(moment), NIGHT.tzinfo)
    assert (mismatch(span, case, now) is None) is inside


def test_nothing_goes_to_a_village_that_villages_do_not_do(world):
    case = world.pending(category=world.road)
    refused = rule(10, OwnerKind.GRID)
    rule(20)
    decision = decide(case)
    assert decision.owner == world.city
    assert outcomes(decision) == [(10, "error"), (20, "matched")]
    assert decision.explanation[0]["rule"] == refused.name
    refused.refresh_from_db()
    assert refused.last_error == decision.explanation[0]["why"]
    assert refused.last_error_at


def test_a_rule_that_errors_is_shown_on_the_timeline_and_skipped(world):
    closed = DepartmentFactory(active=False)
    rule(10, OwnerKind.DEPARTMENT, department=closed)
    rule(20, OwnerKind.GRID)
    incident = world.report()
    dispatching.triage(incident_id=incident.pk, actor=AI, category=world.rubbish)
    row = Event.objects.get(incident=incident, action="dispatch")
    assert [line["outcome"] for line in row.data["explanation"]] == ["error", "matched"]
    assert Incident.objects.get(pk=incident.pk).owner_area == world.grid


def test_a_rule_for_the_grid_errors_while_the_grid_is_not_known(world, case):
    rule(10, OwnerKind.GRID)
    case.grid = None
    assert outcomes(decide(case, record_errors=False)) == [(10, "error")]
