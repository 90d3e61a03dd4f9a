"""Routing rules: ordered data, first match wins, every decision explained.

A rule that errors is skipped, and both the timeline and the rule itself show it. What must not
live here: changing the table (rule_table.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from grids.models import Area, Department, Level
from incidents import rule_words
from incidents.models import Incident, OwnerKind, RoutingRule
from incidents.services.step import background_row
from incidents.workflow import SYSTEM

VILLAGE_KINDS = frozenset({OwnerKind.GRID, OwnerKind.VILLAGE})


class RuleError(Exception):
    """A rule matched but cannot be carried out; the text says why."""


@dataclass
class Decision:
    """Where the rules send a case: at most one owner, and what each rule said.

    ``explanation`` rows: {"rule", "version", "position", "outcome": "matched" | "passed" |
    "error", "why"}, and "because" of the one that matched: copies, which no change of a rule
    rewrites. ``rule`` is the one that matched.
    """

    department: Department | None = None
    area: Area | None = None
    rule: RoutingRule | None = None
    explanation: list[dict] = field(default_factory=list)

    @property
    def owner(self) -> Department | Area | None:
        """The owner decided on, if any."""
        return self.department or self.area


def rules_in_force() -> list[RoutingRule]:
    """Return the rules that are on, in order (1 query)."""
    rows = RoutingRule.objects.filter(active=True)
    return list(rows.select_related("area", "department", "category"))


def decide(
    incident: Incident,
    *,
    rules: Iterable[RoutingRule] | None = None,
    now: datetime | None = None,
    record_errors: bool = True,
    explain: bool = True,
) -> Decision:
    """Return the first matching rule's owner for a triaged case (2–3 queries).

    ``rules`` instead of those in force tries others; nothing is written about them then.
    ``explain`` left out, only the owner is found, which is quicker.
    """
    now = timezone.localtime(now or timezone.now())
    decision = Decision()
    record_errors = record_errors and rules is None
    for rule in rules_in_force() if rules is None else rules:
        miss = mismatch(rule, incident, now)
        if miss is not None:
            if explain:
                decision.explanation.append(_row(rule, "passed", str(miss)))
            continue
        try:
            owner = _owner(rule, incident)
        except RuleError as error:
            decision.explanation.append(_row(rule, "error", str(error)))
            if record_errors:
                RoutingRule.objects.filter(pk=rule.pk).update(
                    last_error=str(error)[:300], last_error_at=now
                )
            continue
        decision.rule = rule
        if explain:
            why = str(owner or _("left to a dispatcher"))
            row = _row(rule, "matched", why) | {"because": rule_words.because(rule)}
            decision.explanation.append(row)
        if isinstance(owner, Department):
            decision.department = owner
        else:
            decision.area = owner
        return decision
    return decision


def _row(rule: RoutingRule, outcome: str, why: str) -> dict:
    return {
        "rule": rule.name,
        "version": rule.version,
        "position": rule.position,
        "outcome": outcome,
        "why": why,
    }


# Why a rule does not apply. Lazy: a preview asks thousands of times and reads none of them.
_NOT_IN_FORCE_YET = gettext_lazy("not in force yet")
_NO_LONGER_IN_FORCE = gettext_lazy("no longer in force")
_OTHER_CATEGORY = gettext_lazy("another category")
_OTHER_MAJOR_CLASS = gettext_lazy("another major class")
_OTHER_WORDS = gettext_lazy("other words")
_OTHER_AREA = gettext_lazy("another area")
_OTHER_TIER = gettext_lazy("another tier")
_OTHER_SOURCE = gettext_lazy("another source")
_OTHER_WEEKDAY = gettext_lazy("another weekday")
_OTHER_TIME = gettext_lazy("another time of day")


def mismatch(rule: RoutingRule, incident: Incident, now: datetime) -> object | None:
    """Return why the rule does not apply, None when it does. ``now`` is local time."""
    if rule.valid_from and now.date() < rule.valid_from:
        return _NOT_IN_FORCE_YET
    if rule.valid_to and now.date() >= rule.valid_to:
        return _NO_LONGER_IN_FORCE
    if rule.category_id and rule.category_id != incident.category_id:
        return _OTHER_CATEGORY
    if rule.major and (not incident.category or rule.major != incident.category.major):
        return _OTHER_MAJOR_CLASS
    if rule.words and not any(word in incident.text for word in rule.words):
        return _OTHER_WORDS
    if rule.area and not incident.area.path.startswith(rule.area.path):
        return _OTHER_AREA
    if rule.tier and rule.tier != incident.tier:
        return _OTHER_TIER
    if rule.source and rule.source != incident.source:
        return _OTHER_SOURCE
    if rule.weekdays and str(now.isoweekday()) not in rule.weekdays:
        return _OTHER_WEEKDAY
    start, end = rule.from_time, rule.to_time
    if start is not None and end is not None and not _within(start, end, now.time()):
        return _OTHER_TIME
    return None


def _within(start: time, end: time, moment: time) -> bool:
    """Return whether a time lies in a span that may cross midnight."""
    if start <= end:
        return start <= moment < end
    return moment >= start or moment < end


def _owner(rule: RoutingRule, incident: Incident) -> Department | Area | None:
    if rule.owner_kind == OwnerKind.PERSON:
        return None
    if rule.owner_kind in {OwnerKind.DEPARTMENT, OwnerKind.CATEGORY_OWNER}:
        department = (
            rule.department
            if rule.owner_kind == OwnerKind.DEPARTMENT
            else incident.category.owner
            if incident.category
            else None
        )
        if department is None:
            raise RuleError(_("the case has no category, so no department follows from it"))
        if not department.active:
            raise RuleError(_("the department is closed"))
        return department
    level = {
        OwnerKind.GRID: Level.GRID,
        OwnerKind.VILLAGE: Level.VILLAGE,
        OwnerKind.TOWN: Level.TOWN,
    }[OwnerKind(rule.owner_kind)]
    area = getattr(incident, level)
    if area is None:
        raise RuleError(_("the case has no %(level)s yet") % {"level": level.label})
    if area.closed_on:
        raise RuleError(_("the area is closed"))
    if rule.owner_kind in VILLAGE_KINDS and not (
        incident.category and incident.category.village_allowed
    ):
        raise RuleError(_("the category is not on the list of what villages do"))
    return area


def tell_undecided(incident: Incident, decision: Decision) -> None:
    """Put an undecided routing on the timeline; the caller holds the case's lock."""
    with background_row(
        incident=incident, action="route", actor=SYSTEM, now=timezone.now()
    ) as case:
        case.data = {"explanation": decision.explanation}
        case.tell_command("to_dispatch")
