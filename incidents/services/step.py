"""The one way a case changes: lock, check, change, record, in one transaction.

Every verb of the other service modules runs inside :func:`step`. It holds the
row lock, asks the workflow table, and on leaving writes the case, its timeline
row, the audit entry, the outbox rows and the figures' deltas. What must not
live here: what a particular step means.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid, NotAllowed
from core.family import Fields, update_family
from core.models import AuditEntry
from core.rows import Table, read
from core.services import outbox
from grids.models import Area, Department, Role, User
from grids.queries import Place
from incidents.models import (
    ENDED,
    NO_DUE,
    ActorKind,
    Attachment,
    CaseChange,
    Event,
    FigureDelta,
    Incident,
    StageClock,
)
from incidents.models.figures import GAUGE_DAY
from incidents.queries.case import CASE, CASES, joined
from incidents.services import hook_queue
from incidents.workflow import TRANSITIONS, Actor, action_label, refusal, state_allows

_CLOCK = Table(StageClock, "c")
_CLOCKS = f"""
    SELECT {_CLOCK.columns} FROM incidents_stageclock c
     WHERE c.incident_id = %s AND c.finished_at IS NULL
     ORDER BY c.id
"""  # noqa: S608  only names of columns


@dataclass
class Step:
    """A step under way. A verb changes ``incident`` and notes the rest here.

    ``data`` goes on the timeline row; ``round`` is always in it, and so are ``facts``:
    what the figures can be counted again from, which no verb overwrites. Photos listed
    in ``photo_ids`` are drafts of the actor that become evidence of this row.
    """

    incident: Incident
    action: str
    actor: Actor
    now: datetime
    public: bool = False
    note: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    photo_ids: list[Any] = field(default_factory=list)
    draft_key: str = ""
    from_state: str = ""
    messages: list[outbox.Message] = field(default_factory=list)
    _deltas: list[FigureDelta] = field(default_factory=list)
    _clocks: list[StageClock] | None = None

    def to(self, state: str) -> None:
        """Move the case to ``state``."""
        self.incident.state = state

    @property
    def clocks(self) -> list[StageClock]:
        """Unfinished clocks of the case (1 query, once)."""
        if self._clocks is None:
            self._clocks = [clock for (clock,) in read(_CLOCKS, [self.incident.pk], _CLOCK)]
        return self._clocks

    def tell(
        self,
        kind: str,
        *,
        role: str = "",
        area_id: int | None = None,
        department: Department | None = None,
        user_id: int | None = None,
        **data: Any,
    ) -> None:
        """Put a notice for a role at a place, a department or one person into the outbox."""
        department_id = department.pk if department else None
        who = f"{role}@{area_id}" if role else f"d{department_id}" if department else f"u{user_id}"
        self.messages.append(
            outbox.Message(
                topic="notice",
                key=f"incident:{self.incident.pk}:{self.incident.last_seq + 1}:{kind}:{who}",
                payload={
                    "incident": self.incident.pk,
                    "kind": kind,
                    "role": role,
                    "area": area_id,
                    "department": department_id,
                    "user": user_id,
                    "data": data,
                },
            )
        )

    def tell_owner(self, kind: str, **data: Any) -> None:
        """Put a notice for whoever owns the case now into the outbox."""
        incident = self.incident
        if incident.owner_department_id:
            self.tell(kind, department=incident.owner_department, **data)
        elif incident.owner_area:
            role = OFFICE_ROLE[incident.owner_area.level]
            self.tell(kind, role=role, area_id=incident.owner_area_id, **data)

    def tell_splitter(self, kind: str, **data: Any) -> None:
        """Put a notice for whoever owns the case this task belongs to into the outbox."""
        parent = self.incident.parent
        assert parent is not None  # only tasks are told about
        if parent.owner_department is not None:
            self.tell(kind, department=parent.owner_department, **data)
        elif parent.owner_area is not None:
            role = OFFICE_ROLE[parent.owner_area.level]
            self.tell(kind, role=role, area_id=parent.owner_area_id, **data)
        else:
            self.tell_command(kind, **data)

    def tell_command(self, kind: str, **data: Any) -> None:
        """Put a notice for the command centre into the outbox."""
        self.tell(kind, role=Role.COMMAND, area_id=self.incident.county_id, **data)

    def tell_reporter(self, kind: str) -> None:
        """Put word for reporters who may have asked for SMS into the outbox.

        Of the case itself and of all that were merged into it.
        """
        incident = self.incident
        if incident.parent_id is not None:
            return
        self.messages.append(
            outbox.Message(
                topic="reporter",
                key=f"incident:{incident.pk}:{incident.last_seq + 1}:reporter:{kind}",
                payload={"incident": incident.pk, "kind": kind},
            )
        )

    def count(self, metric: str, n: int = 1, *, day: date | None = None) -> None:
        """Add ``n`` to a figure of the case's town on ``day`` (today); a task counts nothing."""
        if self.incident.parent_id is not None:
            return
        self._deltas.append(
            FigureDelta(
                county_id=self.incident.county_id,
                town_id=self.incident.town_id,
                day=day or timezone.localdate(self.now),
                metric=metric,
                n=n,
            )
        )

    def count_state(self, before: str, after: str) -> None:
        """Move the case from one state's gauge to another's ("" is none)."""
        for state, n in ((before, -1), (after, 1)):
            if state:
                self.count(f"state:{state}", n, day=GAUGE_DAY)

    def take_counts(self) -> list[FigureDelta]:
        """Return the figures' deltas, unwritten, and forget them."""
        taken, self._deltas = self._deltas, []
        return taken

    def move(self, place: Place) -> None:
        """Correct where the case is, taking its gauge along to the other town."""
        incident = self.incident
        self.count_state(self.from_state, "")
        self.facts["moved"] = {"from": incident.town_id, "to": place.town_id}
        incident.area_id = place.area_id
        incident.county_id = place.county_id
        incident.town_id = place.town_id
        incident.village_id = place.village_id
        incident.grid_id = place.grid_id
        incident.unit_id = place.unit_id
        incident.found_by = place.found_by
        self.count_state("", self.from_state)


# Rows of a timeline after which no score can be another.
UNSCORED = frozenset(
    {
        *("remark", "suggest", "route", "warn", "escalate", "forget_contact"),
        *("call", "call_acknowledged", "call_unanswered", "twin_joined", "twin_left"),
    }
)

OFFICE_ROLE = {
    "unit": Role.UNIT_HEAD,
    "grid": Role.GRID_WORKER,
    "village": Role.VILLAGE_OFFICE,
    "town": Role.TOWN_ADMIN,
    "county": Role.COMMAND,
}


@contextmanager
def step(
    *,
    incident_id: int,
    action: str,
    actor: Actor,
    seen: int | None = None,
    now: datetime | None = None,
) -> Iterator[Step]:
    """Take ``action`` on a case.

    ``seen`` is the version the actor looked at: when somebody acted since, the
    step is refused with a message that says who did what. Raises NotAllowed when
    the step is not the actor's, Conflict when the case has moved on, Invalid for
    bad input; nothing is written then.
    """
    line = TRANSITIONS[action]
    with transaction.atomic():
        incident = lock(incident_id)
        if seen is not None and seen != incident.version:
            raise Conflict(_moved_on(incident))
        check(incident, actor, action)
        case = Step(
            incident,
            action,
            actor,
            now or timezone.now(),
            public=line.public,
            from_state=incident.state,
        )
        before = dict(incident.__dict__)
        if line.target:
            incident.state = line.target
        yield case
        incident.version += 1
        _write(case, before)


def check(incident: Incident, actor: Actor, action: str) -> None:
    """Raise NotAllowed or Conflict unless ``actor`` may take ``action`` on the case now."""
    reason = refusal(actor, incident, action)
    if reason is not None:
        raise NotAllowed(reason)
    if not state_allows(incident, action):
        raise Conflict(_moved_on(incident))


@contextmanager
def background_row(
    *, incident: Incident, action: str, actor: Actor, now: datetime
) -> Iterator[Step]:
    """Write a timeline row of the system on a case the caller has locked; the state stays.

    People's compare-and-set is left alone: a warning must not spoil a form half filled in.
    """
    case = Step(incident, action, actor, now, from_state=incident.state)
    before = dict(incident.__dict__)
    yield case
    _write(case, before)


_LOCK = f"{CASES} WHERE i.id = %s FOR UPDATE OF i"
_LOCK_FREE = f"{CASES} WHERE i.id = ANY(%s::bigint[]) ORDER BY i.id FOR UPDATE OF i SKIP LOCKED"


def lock(incident_id: int) -> Incident:
    """Return the case under its row lock. Raises Incident.DoesNotExist."""
    rows = read(_LOCK, [incident_id], *CASE)
    if not rows:
        raise Incident.DoesNotExist
    return joined(*rows[0])


def lock_free(ids: Collection[int]) -> dict[int, Incident]:
    """Return those of the cases that nobody holds, under their row locks."""
    rows = read(_LOCK_FREE, [sorted(ids)], *CASE)
    return {row[0].pk: joined(*row) for row in rows}


def _write(case: Step, before: dict[str, Any]) -> None:
    changed, rows = settle(case, before)
    update_family(case.incident, changed, rows, parent="incident_id")
    if case.photo_ids:
        attach(case)
    if case.messages:
        outbox.post(case.messages)


def settle(case: Step, before: dict[str, Any]) -> tuple[Fields, list[Model]]:
    """Return what is to be written of a step that is over: the case's changed columns, new rows."""
    incident = case.incident
    incident.last_seq += 1
    if incident.state != case.from_state:
        case.count_state(case.from_state, incident.state)
        incident.ended_at = case.now if incident.state in ENDED else None
    if case._clocks is not None:
        running = [(c.due_at, c.unit) for c in case._clocks if c.due_at and not c.finished_at]
        incident.due_at, incident.due_unit = min(running, default=(NO_DUE, ""))
    changed = {
        name
        for name, value in incident.__dict__.items()
        if value is not (old := before.get(name)) and value != old
    }
    event = Event(
        incident_id=incident.pk,
        seq=incident.last_seq,
        at=case.now,
        action=case.action,
        actor_kind=case.actor.kind,
        actor=case.actor.user,
        actor_place=case.actor.place,
        from_state=case.from_state,
        to_state=incident.state,
        note=case.note,
        data={**case.data, **case.facts, "round": before["round"]},
        public=case.public,
    )
    rows: list[Model] = [event, *case.take_counts()]
    if incident.parent_id is None:
        rows += hook_queue.messages(
            key=f"incident:{incident.pk}:{incident.last_seq}",
            facts={"incident": incident.pk, "seq": incident.last_seq},
            action=case.action,
            before=case.from_state,
            after=incident.state,
            data=event.data,
        )
    if case.action not in UNSCORED and incident.parent_id is None:
        rows.append(CaseChange(incident_id=incident.pk))
    if case.actor.kind == ActorKind.USER:
        entry = AuditEntry(
            at=case.now,
            actor=case.actor.user,
            action=f"incident.{case.action}",
            subject_type="incident",
            subject_id=incident.pk,
            data={"seq": incident.last_seq},
            ip=case.actor.ip,
            town_id=incident.town_id,
            village_id=incident.village_id,
            grid_id=incident.grid_id,
        )
        rows.append(entry)
    return tuple(f for f in incident._meta.concrete_fields if f.attname in changed), rows


def attach(case: Step) -> None:
    """Make the actor's draft photos evidence of the last event. Raises Invalid for foreign ones."""
    drafts = Attachment.objects.filter(pk__in=case.photo_ids, incident__isnull=True)
    if case.actor.user:
        drafts = drafts.filter(uploaded_by=case.actor.user)
    else:
        drafts = drafts.filter(draft_key=case.draft_key or "-")
    event = Event.objects.get(incident=case.incident, seq=case.incident.last_seq)
    wanted = {str(pk) for pk in case.photo_ids}
    if drafts.update(incident=case.incident, event=event) != len(wanted):
        raise Invalid(_("A photo is no longer there. Please add it again."), field="photos")


def _moved_on(incident: Incident) -> str:
    last = Event.objects.filter(incident=incident).select_related("actor").order_by("-seq").first()
    if last is None:
        return _("The case has moved on. Please look at it again.")
    when = timezone.localtime(last.at).strftime("%m-%d %H:%M")
    return _(
        "The case has moved on: %(who)s took “%(what)s” at %(when)s. It is now “%(state)s”."
    ) % {
        "who": last.actor or last.get_actor_kind_display(),
        "what": action_label(last.action),
        "when": when,
        "state": incident.get_state_display(),
    }


def person(actor: Actor) -> User:
    """Return the acting user. Raises NotAllowed for actors without one."""
    if actor.user is None:
        raise NotAllowed(_("This step needs a person."))
    return actor.user


def required(value: str | None, field_name: str) -> str:
    """Return the text without surrounding space. Raises Invalid when nothing is left."""
    text = (value or "").strip()
    if not text:
        raise Invalid(_("Please say why."), field=field_name)
    return text


def parent_of(area: Area) -> Area:
    """Return the area one level up (1 query)."""
    return Area.objects.get(path=area.path[: -Area.steplen])
