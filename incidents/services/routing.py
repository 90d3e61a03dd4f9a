"""Routing rules: ordered data, first match wins, every decision explained.

A rule that errors is skipped, and both the timeline and the rule itself show it.
"""

from dataclasses import dataclass, field
from datetime import datetime, time

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.services import audit
from grids.models import Area, Department, Level, User
from incidents.models import Incident, OwnerKind, RoutingRule
from incidents.services.step import background_row
from incidents.workflow import SYSTEM

VILLAGE_KINDS = frozenset({OwnerKind.GRID, OwnerKind.VILLAGE})


class RuleError(Exception):
    """A rule matched but cannot be carried out; the text says why."""


@dataclass
class Decision:
    """Where the rules send a case: at most one owner, and what each rule said.

    ``explanation`` rows: {"rule", "position", "outcome": "matched" | "passed" | "error", "why"}.
    """

    department: Department | None = None
    area: Area | None = None
    explanation: list[dict] = field(default_factory=list)

    @property
    def owner(self) -> Department | Area | None:
        """The owner decided on, if any."""
        return self.department or self.area


def decide(
    incident: Incident, *, now: datetime | None = None, record_errors: bool = True
) -> Decision:
    """Return the first matching rule's owner for a triaged case (2–3 queries)."""
    now = timezone.localtime(now or timezone.now())
    decision = Decision()
    for rule in RoutingRule.objects.filter(active=True).select_related(
        "area", "department", "category"
    ):
        miss = mismatch(rule, incident, now)
        if miss:
            decision.explanation.append(_row(rule, "passed", miss))
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
        decision.explanation.append(_row(rule, "matched", str(owner or _("left to a dispatcher"))))
        if isinstance(owner, Department):
            decision.department = owner
        else:
            decision.area = owner
        return decision
    return decision


def _row(rule: RoutingRule, outcome: str, why: str) -> dict:
    return {"rule": rule.name, "position": rule.position, "outcome": outcome, "why": why}


def mismatch(rule: RoutingRule, incident: Incident, now: datetime) -> str:
    """Return why the rule does not apply, or "" when it does. ``now`` is local time."""
    if rule.valid_from and now.date() < rule.valid_from:
        return _("not in force yet")
    if rule.valid_to and now.date() >= rule.valid_to:
        return _("no longer in force")
    if rule.category_id and rule.category_id != incident.category_id:
        return _("another category")
    if rule.major and (not incident.category or rule.major != incident.category.major):
        return _("another major class")
    if rule.area and not incident.area.path.startswith(rule.area.path):
        return _("another area")
    if rule.tier and rule.tier != incident.tier:
        return _("another tier")
    if rule.source and rule.source != incident.source:
        return _("another source")
    if rule.weekdays and str(now.isoweekday()) not in rule.weekdays:
        return _("another weekday")
    start, end = rule.from_time, rule.to_time
    if start is not None and end is not None and not _within(start, end, now.time()):
        return _("another time of day")
    return ""


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


def explain(incident: Incident, decision: Decision) -> None:
    """Put an undecided routing on the timeline; the caller holds the case's lock."""
    with background_row(
        incident=incident, action="route", actor=SYSTEM, now=timezone.now()
    ) as case:
        case.data = {"explanation": decision.explanation}
        case.tell_command("to_dispatch")


def move_rule(*, rule_id: int, up: bool, actor: User) -> None:
    """Swap a rule with its neighbour above or below; at the end of the table nothing happens."""
    with transaction.atomic():
        rules = list(RoutingRule.objects.select_for_update().order_by("position"))
        at = next(n for n, rule in enumerate(rules) if rule.pk == rule_id)
        other = at - 1 if up else at + 1
        if not 0 <= other < len(rules):
            return
        mine, theirs = rules[at], rules[other]
        # Positions are unique at every moment: step aside, let the neighbour in, take its place.
        aside = rules[-1].position + 1
        for rule, position in (
            (mine, aside),
            (theirs, mine.position),
            (mine, theirs.position),
        ):
            RoutingRule.objects.filter(pk=rule.pk).update(position=position)
        audit.record(
            actor=actor,
            action="routing_rule.move",
            subject_type="routing_rule",
            subject_id=rule_id,
            data={"from": mine.position, "to": theirs.position},
        )
