"""Which step leads from which state to which, and who may take it.

What lives here: the transition table, the ladder, and the rights, all pure
reading. What must not: anything that changes a row (services/step.py executes).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from grids.models import Level, Role, User
from grids.queries import Scope
from incidents.models import ENDED, ActorKind, Incident, Source, Stage, State
from incidents.queries import accept_time_left, acted_in_round, open_party_ids, open_tasks
from incidents.queries.twins import lead_of

# A dissatisfied reporter opens a case again this often; then the county supervises it.
REOPEN_CAP = 2

# The escalation ladder: worker → chief → village → town → command centre → county leader.
LADDER = (
    Role.GRID_WORKER,
    Role.GRID_CHIEF,
    Role.VILLAGE_OFFICE,
    Role.TOWN_ADMIN,
    Role.COMMAND,
    Role.COUNTY_LEADER,
)
RUNG_OF_LEVEL: dict[str, int] = {
    Level.UNIT: 0,
    Level.GRID: 0,
    Level.VILLAGE: 2,
    Level.TOWN: 3,
    Level.COUNTY: 4,
}
DEPARTMENT_RUNG = 3
COMMAND_RUNG = 4
TOP_RUNG = len(LADDER) - 1
# Stages the command centre is responsible for, whoever owns the case.
COMMANDS = frozenset({Stage.TRIAGE, Stage.VERIFY, Stage.CALLBACK})


class Right(StrEnum):
    """What a person can be to a case. A step names the rights that may take it."""

    COMMAND = "command"
    LEADER = "leader"
    DISPATCHER = "dispatcher"
    TOWN = "town"
    OWNER = "owner"
    SPLITTER = "splitter"
    PARTY = "party"
    VERIFIER = "verifier"
    CALLER = "caller"
    ON_SPOT = "on_spot"
    INSPECTOR = "inspector"
    WATCHER = "watcher"
    REPORTER = "reporter"
    RESIDENT = "resident"
    SYSTEM = "system"


@dataclass(frozen=True)
class Actor:
    """Who takes a step. A resident, the system and the AI have no user."""

    kind: str
    user: User | None = None
    scope: Scope = field(default_factory=Scope)
    ip: str | None = None

    @classmethod
    def for_user(cls, user: User, *, scope: Scope | None = None, ip: str | None = None) -> "Actor":
        """Return the acting user with the scope of today's postings (≤ 1 query)."""
        return cls(ActorKind.USER, user, scope or Scope.for_user(user), ip)

    @property
    def place(self) -> str:
        """Where the actor sits, for the timeline."""
        for posting in self.scope.postings:
            return str(posting.place)
        return ""


SYSTEM = Actor(ActorKind.SYSTEM)
AI = Actor(ActorKind.AI)
RESIDENT = Actor(ActorKind.RESIDENT)


@dataclass(frozen=True)
class Transition:
    """One line of the table. ``target`` None: the service decides, or the state stays."""

    action: str
    label: object
    sources: frozenset[str]
    target: str | None
    who: frozenset[Right]
    public: bool = False
    guard: Callable[[Incident], object | None] | None = None


OPEN = frozenset(State.values) - ENDED
HANDLING = frozenset({State.ACCEPTED, State.ARRIVED})
OWNED = frozenset(
    {State.DISPATCHED, State.OBJECTED, State.ACCEPTED, State.ARRIVED, State.WHISTLED, State.RULING}
)


def _objection_unused(incident: Incident) -> object | None:
    if incident.objection_used:
        return _("An objection was already decided; that decision is final.")
    if incident.due_at <= timezone.now() and not accept_time_left(incident):
        return _("The time for an objection is over: the case is past its deadline.")
    return None


def _has_category(incident: Incident) -> object | None:
    return None if incident.category_id else _("Choose a category first.")


def _tasks_done(incident: Incident) -> object | None:
    if incident.task_count and open_tasks(incident):
        return _("Tasks of this case are still open: wait for them, or drop them with a reason.")
    return None


def _ready_for_whistle(incident: Incident) -> object | None:
    return _has_category(incident) or _tasks_done(incident)


def _lead_is_open(incident: Incident) -> object | None:
    if incident.merged_into_id is None or lead_of(incident.pk)[1]:
        return None
    return _("The case it was merged into has ended; bring this one back instead.")


def _lead_has_ended(incident: Incident) -> object | None:
    if incident.merged_into_id is None or not lead_of(incident.pk)[1]:
        return None
    return _("The case it was merged into is still open; take it out of that one instead.")


def _step(action, label, sources, target, who, **more) -> Transition:
    sources = {sources} if isinstance(sources, str) else sources
    return Transition(action, label, frozenset(sources), target, frozenset(who), **more)


S, R = State, Right
_EXITABLE = {S.REPORTED, S.PENDING, S.DISPATCHED, S.OBJECTED, S.ACCEPTED, S.ARRIVED, S.SUPERVISED}
# fmt: off
_TABLE = (
    # Triage and the roads that leave the normal one.
    _step("triage", _("Triage"), {S.REPORTED, S.PENDING}, S.PENDING, {R.DISPATCHER, R.SYSTEM}, public=True),
    _step("answer", _("Answer"), S.REPORTED, S.ANSWERED, {R.DISPATCHER, R.SYSTEM}, public=True),
    _step("not_solved", _("Not solved"), S.ANSWERED, S.REPORTED, {R.RESIDENT}, public=True),
    _step("answer_kept", _("Answer accepted"), S.ANSWERED, S.CLOSED, {R.RESIDENT, R.SYSTEM}, public=True),
    _step("exit_emergency", _("Hand to emergency services"), _EXITABLE, S.EMERGENCY, {R.DISPATCHER}, public=True, guard=_tasks_done),
    _step("exit_statutory", _("Send to its statutory route"), _EXITABLE, S.STATUTORY, {R.DISPATCHER}, public=True, guard=_tasks_done),
    _step("exit_out_of_remit", _("Outside the remit"), _EXITABLE, S.OUT_OF_REMIT, {R.DISPATCHER}, public=True, guard=_tasks_done),
    _step("merge", _("Merge into another case"), _EXITABLE, S.DUPLICATE, {R.DISPATCHER}, public=True, guard=_tasks_done),
    _step("join", _("Said to be the same as an open case"), S.REPORTED, S.DUPLICATE, {R.RESIDENT, R.REPORTER}, public=True),
    _step("unmerge", _("Take out of the other case"), S.DUPLICATE, None, {R.DISPATCHER}, public=True, guard=_lead_is_open),
    _step("hand_over", _("Hand over to mediation"), _EXITABLE, S.STATUTORY, {R.DISPATCHER}, public=True, guard=_tasks_done),
    _step(
        "recall", _("Bring back"), ENDED - {S.CLOSED}, S.REPORTED, {R.DISPATCHER}, public=True,
        guard=_lead_has_ended,
    ),
    # Dispatch, objection, arbiter.
    _step(
        "dispatch", _("Dispatch"), {S.PENDING, S.SUPERVISED, S.DISPATCHED}, S.DISPATCHED,
        {R.DISPATCHER, R.SYSTEM}, public=True, guard=_has_category,
    ),
    _step("object", _("Object"), S.DISPATCHED, S.OBJECTED, {R.OWNER}, guard=_objection_unused),
    _step("uphold_objection", _("Uphold the objection"), S.OBJECTED, S.DISPATCHED, {R.COMMAND, R.SPLITTER}),
    _step("reject_objection", _("Reject the objection"), S.OBJECTED, S.DISPATCHED, {R.COMMAND, R.SPLITTER}),
    # Handling.
    _step(
        "take_up", _("Taken up by the next rung"), {S.DISPATCHED} | HANDLING, None, {R.SYSTEM}, public=True
    ),
    _step("accept", _("Accept"), S.DISPATCHED, S.ACCEPTED, {R.OWNER}, public=True),
    _step("arrive", _("Arrive"), S.ACCEPTED, S.ARRIVED, {R.OWNER}, public=True),
    _step("respond", _("Respond"), HANDLING, S.RESPONDED, {R.OWNER}, public=True, guard=_tasks_done),
    _step("split", _("Split into tasks"), {S.DISPATCHED} | HANDLING, None, {R.OWNER, R.DISPATCHER}),
    _step("drop_task", _("Drop the task"), OPEN, S.CLOSED, {R.SPLITTER, R.DISPATCHER}),
    _step(
        "handle_on_spot", _("Handled on the spot"), {S.REPORTED, S.PENDING, S.DISPATCHED}, S.RESPONDED,
        {R.ON_SPOT}, public=True, guard=_tasks_done,
    ),
    _step("fix_on_spot", _("Put right at the inspection"), S.REPORTED, S.RESPONDED, {R.INSPECTOR}, public=True),
    _step("request_extension", _("Ask for an extension"), HANDLING, None, {R.OWNER}),
    _step("approve_extension", _("Approve the extension"), HANDLING, None, {R.DISPATCHER}, public=True),
    _step("refuse_extension", _("Refuse the extension"), HANDLING, None, {R.DISPATCHER}),
    _step(
        "suspend", _("Suspend"), HANDLING | {S.DISPATCHED, S.PENDING}, S.SUSPENDED, {R.DISPATCHER}, public=True
    ),
    _step("resume", _("Resume"), S.SUSPENDED, None, {R.DISPATCHER, R.OWNER, R.SYSTEM}, public=True),
    # Whistle.
    _step(
        "blow_whistle", _("Blow the whistle"), HANDLING | {S.PENDING, S.SUPERVISED, S.DISPATCHED}, S.WHISTLED,
        {R.TOWN, R.COMMAND}, public=True, guard=_ready_for_whistle,
    ),
    _step("party_accept", _("Accept the call"), S.WHISTLED, None, {R.PARTY}),
    _step("party_arrive", _("Report in"), S.WHISTLED, None, {R.PARTY}),
    _step("party_answer", _("Give our opinion"), S.WHISTLED, None, {R.PARTY}),
    _step("party_sign", _("Sign"), S.WHISTLED, None, {R.PARTY}),
    _step("party_dissent", _("Dissent"), S.WHISTLED, S.RULING, {R.PARTY}),
    _step("rule", _("Rule on the dissent"), S.RULING, None, {R.COMMAND}),
    # Verification, rating, closure.
    _step("verify_pass", _("Verified"), S.RESPONDED, S.CALLBACK, {R.VERIFIER, R.SPLITTER}, public=True),
    _step("verify_fail", _("Send back"), S.RESPONDED, None, {R.VERIFIER, R.SPLITTER}),
    _step("rate", _("Rate"), {S.CALLBACK, S.CLOSED}, None, {R.RESIDENT}, public=True),
    _step("record_callback", _("Record a call-back"), S.CALLBACK, None, {R.CALLER}, public=True),
    _step("callback_unanswered", _("No answer to the call-back"), S.CALLBACK, S.CLOSED, {R.SYSTEM}, public=True),
    _step("conclude", _("Conclude"), S.SUPERVISED, S.CLOSED, {R.COMMAND}, public=True),
    # Supervision and remarks.
    _step("supervise", _("Issue a supervision notice"), OWNED | {S.RESPONDED, S.SUPERVISED}, None, {R.COMMAND, R.LEADER}),
    _step("reply_supervision", _("Answer the supervision notice"), OPEN, None, {R.OWNER, R.PARTY, R.COMMAND}),
    _step("remark", _("Add a remark"), frozenset(State.values), None, {R.WATCHER}),
)
# fmt: on

TRANSITIONS: dict[str, Transition] = {line.action: line for line in _TABLE}

# What may be done with a task; the rest is for the case it belongs to.
TASK_STEPS = frozenset(
    {
        *("dispatch", "object", "uphold_objection", "reject_objection", "take_up", "drop_task"),
        *("accept", "arrive", "respond", "verify_pass", "verify_fail"),
        *("request_extension", "approve_extension", "refuse_extension", "suspend", "resume"),
        *("supervise", "reply_supervision", "remark"),
    }
)
ONLY_TASKS = frozenset({"drop_task"})


def fits(incident: Incident, action: str) -> bool:
    """Return whether the action is one of a task's, or of a case's, as the row is one."""
    return action in TASK_STEPS if incident.parent_id else action not in ONLY_TASKS


# Rows the system writes without changing the state.
SYSTEM_ROWS = {
    "report": pgettext_lazy("timeline", "Reported"),
    "twin_joined": _("A repeat was merged into this case"),
    "twin_left": _("A repeat was taken out of this case"),
    "suggest": _("AI suggestion"),
    "task": _("Task given"),
    "call": _("Called by standing order"),
    "call_acknowledged": _("Call acknowledged"),
    "call_unanswered": _("Nobody answered the calls"),
    "route": _("Routing explained"),
    "warn": _("Deadline is near"),
    "overdue": _("Deadline missed"),
    "escalate": _("Climbed one step"),
    "redate": _("Deadlines changed by rule"),
    "follow_area": _("The area was rearranged"),
    "rename_area": _("The area got another name or code"),
    "forget_contact": _("Reporter's contact erased by rule"),
    "system_update": _("Update from another system"),
}


def action_label(action: str) -> object:
    """Return the lazy label of a timeline action."""
    if action in TRANSITIONS:
        return TRANSITIONS[action].label
    return SYSTEM_ROWS.get(action, action)


def base_rung(incident: Incident) -> int:
    """Return the rung of the ladder where the case's owner stands."""
    if incident.owner_area:
        return RUNG_OF_LEVEL[incident.owner_area.level]
    return DEPARTMENT_RUNG


def area_of_rung(incident: Incident, rung: int) -> int:
    """Return the area whose people stand on ``rung`` for this case."""
    level = ("grid", "grid", "village", "town", "county", "county")[rung]
    return getattr(incident, f"{level}_id") or incident.county_id


_OWNER_ROLES: dict[str, tuple[Role, ...]] = {
    Level.UNIT: (Role.UNIT_HEAD,),
    Level.GRID: (Role.GRID_WORKER, Role.GRID_CHIEF, Role.GRID_GUIDE),
    Level.VILLAGE: (Role.VILLAGE_OFFICE,),
    Level.TOWN: (Role.TOWN_ADMIN,),
}


def _owns(scope: Scope, incident: Incident) -> bool:
    if incident.owner_department_id in scope.department_ids and incident.owner_department_id:
        return True
    area = incident.owner_area
    if area is None:
        return False
    return any(scope.holds(role, [area.pk]) for role in _OWNER_ROLES.get(area.level, ()))


def rights(actor: Actor, incident: Incident) -> frozenset[Right]:
    """Return what ``actor`` is to ``incident``, without the two that need a query.

    PARTY and VERIFIER are claimed here from postings and confirmed by
    :func:`refusal`, which may ask the database.
    """
    if actor.kind in {ActorKind.SYSTEM, ActorKind.AI}:
        return frozenset({Right.SYSTEM})
    if actor.kind == ActorKind.RESIDENT:
        return frozenset({Right.RESIDENT})
    scope, held = actor.scope, set()
    if scope.holds(Role.COMMAND, [incident.county_id]):
        held |= {Right.COMMAND, Right.DISPATCHER, Right.VERIFIER, Right.CALLER, Right.WATCHER}
    if scope.holds(Role.COUNTY_LEADER, [incident.county_id]):
        held |= {Right.LEADER, Right.WATCHER}
    if incident.town_id and scope.holds(Role.TOWN_ADMIN, [incident.town_id]):
        held |= {Right.TOWN, Right.DISPATCHER, Right.CALLER, Right.WATCHER}
        if base_rung(incident) < RUNG_OF_LEVEL[Level.TOWN] or incident.owner_department_id:
            held.add(Right.VERIFIER)
    if incident.village_id and scope.holds(Role.VILLAGE_OFFICE, [incident.village_id]):
        held |= {Right.WATCHER, Right.CALLER}
        if base_rung(incident) < RUNG_OF_LEVEL[Level.VILLAGE]:
            held.add(Right.VERIFIER)
    if incident.grid_id and scope.holds(Role.GRID_CHIEF, [incident.grid_id]):
        held |= {Right.WATCHER, Right.ON_SPOT}
        if incident.owner_area_id and base_rung(incident) == 0:
            held.add(Right.VERIFIER)
    for role in (Role.GRID_WORKER, Role.GRID_GUIDE):
        if incident.grid_id and scope.holds(role, [incident.grid_id]):
            held |= {Right.WATCHER, Right.ON_SPOT}
    if _owns(scope, incident):
        held |= {Right.OWNER, Right.WATCHER}
    if incident.parent is not None and _owns(scope, incident.parent):
        held |= {Right.SPLITTER, Right.WATCHER}
    mine = actor.user is not None and incident.reporter_id == actor.user.pk
    if mine:
        held.add(Right.REPORTER)
    if mine and incident.source == Source.INSPECTION and scope.postings:
        held.add(Right.INSPECTOR)
    if scope.department_ids and incident.state in {State.WHISTLED, State.RULING}:
        held |= {Right.PARTY, Right.WATCHER}
    return frozenset(held)


_CHECKING = frozenset({Right.VERIFIER, Right.CALLER})
# Whoever split a case looks at what became of its tasks.
_CHECKERS = _CHECKING | {Right.SPLITTER}
_NONE: frozenset[Right] = frozenset()


def refusal(actor: Actor, incident: Incident, action: str) -> object | None:
    """Return why ``actor`` may not take ``action`` now, or None.

    At most 1 query, and 2 more for a task. A missing right and a wrong state are told apart by :func:`state_allows`.
    """
    line = TRANSITIONS[action]
    held = rights(actor, incident) & line.who
    if Right.PARTY in held and not open_party_ids(incident, actor.scope.department_ids):
        held -= {Right.PARTY}
    if not held:
        return _("This step is not yours to take.")
    if not fits(incident, action):
        return _("This step is for the whole case, not for a task of it.")
    if line.who & _CHECKING and held <= _CHECKERS and acted_in_round(incident, actor.user):
        return _("You handled this case yourself; somebody else must do this step.")
    return line.guard(incident) if line.guard else None


def state_allows(incident: Incident, action: str) -> bool:
    """Return whether the table knows ``action`` from the case's state."""
    return incident.state in TRANSITIONS[action].sources


def available(actor: Actor, incident: Incident) -> list[Transition]:
    """Return the steps ``actor`` may take now, in the table's order.

    At most 2 queries, and 2 more for a case that was split or is a task.
    """
    held = rights(actor, incident)
    if Right.PARTY in held and not open_party_ids(incident, actor.scope.department_ids):
        held -= {Right.PARTY}
    checked_now = incident.state in {State.RESPONDED, State.CALLBACK}
    own_work = checked_now and bool(held & _CHECKERS) and acted_in_round(incident, actor.user)
    # Several lines share a guard that asks the database.
    reason = cache(lambda guard: guard(incident))
    return [
        line
        for line in _TABLE
        if incident.state in line.sources
        and (held & line.who) - (_CHECKERS if own_work and line.who & _CHECKING else _NONE)
        and fits(incident, line.action)
        and not (line.guard and reason(line.guard))
    ]
