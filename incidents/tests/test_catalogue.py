"""Loading the catalogue: whole, repeatable, and with deadlines as versions."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.errors import Invalid
from grids.factories import small_county
from grids.models import Department
from incidents.models import (
    Article,
    Category,
    Deadline,
    DeadlineVersion,
    RoutingRule,
    Stage,
    TriageExample,
)
from incidents.services import catalogue, clocks
from incidents.services.catalogue import Term, load_catalogue, set_deadlines

pytestmark = pytest.mark.django_db


@pytest.fixture
def county():
    return small_county().county


def test_the_shipped_catalogue_is_large_enough_for_a_county(county):
    load_catalogue(county=county)
    assert Department.objects.count() >= 11
    assert Category.objects.count() >= 55
    for category in Category.objects.all():
        stages = set(
            Deadline.objects.filter(version__category=category, name="").values_list(
                "stage", flat=True
            )
        )
        assert stages >= {"accept", "arrive", "respond", "resolve", "verify"}, category.code


def test_the_county_has_deadlines_of_its_own_for_every_stage(county):
    load_catalogue(county=county)
    own = clocks.current_version(None, on=timezone.now())
    assert set(own.deadlines.values_list("stage", flat=True)) == set(Stage.values)


def test_articles_are_found_by_words_and_name_their_source(county):
    load_catalogue(county=county)
    for article in Article.objects.all():
        assert article.bigrams
        assert article.source


def test_loading_twice_changes_nothing(county):
    def state():
        return [
            sorted(model.objects.values_list(*fields))
            for model, fields in (
                (Department, ["pk", "code", "name"]),
                (Category, ["pk", "code", "owner_id", "tier"]),
                (DeadlineVersion, ["pk", "category_id", "version"]),
                (Deadline, ["pk", "stage", "amount", "unit"]),
                (RoutingRule, ["pk", "position", "name"]),
                (Article, ["pk", "code"]),
                (TriageExample, ["text", "category_id"]),
            )
        ]

    load_catalogue(county=county)
    before = state()
    assert load_catalogue(county=county).new_versions == 0
    assert state() == before


def test_changed_deadlines_become_a_new_version_and_the_old_one_stays(
    county, tmp_path, monkeypatch
):
    load_catalogue(county=county)
    for file in catalogue.DATA.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    data = json.loads((tmp_path / "catalogue.json").read_text(encoding="utf-8"))
    changed = data["categories"][0]
    changed["deadlines"]["respond"] = {"amount": 9, "unit": "calendar_days"}
    (tmp_path / "catalogue.json").write_text(json.dumps(data), encoding="utf-8")
    monkeypatch.setattr(catalogue, "DATA", tmp_path)
    item = Category.objects.get(code=changed["code"])
    old = clocks.current_version(item, on=timezone.now())
    assert load_catalogue(county=county).new_versions == 1
    new = clocks.current_version(item, on=timezone.now())
    assert (old.version, new.version) == (1, 2)
    assert new.deadlines.get(stage="respond").amount == 9
    assert old.deadlines.get(stage="respond").amount != 9


def test_the_routing_table_is_the_countys_own_once_it_is_there(county):
    load_catalogue(county=county)
    RoutingRule.objects.exclude(position=1).delete()
    load_catalogue(county=county)
    assert RoutingRule.objects.count() == 1


def test_the_last_rule_leaves_the_rest_to_a_dispatcher(county):
    load_catalogue(county=county)
    last = RoutingRule.objects.last()
    assert last.owner_kind == "person"
    assert not any([last.category, last.major, last.tier, last.source, last.area])


def test_rules_for_villages_name_only_what_villages_do(county):
    load_catalogue(county=county)
    for rule in RoutingRule.objects.filter(owner_kind__in=["grid", "village"]):
        items = Category.objects.filter(tier="local")
        items = items.filter(pk=rule.category_id) if rule.category else items
        items = items.filter(major=rule.major) if rule.major else items
        assert not items.filter(village_allowed=False).exists(), rule.name


def test_a_new_version_of_deadlines_takes_effect_on_its_day(county):
    load_catalogue(county=county)
    item = Category.objects.first()
    today = timezone.localdate()
    later = set_deadlines(
        category=item,
        terms=[Term("respond", 3, "working_days")],
        valid_from=today.replace(year=today.year + 1),
        actor=None,
    )
    assert later.version == 2
    assert clocks.current_version(item, on=timezone.now()).version == 1


@pytest.mark.parametrize(
    "terms",
    [
        [],
        [Term("respond", 0, "working_days")],
        [Term("respond", 1, "working_days"), Term("respond", 2, "working_days")],
    ],
)
def test_deadlines_that_say_nothing_are_refused(county, terms):
    load_catalogue(county=county)
    with pytest.raises(Invalid):
        set_deadlines(
            category=Category.objects.first(),
            terms=terms,
            actor=None,
        )


def test_the_command_says_what_is_missing_without_a_county():
    with pytest.raises(CommandError):
        call_command("load_catalogue")
