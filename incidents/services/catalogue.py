"""Loading the catalogue that comes with the product: departments, items, deadlines, texts.

What lives here: the loader and the one way deadlines change, as a new version. What must
not: wording (incidents/data) and what a deadline does to a case (clocks.py).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from core.errors import Invalid
from core.services import audit
from core.working_calendar import Unit
from grids.models import Area, Department, User
from grids.services.care import load_care
from grids.services.worker_file import load_negative_list
from incidents.models import (
    Article,
    Category,
    Deadline,
    DeadlineVersion,
    Ladder,
    LadderRung,
    RetentionRule,
    RoutingRule,
    Stage,
    TriageExample,
)
from incidents.models.ladder import Rung
from incidents.services.knowledge import article_words

DATA = Path(__file__).resolve().parent.parent / "data"
# The first version of an item has nothing before it, so it holds for older cases too.
FIRST_VALID_FROM = date(2020, 1, 1)
SHIPPED = "shipped"


@dataclass(frozen=True)
class Term:
    """One deadline: ``amount`` of ``unit`` for a stage, or for a named part of it."""

    stage: str
    amount: int
    unit: str
    name: str = ""


# What holds where an item says nothing; a reply within 5 working days is the county's promise.
COUNTY_TERMS = (
    Term(Stage.TRIAGE, 4, Unit.CALENDAR_HOURS),
    Term(Stage.ACCEPT, 1, Unit.WORKING_DAYS),
    Term(Stage.ARRIVE, 2, Unit.WORKING_DAYS),
    Term(Stage.RESPOND, 4, Unit.WORKING_DAYS),
    Term(Stage.RESOLVE, 5, Unit.WORKING_DAYS),
    Term(Stage.VERIFY, 2, Unit.WORKING_DAYS),
    Term(Stage.CALLBACK, 7, Unit.CALENDAR_DAYS),
)
# How long each rung of the ladder has before a late case climbs on.
COUNTY_CLIMB = (1, Unit.WORKING_DAYS)


@dataclass(frozen=True)
class Loaded:
    """How many of each the catalogue holds now, and how many deadline sets were new."""

    departments: int
    categories: int
    new_versions: int
    articles: int
    examples: int
    rules: int


@transaction.atomic
def load_catalogue(*, county: Area, actor: User | None = None) -> Loaded:
    """Bring the catalogue to what the shipped files say. Safe to repeat.

    Departments, items and articles are matched by code. Deadlines that differ become a new
    version, so cases under way keep theirs. The routing table and the retention rules are only
    filled when they are empty: from then on they are the county's own. ~16 queries.
    """
    data = _read("catalogue.json")
    departments = _load_departments(data["departments"], county)
    categories = _load_categories(data["categories"], departments)
    new_versions = _load_deadlines(data["categories"], categories)
    _load_ladders(data["categories"], categories)
    articles = _load_articles(_read("knowledge.json"), categories)
    examples = _load_examples(_read("examples.json"), categories)
    rules = _load_rules(_read("routing.json"), categories, departments, county)
    ruled = set(RetentionRule.objects.values_list("what", flat=True))
    RetentionRule.objects.bulk_create(
        RetentionRule(**row) for row in _read("retention.json") if row["what"] not in ruled
    )
    load_care(county=county)
    load_negative_list()
    loaded = Loaded(
        departments=len(departments),
        categories=len(categories),
        new_versions=new_versions,
        articles=articles,
        examples=examples,
        rules=rules,
    )
    audit.record(
        actor=actor,
        action="catalogue.load",
        subject_type="area",
        subject_id=county.pk,
        data=vars(loaded),
    )
    return loaded


def set_deadlines(
    *,
    category: Category | None,
    terms: Iterable[Term],
    actor: User | None,
    valid_from: date | None = None,
    more: tuple[int, str] | None = None,
) -> DeadlineVersion:
    """Write a new version of an item's deadlines (None: the county's own).

    ``more`` is what all extensions of a case together may add at most, as (amount, unit).
    Cases already dispatched keep the version they have. Raises Invalid for no deadline at
    all, the same stage twice, or a time of nothing.
    """
    terms = list(terms)
    if not terms:
        raise Invalid(field="deadlines")
    if len({(term.stage, term.name) for term in terms}) != len(terms):
        raise Invalid(field="deadlines")
    if any(term.amount < 1 for term in terms):
        raise Invalid(field="deadlines")
    if more is not None and (more[0] < 1 or more[1] not in Unit.values):
        raise Invalid(field="more_amount")
    with transaction.atomic():
        # Serialises two administrators: the version number is the next one for both.
        list(
            DeadlineVersion.objects.select_for_update(of=("self",))
            .filter(category=category)
            .order_by("pk")
        )
        newest = DeadlineVersion.objects.filter(category=category).order_by("-version").first()
        version = DeadlineVersion.objects.create(
            category=category,
            version=newest.version + 1 if newest else 1,
            valid_from=valid_from or timezone.localdate(),
            more_amount=more[0] if more else None,
            more_unit=more[1] if more else "",
        )
        _write_terms([(version, terms)])
        audit.record(
            actor=actor,
            action="catalogue.deadlines",
            subject_type="category",
            subject_id=category.pk if category else None,
            data={"version": version.version},
        )
    return version


def _read(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def _load_departments(rows: Sequence[dict], county: Area) -> dict[str, Department]:
    Department.objects.bulk_create(
        [
            Department(
                code=row["code"],
                name=row["name"],
                name_en=row["name_en"],
                short_name=row["short"],
                county=county,
            )
            for row in rows
        ],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["name", "name_en", "short_name"],
    )
    return {d.code: d for d in Department.objects.filter(code__in=[row["code"] for row in rows])}


_CATEGORY_FIELDS = (
    "name",
    "name_en",
    "major",
    "major_en",
    "description",
    "tier",
    "village_allowed",
    "ai_allowed",
    "is_question",
    "urgent",
    "road",
    "keywords",
)


def _load_categories(
    rows: Sequence[dict], departments: dict[str, Department]
) -> dict[str, Category]:
    Category.objects.bulk_create(
        [
            Category(
                code=row["code"],
                owner=departments[row["owner"]],
                road_note=row["road_text"],
                publication=row.get("publication", ""),
                photo_on_answer=row.get("photo_on_answer", False),
                **{name: row[name] for name in _CATEGORY_FIELDS},
            )
            for row in rows
        ],
        update_conflicts=True,
        unique_fields=["code"],
        # Not what is published, nor which answers need a photo: that is the county's own.
        update_fields=[*_CATEGORY_FIELDS, "owner", "road_note"],
    )
    codes = [row["code"] for row in rows]
    return {c.code: c for c in Category.objects.filter(code__in=codes)}


def _load_deadlines(rows: Sequence[dict], categories: dict[str, Category]) -> int:
    """Write a version for each item whose deadlines differ from its newest; return how many."""
    wanted: dict[int | None, list[Term]] = {None: list(COUNTY_TERMS)}
    more: dict[int | None, tuple[int, str]] = {}
    for row in rows:
        pk = categories[row["code"]].pk
        wanted[pk] = _terms_of(row)
        if "more" in row:
            more[pk] = (row["more"]["amount"], row["more"]["unit"])
    newest: dict[int | None, DeadlineVersion] = {}
    for version in DeadlineVersion.objects.order_by("version").prefetch_related("deadlines"):
        newest[version.category_id] = version
    changed = []
    for category_id, terms in wanted.items():
        last = newest.get(category_id)
        amount, unit = more.get(category_id, (None, ""))
        if last is None or _content(last) != set(terms) or _capped(last, amount, unit):
            version = DeadlineVersion(
                category_id=category_id,
                version=last.version + 1 if last else 1,
                valid_from=timezone.localdate() if last else FIRST_VALID_FROM,
                more_amount=amount,
                more_unit=unit,
            )
            changed.append((version, terms))
    DeadlineVersion.objects.bulk_create([version for version, _terms in changed])
    _write_terms(changed)
    return len(changed)


def _capped(version: DeadlineVersion, amount: int | None, unit: str) -> bool:
    """Whether the shipped files cap extensions otherwise; where they do not, the county may."""
    return amount is not None and (version.more_amount, version.more_unit) != (amount, unit)


def _content(version: DeadlineVersion) -> set[Term]:
    return {Term(d.stage, d.amount, d.unit, d.name) for d in version.deadlines.all()}


def _terms_of(row: dict) -> list[Term]:
    terms = [Term(stage, **deadline) for stage, deadline in row["deadlines"].items()]
    terms += [
        Term(part["stage"], **part["deadline"], name=part["name"])
        for part in row.get("sub_stages", ())
    ]
    return terms


def _load_ladders(rows: Sequence[dict], categories: dict[str, Category]) -> None:
    """Give the county and its urgent items a ladder, where the county has not made its own."""
    wanted: dict[int | None, tuple[int, str]] = {None: COUNTY_CLIMB}
    for row in rows:
        if row["road"] == "emergency":
            wanted[categories[row["code"]].pk] = (1, Unit.CALENDAR_HOURS)
        elif row["urgent"]:
            wanted[categories[row["code"]].pk] = (4, Unit.WORKING_HOURS)
    made = set(Ladder.objects.filter(tier="").values_list("category_id", flat=True))
    ladders = Ladder.objects.bulk_create(
        Ladder(category_id=category_id, version=1, valid_from=FIRST_VALID_FROM)
        for category_id in wanted
        if category_id not in made
    )
    LadderRung.objects.bulk_create(
        LadderRung(ladder=ladder, rung=rung, amount=amount, unit=unit)
        for ladder in ladders
        for amount, unit in [wanted[ladder.category_id]]
        for rung in Rung.values
    )


def _write_terms(versions: Iterable[tuple[DeadlineVersion, Iterable[Term]]]) -> None:
    Deadline.objects.bulk_create(
        Deadline(
            version=version, stage=term.stage, name=term.name, amount=term.amount, unit=term.unit
        )
        for version, terms in versions
        for term in terms
    )


def _load_articles(rows: Sequence[dict], categories: dict[str, Category]) -> int:
    articles = [
        Article(
            code=row["code"],
            title=row["title"],
            title_en=row.get("title_en", ""),
            body=row["body"],
            source=row["source"],
            published_on=row["published_on"],
            keywords=row["keywords"],
            category=categories.get(row.get("category", "")),
        )
        for row in rows
    ]
    for article in articles:
        article.bigrams = article_words(article)
    fields = [
        *("title", "title_en", "body", "source"),
        *("published_on", "keywords", "category", "bigrams"),
    ]
    Article.objects.bulk_create(
        articles, update_conflicts=True, unique_fields=["code"], update_fields=fields
    )
    return len(articles)


def _load_examples(rows: Sequence[dict], categories: dict[str, Category]) -> int:
    TriageExample.objects.filter(source=SHIPPED).delete()
    TriageExample.objects.bulk_create(
        TriageExample(text=row["text"], category=categories[row["category"]], source=SHIPPED)
        for row in rows
    )
    return len(rows)


def _load_rules(
    rows: Sequence[dict],
    categories: dict[str, Category],
    departments: dict[str, Department],
    county: Area,
) -> int:
    """Fill an empty routing table; a rule for a place this county does not have is left out."""
    if RoutingRule.objects.exists():
        return RoutingRule.objects.count()
    named = [row for rule in rows for row in (rule, *rule["examples"]) if "area" in row]
    codes = [county.code + row["area"] for row in named]
    areas = {area.code: area for area in Area.objects.open().filter(code__in=codes)}
    kept = [row for row in rows if "area" not in row or county.code + row["area"] in areas]
    RoutingRule.objects.bulk_create(
        RoutingRule(
            position=number,
            name=row["name"],
            category=categories[row["category"]] if "category" in row else None,
            major=row.get("major", ""),
            area=areas[county.code + row["area"]] if "area" in row else None,
            tier=row.get("tier", ""),
            source=row.get("source", ""),
            from_time=row.get("from_time"),
            to_time=row.get("to_time"),
            owner_kind=row["owner_kind"],
            department=departments[row["department"]] if "department" in row else None,
            examples=[
                _rule_example(one, categories, departments, areas, county)
                for one in row["examples"]
                if "area" not in one or county.code + one["area"] in areas
            ],
        )
        for number, row in enumerate(kept, 1)
    )
    return len(kept)


def _rule_example(
    row: Mapping[str, str],
    categories: Mapping[str, Category],
    departments: Mapping[str, Department],
    areas: Mapping[str, Area],
    county: Area,
) -> dict[str, Any]:
    """Return a shipped example as rules keep it: codes become ids."""
    kind, _colon, code = row["target"].partition(":")
    return {
        "text": row["text"],
        "category": categories[row["category"]].pk,
        "area": areas[county.code + row["area"]].pk if "area" in row else None,
        "time": row.get("time"),
        "target": f"{kind}:{departments[code].pk}" if code else kind,
    }
