"""The routing table as its keepers see it: in force, as a draft, as it once was.

What must not live here: changing it (services/rule_table.py) and trying it out
(services/rule_trials.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from grids.models import SHAPES, Area, Department
from incidents.models import Category, OwnerKind, RoutingRule, RuleTable

# What a rule says, apart from its place in the table, whether it is on, and its examples.
SAYS = (
    *("name", "valid_from", "valid_to", "category", "major", "words", "area", "tier", "source"),
    *("weekdays", "from_time", "to_time", "owner_kind", "department"),
)
KEPT = 10


@dataclass(frozen=True)
class Shown:
    """The table as it stands on the page: the draft where there is one, else the one in force.

    ``stamp`` names this very state; a change must name the state it was made on.
    """

    rules: list[RoutingRule]
    data: list[dict[str, Any]]
    number: int
    stamp: str
    draft: RuleTable | None = None


def current_number() -> int:
    """Return the number of the table in force; 0 before the first was put in force (1 query)."""
    newest = RuleTable.objects.filter(number__isnull=False).order_by("-number")
    return newest.values_list("number", flat=True).first() or 0


def shown_table() -> Shown:
    """Return the draft, or the table in force (≤ 5 queries)."""
    draft = RuleTable.objects.filter(number__isnull=True).select_related("made_by").first()
    number = current_number()
    if draft is None:
        rules = in_force()
        return Shown(rules, [as_data(rule) for rule in rules], number, f"{number}")
    stamp = f"{number}.{int(draft.made_at.timestamp() * 1_000_000)}"
    return Shown(from_data(draft.rules), draft.rules, number, stamp, draft)


def in_force() -> list[RoutingRule]:
    """Return the table as it decides today, rules that are off among them (1 query)."""
    rows = RoutingRule.objects.select_related("area", "department", "category")
    rules = list(rows.defer(*(f"area__{shape}" for shape in SHAPES)))
    for rule in rules:
        rule.key = str(rule.pk)
    return rules


def past_tables() -> list[RuleTable]:
    """Return the newest tables that were put in force, newest first (1 query)."""
    rows = RuleTable.objects.filter(number__isnull=False).select_related("made_by")
    return list(rows.order_by("-number")[: KEPT + 1])


def as_data(rule: RoutingRule) -> dict[str, Any]:
    """Return a rule as it is kept in drafts and past tables, ready for JSON."""
    return {
        "key": rule.key,
        "version": rule.version,
        "active": rule.active,
        "name": rule.name,
        "valid_from": rule.valid_from.isoformat() if rule.valid_from else None,
        "valid_to": rule.valid_to.isoformat() if rule.valid_to else None,
        "category": rule.category_id,
        "major": rule.major,
        "words": list(rule.words),
        "area": rule.area_id,
        "tier": rule.tier,
        "source": rule.source,
        "weekdays": rule.weekdays,
        "from_time": f"{rule.from_time:%H:%M}" if rule.from_time else None,
        "to_time": f"{rule.to_time:%H:%M}" if rule.to_time else None,
        "owner_kind": rule.owner_kind,
        "department": rule.department_id,
        "examples": rule.examples,
    }


def from_data(rows: Sequence[Mapping[str, Any]]) -> list[RoutingRule]:
    """Return unsaved rules as kept, in order, with what they name (3 queries)."""

    def named(name: str) -> set[int]:
        return {row[name] for row in rows if row[name]}

    categories = Category.objects.in_bulk(named("category"))
    areas = Area.objects.defer(*SHAPES).in_bulk(named("area"))
    departments = Department.objects.in_bulk(named("department"))
    rules = []
    for position, row in enumerate(rows, 1):
        rule = RoutingRule(
            position=position,
            version=row["version"],
            active=row["active"],
            name=row["name"],
            valid_from=row["valid_from"] and date.fromisoformat(row["valid_from"]),
            valid_to=row["valid_to"] and date.fromisoformat(row["valid_to"]),
            category=categories.get(row["category"]),
            major=row["major"],
            words=row["words"],
            area=areas.get(row["area"]),
            tier=row["tier"],
            source=row["source"],
            weekdays=row["weekdays"],
            from_time=row["from_time"] and time.fromisoformat(row["from_time"]),
            to_time=row["to_time"] and time.fromisoformat(row["to_time"]),
            owner_kind=row["owner_kind"],
            department=departments.get(row["department"]),
            examples=row["examples"],
        )
        rule.key = row["key"]
        rule.pk = int(rule.key) if rule.key.isdecimal() else None
        rules.append(rule)
    return rules


def says_another(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two states of a rule do not say the same."""
    return any(one[name] != other[name] for name in SAYS)


def changes(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what differs between two tables, one line each, rules by their names."""
    old = {row["key"]: row for row in before}
    new = {row["key"]: row for row in after}
    lines = [_("removed: %(rule)s") % {"rule": old[key]["name"]} for key in old if key not in new]
    for key, row in new.items():
        was = old.get(key)
        if was is None:
            lines.append(_("new: %(rule)s") % {"rule": row["name"]})
        elif says_another(was, row):
            lines.append(_("changed: %(rule)s") % {"rule": row["name"]})
        elif was["examples"] != row["examples"]:
            lines.append(_("other examples: %(rule)s") % {"rule": row["name"]})
        if was is not None and was["active"] != row["active"]:
            word = _("switched on: %(rule)s") if row["active"] else _("switched off: %(rule)s")
            lines.append(word % {"rule": row["name"]})
    both = [key for key in old if key in new]
    if both != [key for key in new if key in old]:
        lines.append(_("in another order"))
    return lines


def notes(rules: Sequence[RoutingRule], *, today: date | None = None) -> dict[str, list[str]]:
    """Return by key what is odd about a rule: never reached, over, not on the villages' list."""
    today = today or timezone.localdate()
    majors = _majors_of_villages(rules)
    found: dict[str, list[str]] = {}
    for at, rule in enumerate(rules):
        lines = found.setdefault(rule.key, [])
        if rule.valid_to and rule.valid_to <= today:
            lines.append(_("No longer in force: it decides nothing."))
        elif rule.active:
            lines += _hidden_by(rules[:at], rule, today)
        if left_out := majors.get(rule.key):
            lines.append(
                _("Not on the list of what villages do, so passed over here: %(items)s")
                % {"items": "、".join(left_out)}
            )
    return found


def _hidden_by(before: Sequence[RoutingRule], rule: RoutingRule, today: date) -> list[str]:
    takers = [other for other in before if other.active and _takes_all_of(other, rule, today)]
    sure = [other for other in takers if other.owner_kind not in _MAY_FAIL]
    for other in sure or takers:
        told = {"n": other.position, "rule": other.name}
        if sure:
            return [_("Never reached: rule %(n)s “%(rule)s” hides it.") % told]
        return [_("Only reached where rule %(n)s “%(rule)s” cannot be carried out.") % told]
    return []


# Targets a case may not have, or may not go to: it falls to the next rule then.
_MAY_FAIL = frozenset({OwnerKind.GRID, OwnerKind.VILLAGE, OwnerKind.TOWN})


def _takes_all_of(one: RoutingRule, other: RoutingRule, today: date) -> bool:
    """Return whether every case that meets ``other`` meets ``one`` as well."""
    theirs = other.category
    return (
        (not one.valid_from or one.valid_from <= max(today, other.valid_from or today))
        and (not one.valid_to or bool(other.valid_to and other.valid_to <= one.valid_to))
        and (not one.category_id or one.category_id == other.category_id)
        and (not one.major or one.major in {other.major, theirs.major if theirs else ""})
        and (not one.tier or one.tier == other.tier)
        and (not one.source or one.source == other.source)
        and (not one.area or bool(other.area and other.area.path.startswith(one.area.path)))
        and (not one.weekdays or bool(other.weekdays and set(other.weekdays) <= set(one.weekdays)))
        and _takes_words(one.words, other.words)
        and _takes_hours(one, other)
    )


def _takes_words(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    if not ours:
        return True
    return bool(theirs) and all(any(word in longer for word in ours) for longer in theirs)


def _takes_hours(one: RoutingRule, other: RoutingRule) -> bool:
    if one.from_time is None or one.to_time is None:
        return True
    if other.from_time is None or other.to_time is None:
        return False
    day = 24 * 60

    def span(start: time, end: time) -> tuple[int, int]:
        begins, length = start.hour * 60 + start.minute, 0
        length = (end.hour * 60 + end.minute - begins) % day
        return begins, length

    begins, length = span(one.from_time, one.to_time)
    theirs, their_length = span(other.from_time, other.to_time)
    return (theirs - begins) % day + their_length <= length


def _majors_of_villages(rules: Iterable[RoutingRule]) -> dict[str, list[str]]:
    """Return by key which items of a rule's class villages do not do (≤ 1 query)."""
    concerned = [
        rule
        for rule in rules
        if rule.active
        and rule.major
        and not rule.category_id
        and rule.owner_kind in {OwnerKind.GRID, OwnerKind.VILLAGE}
    ]
    if not concerned:
        return {}
    rows = Category.objects.filter(
        active=True, village_allowed=False, major__in={rule.major for rule in concerned}
    )
    kept = list(rows)
    return {
        rule.key: [
            row.label
            for row in kept
            if row.major == rule.major and (not rule.tier or row.tier == rule.tier)
        ]
        for rule in concerned
    }


def target_choices() -> list[tuple[str, str]]:
    """Return what an example may expect, as (token, words) (1 query)."""
    places = [
        ("grid", _("the grid of the place")),
        ("village", _("the village or community of the place")),
        ("town", _("the town of the place")),
        ("person", _("a dispatcher, who decides")),
    ]
    departments = Department.objects.filter(active=True).order_by("code")
    return [*places, *((f"department:{row.pk}", row.label) for row in departments)]
