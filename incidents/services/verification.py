"""Checking, call-back, rating, reopening, closure, supervision.

Nobody checks or rates their own work; no answer is not satisfaction; a
dissatisfied or unsolved rating opens the same case one level up, a set number of
times, then the county supervises it.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import Conflict, Invalid, NotAllowed
from core.masking import mask_text
from core.models import Timer
from core.services.timers import TimerSpec, set_timers
from core.working_calendar import WorkingCalendar, seconds_of
from grids.models import Level, User
from incidents.models import (
    CallBack,
    Incident,
    Score,
    Stage,
    State,
    SupervisionNotice,
)
from incidents.queries import acted_in_round
from incidents.queries.public import opened_by_another
from incidents.services import clocks, twins, whistle
from incidents.services.dispatching import back_to_command, fit_for, hand_to, without_owner
from incidents.services.step import Step, parent_of, person, required, step
from incidents.workflow import (
    COMMAND_RUNG,
    COMMANDS,
    REOPEN_CAP,
    RESIDENT,
    SYSTEM,
    Actor,
    Right,
    base_rung,
    rights,
)

# How long the link works after the case was closed without an answer.
LINK_DAYS = 30
# How long a call-back waits where the deadlines do not say.
CALLBACK_DAYS = 7


OPENED_BY_ANOTHER = gettext_lazy(
    "Somebody else who reported the same was not satisfied: the matter is open again, and you "
    "will be asked once more."
)


def verify_pass(
    *,
    incident_id: int,
    actor: Actor,
    note: str = "",
    photo_ids: Sequence[UUID] = (),
    whistle_needless: bool = False,
    seen: int | None = None,
) -> Incident:
    """The result holds: the reporter is asked for a rating by a link with a token.

    ``whistle_needless`` is the command centre's judgement of this round's whistle: both sides are
    scored, and a town that calls departments in without need is counted.
    """
    with step(incident_id=incident_id, action="verify_pass", actor=actor, seen=seen) as case:
        incident = case.incident
        case.note = note.strip()
        case.photo_ids = list(photo_ids)
        incident.verified_at = case.now
        clocks.finish(case, Stage.VERIFY, Stage.RESOLVE)
        if incident.parent_id is not None:
            # Whoever reported the whole case rates the whole of it.
            case.to(State.CLOSED)
            case.tell_owner("task_closed")
            return incident
        case.count("verified")
        if whistle.judge(case, needless=whistle_needless):
            case.data["needless"] = True
            case.count("whistle:needless")
        until = _callback_end(case)
        callback = CallBack.objects.create(
            incident=incident,
            round=incident.round,
            token=secrets.token_urlsafe(24),
            created_at=case.now,
            expires_at=until + timedelta(days=LINK_DAYS),
        )
        set_timers(
            [
                TimerSpec(
                    subject_type="incident",
                    subject_id=incident.pk,
                    kind="callback_over",
                    cycle=incident.round,
                    due_at=until,
                )
            ]
        )
        case.tell_reporter("rate")
        twins.ask_all(case, callback)
        if incident.reporter is None:
            case.tell_command("call_back")
        elif not acted_in_round(incident, incident.reporter):
            case.tell("rate_please", user_id=incident.reporter_id, token=callback.token)
    return case.incident


def _callback_end(case: Step) -> datetime:
    for deadline in clocks.deadlines_of(case.incident):
        if deadline.stage == Stage.CALLBACK:
            seconds = seconds_of(deadline.amount, deadline.unit)
            return WorkingCalendar.load().add(case.now, seconds, deadline.unit)
    return case.now + timedelta(days=CALLBACK_DAYS)


def verify_fail(
    *,
    incident_id: int,
    actor: Actor,
    reason: str,
    photo_ids: Sequence[UUID] = (),
    seen: int | None = None,
) -> Incident:
    """The result does not hold: back to the handler, counted as rework, on a new respond clock."""
    with step(incident_id=incident_id, action="verify_fail", actor=actor, seen=seen) as case:
        incident = case.incident
        case.note = required(reason, "reason")
        case.photo_ids = list(photo_ids)
        incident.rework_count += 1
        incident.responded_at = None
        clocks.finish(case, Stage.VERIFY)
        case.count("rework")
        if incident.whistles.filter(round=incident.round).exists():
            case.to(State.WHISTLED)
            whistle.call_again(case)
        else:
            case.to(State.ACCEPTED)
            clocks.start(case, Stage.RESPOND)
            case.tell_owner("sent_back")
    return case.incident


def rate(
    *, token: str, score: str, solved: bool | None, comment: str = "", by: User | None = None
) -> Incident:
    """The reporter rates through the link. The first answer counts.

    ``by`` is whoever is signed in, if anybody: nobody rates their own work. Raises Invalid for
    a missing choice, Conflict when it was answered or is over, NotAllowed for one's own work.
    """
    callback = CallBack.objects.filter(token=token).first()
    if callback is None:
        raise Conflict(_("This link does not work any more."))
    try:
        with step(incident_id=callback.incident_id, action="rate", actor=RESIDENT) as case:
            callback = CallBack.objects.select_for_update().get(pk=callback.pk)
            if callback.expires_at <= case.now or callback.round != case.incident.round:
                raise Conflict(_("This link does not work any more."))
            if acted_in_round(case.incident, by):
                raise NotAllowed(
                    _("You handled this case yourself; somebody else must do this step.")
                )
            _answer(case, callback, score, solved, comment)
    except Conflict:
        if opened_by_another(callback):
            raise Conflict(OPENED_BY_ANOTHER) from None
        raise
    return case.incident


def record_callback(
    *,
    incident_id: int,
    actor: Actor,
    score: str,
    solved: bool | None,
    comment: str = "",
    seen: int | None = None,
) -> Incident:
    """Staff write down what the reporter said on the phone; never about their own work."""
    with step(incident_id=incident_id, action="record_callback", actor=actor, seen=seen) as case:
        callback = CallBack.objects.select_for_update().get(
            incident=case.incident, round=case.incident.round, twin=None
        )
        callback.recorded_by = person(actor)
        _answer(case, callback, score, solved, comment)
    return case.incident


def _answer(case: Step, callback: CallBack, score: str, solved: bool | None, comment: str) -> None:
    if score not in Score.values:
        raise Invalid(_("Please choose a rating."), field="score")
    if solved is None:
        raise Invalid(_("Please say whether it was solved."), field="solved")
    if callback.answered_at is not None:
        raise Conflict(_("A rating was already given. Thank you."))
    callback.score, callback.solved = score, solved
    callback.comment = mask_text(comment.strip())[:1000]
    callback.answered_at = case.now
    callback.save()
    if callback.twin_id is None:
        case.note = callback.comment
    others = CallBack.objects.filter(incident=case.incident, round=callback.round)
    first = not others.filter(answered_at__isnull=False).exclude(pk=callback.pk).exists()
    said = {"score": score} if first else {"further_score": score}
    case.data = {**said, "solved": solved, "callback": callback.pk}
    case.data |= {"twin": True} if callback.twin_id else {}
    if first:
        case.count("rated")
        case.count(f"rated:{score}")
        case.count("rated:solved" if solved else "rated:unsolved")
    if callback.is_good:
        case.to(State.CLOSED)
        if case.from_state != State.CLOSED:
            count_closure(case)
        return
    reopen(case)


def reopen(case: Step) -> None:
    """Open the case again: same case, next round, one level up; past the cap to the county."""
    case.tell_reporter("reopened")
    incident = case.incident
    area = incident.owner_area
    incident.round += 1
    incident.verified_at = incident.responded_at = None
    incident.overdue_at = None
    incident.objection_used = False
    case.count("reopened")
    clocks.drop(case)
    if incident.round - 1 > REOPEN_CAP:
        case.to(State.SUPERVISED)
        case.data["reopened"] = "supervised"
        without_owner(incident)
        incident.rung = COMMAND_RUNG
        demand = SupervisionNotice.objects.create(
            incident=incident,
            rung=COMMAND_RUNG,
            text=_("Opened again more often than allowed."),
            issued_at=case.now,
        )
        case.data["notice"] = demand.number
        clocks.start(case, Stage.TRIAGE)
        case.tell_command("supervised")
        return
    if area and area.level in {Level.UNIT, Level.GRID, Level.VILLAGE}:
        above = fit_for(incident, parent_of(area))
        case.to(State.DISPATCHED)
        case.data["reopened"] = above.level
        hand_to(case, area=above)
        return
    # Above a town or a department stands the command centre: it dispatches anew.
    case.data["reopened"] = "county"
    back_to_command(case)
    case.tell_command("reopened")


def count_closure(case: Step) -> None:
    """Count a case that closes, in time or late."""
    case.count("closed")
    kept = case.incident.overdue_at is None
    case.facts["in_time"] = kept
    case.count("closed:in_time" if kept else "closed:late")


def on_callback_over(timers: list[Timer], now: datetime) -> list[Timer]:
    """Close cases nobody rated; return the timers of those busy just now."""
    free = set(
        Incident.objects.select_for_update(skip_locked=True)
        .filter(pk__in=[timer.subject_id for timer in timers])
        .values_list("pk", flat=True)
    )
    due = {(timer.subject_id, timer.cycle) for timer in timers}
    for incident in Incident.objects.filter(pk__in=free, state=State.CALLBACK):
        if (incident.pk, incident.round) in due:
            with step(
                incident_id=incident.pk, action="callback_unanswered", actor=SYSTEM, now=now
            ) as case:
                case.count("unrated")
                count_closure(case)
    return [timer for timer in timers if timer.subject_id not in free]


def conclude(*, incident_id: int, actor: Actor, reason: str, seen: int | None = None) -> Incident:
    """The command centre ends a supervised case with an explanation the reporter reads."""
    with step(incident_id=incident_id, action="conclude", actor=actor, seen=seen) as case:
        case.note = required(reason, "reason")
        clocks.drop(case)
        count_closure(case)
        case.tell_reporter("concluded")
    return case.incident


def supervise(
    *, incident_id: int, actor: Actor, text: str, seen: int | None = None
) -> SupervisionNotice:
    """Demand an answer from the owner by a numbered notice."""
    with step(incident_id=incident_id, action="supervise", actor=actor, seen=seen) as case:
        case.note = required(text, "text")
        notice = SupervisionNotice.objects.create(
            incident=case.incident,
            rung=base_rung(case.incident),
            text=case.note,
            issued_by=person(actor),
            issued_at=case.now,
        )
        case.data = {"notice": notice.number}
        case.tell_owner("supervision", notice=notice.number)
        case.count("supervised")
        return notice


def reply_supervision(
    *, incident_id: int, actor: Actor, reply: str, seen: int | None = None
) -> Incident:
    """Answer the oldest supervision notice to one's own side still without an answer."""
    with step(incident_id=incident_id, action="reply_supervision", actor=actor, seen=seen) as case:
        waiting = case.incident.supervision_notices.filter(replied_at__isnull=True).order_by("id")
        # Where the command centre was late itself, it answers.
        own = Q(clock__stage__in=COMMANDS)
        held = rights(actor, case.incident)
        notice = None
        if held & {Right.OWNER, Right.PARTY}:
            notice = waiting.exclude(own).first()
        if notice is None and Right.COMMAND in held:
            notice = waiting.filter(own).first()
        if notice is None:
            raise Conflict(_("No supervision notice is waiting for an answer."))
        notice.reply = case.note = required(reply, "reply")
        notice.replied_by, notice.replied_at = person(actor), case.now
        notice.save()
        case.data = {"notice": notice.number}
        case.tell_command("supervision_replied", notice=notice.number)
    return case.incident
