"""The one way a dispute changes: lock, check, change, record, in one transaction.

What must not live here: what a particular step means, and which is allowed (workflow).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid, NotAllowed
from core.services import audit, outbox
from incidents.models import ActorKind
from mediation.models import ENDED_STATES, SETTLED_STATES, Dispute, DisputeEvent
from mediation.queries import named_user_ids
from mediation.workflow import TRANSITIONS, Actor, action_label, refusal, state_allows


@dataclass
class Step:
    """A step under way. A verb changes ``dispute`` and notes the rest here.

    ``note`` is encrypted; ``data`` is not and must name no party.
    """

    dispute: Dispute
    action: str
    actor: Actor
    now: datetime
    note: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    _from_state: str = ""
    _messages: list[outbox.Message] = field(default_factory=list)

    def tell(
        self,
        kind: str,
        *,
        user_id: int | None = None,
        role: str = "",
        area_id: int | None = None,
        department_id: int | None = None,
        **data: str,
    ) -> None:
        """Put a notice for a person, a role at a place, or a department into the outbox.

        It carries the number and ``data``, which must name no party: a notice is read by people
        who may not open the file.
        """
        who = f"{role}@{area_id}" if role else f"u{user_id}" if user_id else f"d{department_id}"
        self._messages.append(
            outbox.Message(
                topic="notice",
                key=f"dispute:{self.dispute.pk}:{self.dispute.last_seq + 1}:{kind}:{who}",
                payload={
                    "kind": kind,
                    "user": user_id,
                    "role": role,
                    "area": area_id,
                    "department": department_id,
                    "data": {"dispute": self.dispute.number, **data},
                },
            )
        )

    def tell_mediators(self, kind: str) -> None:
        """Put a notice for everybody named to the dispute, and its leader, into the outbox."""
        people = named_user_ids(self.dispute)
        if self.dispute.leader_id:
            people.add(self.dispute.leader_id)
        for user_id in sorted(people):
            self.tell(kind, user_id=user_id)


@contextmanager
def step(
    *,
    dispute_id: int,
    action: str,
    actor: Actor,
    seen: int | None = None,
    now: datetime | None = None,
) -> Iterator[Step]:
    """Take ``action`` on a dispute.

    ``seen`` is the version the actor looked at. Raises NotAllowed when the step is not the
    actor's, Conflict when the dispute has moved on, Invalid for bad input; nothing is
    written then.
    """
    line = TRANSITIONS[action]
    with transaction.atomic():
        dispute = Dispute.objects.select_for_update(of=("self",)).get(pk=dispute_id)
        reason = refusal(actor, dispute, action)
        if reason is not None:
            raise NotAllowed(reason)
        if (seen is not None and seen != dispute.version) or not state_allows(dispute, action):
            raise Conflict(_moved_on(dispute))
        reason = line.guard(dispute) if line.guard else None
        if reason is not None:
            raise Conflict(reason)
        case = Step(dispute, action, actor, now or timezone.now(), _from_state=dispute.state)
        if line.target:
            dispute.state = line.target
        yield case
        dispute.version += 1
        write(case)


@contextmanager
def background_row(*, dispute: Dispute, action: str, actor: Actor, now: datetime) -> Iterator[Step]:
    """Write a timeline row on a dispute the caller has locked; people's version is left alone."""
    case = Step(dispute, action, actor, now, _from_state=dispute.state)
    yield case
    write(case)


def write(case: Step) -> None:
    """Write the dispute with its timeline row, the audit entry and the outbox rows."""
    dispute = case.dispute
    dispute.last_seq += 1
    if dispute.state != case._from_state:
        if dispute.state not in SETTLED_STATES:
            dispute.settled_at = None
        dispute.ended_at = case.now if dispute.state in ENDED_STATES else None
    dispute.save()
    DisputeEvent.objects.create(
        dispute=dispute,
        seq=dispute.last_seq,
        at=case.now,
        action=case.action,
        actor=case.actor.user,
        actor_place=case.actor.place,
        from_state=case._from_state,
        to_state=dispute.state,
        note=case.note,
        data=case.data,
    )
    if case.actor.kind == ActorKind.USER:
        audit.record(
            actor=case.actor.user,
            action=f"dispute.{case.action}",
            subject_type="dispute",
            subject_id=dispute.pk,
            data={"seq": dispute.last_seq},
            ip=case.actor.ip,
            place=dispute,
        )
    outbox.post(case._messages)


def required(value: str | None, field_name: str) -> str:
    """Return the text without surrounding space. Raises Invalid when nothing is left."""
    text = (value or "").strip().replace("\x00", "")
    if not text:
        raise Invalid(_("Please fill this in."), field=field_name)
    return text


def _moved_on(dispute: Dispute) -> str:
    last = dispute.events.select_related("actor").order_by("-seq").first()
    if last is None:
        return _("The dispute has moved on. Please look at it again.")
    when = timezone.localtime(last.at).strftime("%m-%d %H:%M")
    return _(
        "The dispute has moved on: %(who)s took “%(what)s” at %(when)s. It is now “%(state)s”."
    ) % {
        "who": last.actor or _("the system"),
        "what": action_label(last.action),
        "when": when,
        "state": dispute.get_state_display(),
    }
