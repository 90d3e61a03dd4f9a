"""The routing table as its keepers change it: a draft, its examples, its preview, in force."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from grids.factories import person
from grids.models import Role
from grids.queries import Scope
from incidents.factories import as_, category
from incidents.models import Event, OwnerKind, RoutingRule, RuleTable
from incidents.queries.rules import in_force, notes, past_tables, shown_table
from incidents.services import dispatching, rule_table, rule_trials
from incidents.services.catalogue import load_catalogue
from incidents.workflow import AI

pytestmark = pytest.mark.django_db


@pytest.fixture
def rules(world):
    """Rubbish is the grid's, whatever is left the department's."""
    example = {"text": "村口垃圾没人清", "category": None, "area": None, "time": None}
    RoutingRule.objects.create(
        position=1,
        name="垃圾归网格",
        category=world.rubbish,
        owner_kind=OwnerKind.GRID,
        examples=[{**example, "target": "grid"}],
    )
    RoutingRule.objects.create(position=2, name="其余归主管", owner_kind=OwnerKind.CATEGORY_OWNER)
    return in_force()


@pytest.fixture
def command(world):
    return as_(world.command)


def rule(world, **more):
    """A rule that sends rubbish near water to the water department, with its example."""
    example = {"text": "河里漂着垃圾", "category": world.rubbish.pk, "area": None, "time": None}
    values = {
        "name": "河里的垃圾归水利",
        "words": ["河"],
        "owner_kind": OwnerKind.DEPARTMENT,
        "department": world.water,
        "examples": [{**example, "target": f"department:{world.water.pk}"}],
    }
    return RoutingRule(**(values | more))


def save(world, one, key="", **more):
    values = {"seen": shown_table().stamp, "actor": world.command}
    return rule_table.save_rule(key=key, rule=one, **(values | more))


def put(world):
    return rule_table.put_in_force(seen=shown_table().stamp, actor=world.command)


def move(world, key, *, up=True):
    rule_table.move_rule(key=key, up=up, seen=shown_table().stamp, actor=world.command)


def names():
    return [one.name for one in in_force()]


def dispatch(world, text):
    incident = world.report(text)
    dispatching.triage(incident_id=incident.pk, actor=AI, category=world.rubbish)
    incident.refresh_from_db()
    return incident


def test_a_draft_decides_nothing_until_it_is_put_in_force(world, rules):
    key = save(world, rule(world))
    move(world, key)
    assert dispatch(world, "河里漂着垃圾").owner == world.grid
    assert put(world).number == 2
    assert names() == ["河里的垃圾归水利", "垃圾归网格", "其余归主管"]
    assert dispatch(world, "河里漂着垃圾").owner == world.water
    assert [table.number for table in past_tables()] == [2, 1]
    done = AuditEntry.objects.filter(subject_type="routing_rules")
    assert set(done.values_list("action", flat=True)) == {
        "routing_rules.draft",
        "routing_rules.put_in_force",
    }


def test_a_changed_rule_gets_a_version_and_old_explanations_stay(world, rules):
    case = dispatch(world, "村口垃圾堆着")
    changed = shown_table().rules[0]
    changed.name, changed.owner_kind = "垃圾归村", OwnerKind.VILLAGE
    changed.examples = [{**changed.examples[0], "target": "village"}]
    save(world, changed, key=changed.key)
    put(world)
    assert RoutingRule.objects.get(name="垃圾归村").version == 2
    assert RoutingRule.objects.get(name="其余归主管").version == 1
    row = Event.objects.get(incident=case, action="dispatch").data["explanation"][0]
    assert (row["rule"], row["version"]) == ("垃圾归网格", 1)
    page = as_(world.command).get(reverse("incident", args=[case.tracking_code])).content.decode()
    assert "第 1 条规则“垃圾归网格”（第 1 版）" in page
    assert "事项为“暴露垃圾”" in page


def test_an_order_in_which_an_example_fails_is_not_put_in_force(world, rules):
    key = save(world, rule(world))
    move(world, key)
    everything = RoutingRule(
        name="先归城管", owner_kind=OwnerKind.DEPARTMENT, department=world.city
    )
    everything.examples = [
        {"text": "路坏了", "category": world.road.pk, "area": None, "time": None,
         "target": f"department:{world.city.pk}"}
    ]  # fmt: skip
    first = save(world, everything)
    for _place in range(2):
        move(world, first)
    with pytest.raises(Invalid) as refused:
        put(world)
    told = " ".join(map(str, refused.value.errors[""]))
    assert "河里漂着垃圾" in told
    assert "先归城管" in told
    assert names() == ["垃圾归网格", "其余归主管"]


def test_a_rule_that_is_new_or_says_something_else_needs_an_example(world, rules):
    save(world, rule(world, examples=[]))
    with pytest.raises(Invalid) as refused:
        put(world)
    assert "河里的垃圾归水利" in str(refused.value.errors[""][0])


def test_of_two_editors_the_second_reads_that_somebody_was_first(world, rules):
    seen = shown_table().stamp
    key = save(world, rule(world), seen=seen)
    with pytest.raises(Conflict) as refused:
        save(world, rule(world, name="另一条"), seen=seen)
    assert str(world.command) in str(refused.value)
    move(world, key)
    seen = shown_table().stamp
    put(world)
    for verb in (rule_table.put_in_force, rule_table.throw_away):
        with pytest.raises(Conflict):
            verb(seen=seen, actor=world.command)


def test_only_keepers_of_the_rules_change_them(world, rules):
    with pytest.raises(NotAllowed):
        save(world, rule(world), actor=world.town_admin)
    with pytest.raises(NotAllowed):
        rule_table.put_in_force(seen=shown_table().stamp, actor=world.leader)


def test_nothing_is_routed_to_villages_that_they_do_not_do(world, rules):
    with pytest.raises(Invalid) as refused:
        save(world, rule(world, category=world.road, owner_kind=OwnerKind.GRID, department=None))
    assert world.road.code in str(refused.value.errors["owner_kind"][0])


def test_rules_that_are_never_reached_are_said(world, rules):
    first, last = in_force()
    hidden = rule(world, category=world.rubbish)
    hidden.key, hidden.position, last.position = "n1", 3, 2
    said = notes([first, last, hidden])
    assert "其余归主管" in said["n1"][0]
    assert said[last.key] == []
    narrower = rule(world, category=world.rubbish)
    narrower.key, narrower.position = "n2", 2
    # A case without a grid still falls through a rule for the grid.
    assert "第 1 条" in notes([first, narrower])["n2"][0]


def test_a_night_rule_hides_only_what_lies_inside_its_hours(world):
    hours = [("20:00", "07:00"), ("22:00", "06:00"), ("06:00", "09:00")]
    found = []
    for position, (start, end) in enumerate(hours, 1):
        one = RoutingRule.objects.create(
            position=position,
            name=f"夜{position}",
            from_time=start,
            to_time=end,
            owner_kind=OwnerKind.PERSON,
        )
        found.append(one)
    said = notes(in_force())
    assert [bool(said[str(one.pk)]) for one in found] == [False, True, False]


def test_the_shipped_rules_pass_their_own_examples(world, capsys):
    load_catalogue(county=world.county)
    call_command("check_rules")
    out = capsys.readouterr().out
    assert out.count("✓") == 17
    assert "永远用不到" not in out


def test_examples_cost_the_same_however_many_rules(world, rules, django_assert_max_num_queries):
    load_catalogue(county=world.county)
    table = in_force() * 3
    # Five, and one for the county and each of the two towns that rules and examples name.
    with django_assert_max_num_queries(8):
        rule_trials.try_examples(table)


def test_the_preview_says_what_would_have_gone_elsewhere_and_writes_nothing(
    world, rules, django_assert_max_num_queries
):
    wet, dry = dispatch(world, "河里漂着垃圾"), dispatch(world, "村口垃圾堆着")
    old = dispatch(world, "河里也有垃圾")
    old.reported_at = timezone.now() - timedelta(days=31)
    old.save(update_fields=["reported_at"])
    move(world, save(world, rule(world)))
    table, scope = shown_table().rules, Scope.for_user(world.command)
    before = Event.objects.count()
    with django_assert_max_num_queries(8):
        found = rule_trials.preview(table, user=world.command, scope=scope)
    assert (found.reported, found.looked_at, found.elsewhere) == (2, 2, 1)
    assert [(one.incident, one.after) for one in found.cases] == [(wet, "水利局")]
    assert found.moves == [("所在网格", "水利局", 1)]
    assert Event.objects.count() == before
    assert dry.owner == world.grid


def test_of_many_cases_an_even_sample_is_tried(world, rules, monkeypatch):
    for _n in range(6):
        dispatch(world, "村口垃圾堆着")
    monkeypatch.setattr(rule_trials, "MOST", 3)
    scope = Scope.for_user(world.command)
    found = rule_trials.preview(in_force(), user=world.command, scope=scope)
    assert (found.reported, found.every, found.looked_at) == (6, 2, 3)


def test_whoever_keeps_the_system_sees_figures_but_no_case(world, rules):
    case = dispatch(world, "河里漂着垃圾")
    move(world, save(world, rule(world)))
    keeper = as_(person(Role.SYSTEM_ADMIN, world.county))
    page = keeper.get(reverse("rules_preview"))
    assert page.context["found"].elsewhere == 1
    assert case.tracking_code not in page.content.decode()
    assert case.tracking_code in as_(world.command).get(reverse("rules_preview")).content.decode()


def typed(response, **changes):
    form = response.context["form"]
    data = {field.html_name: field.value() for field in form}
    data["seen"] = response.context["seen"]
    return {name: value for name, value in data.items() if value not in (None, False)} | changes


def test_a_rule_is_typed_saved_and_put_in_force_on_the_pages(world, rules, command):
    new = reverse("rule", args=["new"])
    data = typed(
        command.get(new),
        name="河里的垃圾归水利",
        words="河，渠",
        owner_kind="department",
        department=world.water.pk,
        example0_text="渠里全是垃圾",
        example0_category=world.rubbish.pk,
        example0_target=f"department:{world.water.pk}",
    )
    assert command.post(new, data).status_code == 302
    key = shown_table().rules[1].key
    # Somebody else saved in between: what was typed is shown again with the reason.
    again = command.post(new, data)
    assert again.status_code == 409
    assert again.context["form"]["name"].value() == "河里的垃圾归水利"
    assert "渠里全是垃圾" in command.get(reverse("rules")).content.decode()
    refused = command.post(reverse("rules_put"), {"seen": shown_table().stamp})
    assert refused.status_code == 400
    assert "第 1 条规则“垃圾归网格”先命中" in refused.content.decode()
    seen = {"seen": shown_table().stamp}
    moved = command.post(reverse("rule_do", args=[key, "up"]), seen, headers={"HX-Request": "true"})
    assert b"<html" not in moved.content
    assert command.post(reverse("rules_put"), {"seen": shown_table().stamp}).status_code == 302
    assert names()[0] == "河里的垃圾归水利"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"owner_kind": "department"},
        {"from_time": "20:00"},
        {"area": "没有这个地方"},
        {"example0_text": "没有去处"},
        {"example0_target": "grid"},
        {"valid_from": "2026-05-02", "valid_to": "2026-05-01"},
    ],
)
def test_what_makes_no_sense_is_refused_and_stays_typed(world, rules, command, wrong):
    new = reverse("rule", args=["new"])
    answer = command.post(new, typed(command.get(new), name="规则", owner_kind="person") | wrong)
    assert answer.status_code == 422
    assert not RuleTable.objects.exists()


def test_a_rule_is_switched_off_and_taken_out(world, rules, command):
    first, last = rules
    for key, act in ((first.key, "off"), (last.key, "remove")):
        seen = {"seen": shown_table().stamp}
        assert command.post(reverse("rule_do", args=[key, act]), seen).status_code == 302
    put(world)
    assert [one.active for one in in_force()] == [False]
    assert dispatch(world, "村口垃圾堆着").owner is None


def test_a_draft_is_thrown_away(world, rules, command):
    save(world, rule(world))
    command.post(reverse("rules_throw_away"), {"seen": shown_table().stamp})
    assert shown_table().draft is None
    assert names() == ["垃圾归网格", "其余归主管"]


def test_a_class_of_which_some_items_are_not_the_villages_says_so(world, rules):
    category(world.city, major=world.rubbish.major, village_allowed=False, name="井盖缺损")
    one = rule(world, major=world.rubbish.major, owner_kind="grid", department=None)
    key = save(world, one)
    assert any("井盖缺损" in line for line in notes(shown_table().rules)[key])
