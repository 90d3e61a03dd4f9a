"""Which step of a mediation leads where, and who may take it.

What lives here: the transition table and the rights, all pure reading. What must not:
anything that changes a row (services/step.py executes).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from grids.models import Area, Role
from incidents.models import ActorKind
from incidents.workflow import SYSTEM, Actor
from mediation.models import (
    ENDED_STATES,
    LIST_ROLES,
    MEDIATING_STATES,
    SETTLED_STATES,
    STEP_STATES,
    Dispute,
    DisputeState,
)
from mediation.queries import last_session_settled, last_visit_says_performed, named_user_ids

__all__ = ["SYSTEM", "Actor", "Right", "Transition"]


class Right(StrEnum):
    """What a person can be to a dispute."""

    MEDIATOR = "mediator"
    LEADER = "leader"
    NAMER = "namer"
    SYSTEM = "system"


# Those who open the confidential file.
FILE_RIGHTS = frozenset({Right.MEDIATOR, Right.LEADER})

REGISTER_ROLES = LIST_ROLES - {Role.COUNTY_LEADER}


@dataclass(frozen=True)
class Transition:
    """One line of the table. ``target`` None: the service decides, or the state stays."""

    action: str
    label: Any
    sources: frozenset[str]
    target: str | None
    who: frozenset[Right]
    guard: Callable[[Dispute], Any] | None = None

    @property
    def ends(self) -> bool:
        """Whether the mediation ends without agreement by this step."""
        return self.target in {DisputeState.FAILED, DisputeState.WITHDRAWN}


def _settled_in_session(dispute: Dispute) -> Any:
    if last_session_settled(dispute):
        return None
    return _("First record a session of this step that ended with “settled”.")


def _performed(dispute: Dispute) -> Any:
    if last_visit_says_performed(dispute):
        return None
    return _("First record a visit that found the agreement performed in full.")


def _step(action, label, sources, target, who, guard=None) -> Transition:
    return Transition(action, label, frozenset(sources), target, frozenset(who), guard)


S, R = DisputeState, Right
OPEN = frozenset(S.values) - frozenset(ENDED_STATES)
_FILE = FILE_RIGHTS
# fmt: off
_TABLE = (
    _step("add_party", _("Add a party"), MEDIATING_STATES, None, _FILE),
    _step("record_consent", _("Record consent"), MEDIATING_STATES, None, _FILE),
    _step("record_step", _("Record a session"), STEP_STATES, None, _FILE),
    _step("agree", _("Record the agreement"), STEP_STATES, S.AGREED, _FILE, _settled_in_session),
    _step("extend", _("Extend the month"), MEDIATING_STATES, None, _FILE),
    _step("stop_by_party", _("A party stops"), MEDIATING_STATES, S.FAILED, _FILE),
    _step("fail", _("End without agreement"), {*STEP_STATES, S.FOLLOWING_UP}, S.FAILED, _FILE),
    _step("withdraw", _("Withdraw"), {S.REGISTERED}, S.WITHDRAWN, _FILE),
    _step("ask_court", _("Court confirmation asked"), SETTLED_STATES, None, _FILE),
    _step("follow_up", _("Record a visit"), {S.AGREED, S.FOLLOWING_UP}, S.FOLLOWING_UP, _FILE),
    _step("close", _("Close as performed"), {S.FOLLOWING_UP}, S.CLOSED, _FILE, _performed),
    _step("set_colour", _("Set the colour"), OPEN, None, {*_FILE, R.NAMER}),
    _step("name_mediator", _("Name a mediator"), OPEN, None, {R.NAMER}),
    _step("release_mediator", _("Release a mediator"), OPEN, None, {R.NAMER}),
    _step("remark", _("Add a remark"), S.values, None, _FILE),
)
# fmt: on

TRANSITIONS: dict[str, Transition] = {line.action: line for line in _TABLE}

# Rows written without a line of the table.
SYSTEM_ROWS = {
    "register": pgettext_lazy("timeline of a dispute", "Registered"),
    "warn": _("The month is nearly over"),
    "overdue": _("The month is over"),
    "follow_up_due": _("A follow-up visit is due"),
    "forget_contact": _("Phones of the parties erased by rule"),
}

# What the notices of this floor say on a desk.
NOTICE_KINDS = {
    "dispute_needs_mediator": _("A dispute was handed over; name a mediator"),
    "dispute_named": _("You are named mediator of a dispute"),
    "dispute_red": _("A dispute is now red"),
    "dispute_risk": _("A dispute may break out: the police must know"),
    "dispute_police_told": _("A dispute may break out: the police were told"),
    "dispute_call_police": _("A dispute may break out: call the police now"),
    "dispute_warn": _("The month of a dispute is nearly over"),
    "dispute_overdue": _("The month of a dispute is over"),
    "dispute_follow_up_due": _("A follow-up visit is due"),
}


def action_label(action: str) -> Any:
    """Return the lazy label of a timeline action."""
    if action in TRANSITIONS:
        return TRANSITIONS[action].label
    return SYSTEM_ROWS.get(action, action)


def rights(actor: Actor, dispute: Dispute) -> frozenset[Right]:
    """Return what ``actor`` is to ``dispute`` (1 query)."""
    if actor.kind == ActorKind.SYSTEM:
        return frozenset({Right.SYSTEM})
    if actor.user is None:
        return frozenset()
    scope, held = actor.scope, set()
    for role, place in (
        (Role.VILLAGE_OFFICE, dispute.village_id),
        (Role.TOWN_ADMIN, dispute.town_id),
        (Role.COMMAND, dispute.county_id),
    ):
        if place and scope.holds(role, [place]):
            held.add(Right.NAMER)
    # A name on the file counts only while its bearer holds any post at all.
    if scope.postings and actor.user.pk in named_user_ids(dispute):
        held.add(Right.MEDIATOR)
    if scope.postings and dispute.colour == "red" and dispute.leader_id == actor.user.pk:
        held.add(Right.LEADER)
    return frozenset(held)


def may_register_at(actor: Actor, area: Area) -> bool:
    """Return whether ``actor`` may register a dispute at ``area``."""
    return any(
        posting.role in REGISTER_ROLES and area.path.startswith(posting.area.path)
        for posting in actor.scope.postings
        if posting.area
    )


def refusal(actor: Actor, dispute: Dispute, action: str) -> Any:
    """Return why ``actor`` may not take ``action``, or None (≤ 2 queries). Not about the state."""
    line = TRANSITIONS[action]
    if not rights(actor, dispute) & line.who:
        return _("This step is not yours to take.")
    return None


def state_allows(dispute: Dispute, action: str) -> bool:
    """Return whether the table knows ``action`` from the dispute's state."""
    return dispute.state in TRANSITIONS[action].sources


def available(held: frozenset[Right], dispute: Dispute) -> list[Transition]:
    """Return the steps that rights ``held`` may take now, in the table's order (≤ 1 query)."""
    return [
        line
        for line in _TABLE
        if dispute.state in line.sources
        and held & line.who
        and not (line.guard and line.guard(dispute))
    ]
