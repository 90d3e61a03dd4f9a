"""Answering a question from the knowledge base, and what the reporter makes of the answer.

The answer always names its source. "Not solved" sends the case to a person; no word for a
week closes it, which counts as nobody's satisfaction.
"""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict
from core.masking import mask_text
from core.models import Timer
from core.services.timers import TimerSpec, cancel_timers, set_timers
from incidents.models import (
    Article,
    Category,
    Incident,
    Stage,
    State,
    Suggestion,
    Tier,
)
from incidents.services import clocks
from incidents.services.step import step
from incidents.services.verification import count_closure
from incidents.workflow import RESIDENT, SYSTEM, Actor

# How long the reporter has to say that the answer did not help.
ANSWER_DAYS = 7


def answer(
    *,
    incident_id: int,
    actor: Actor,
    article: Article,
    category: Category | None = None,
    fit: float | None = None,
    seen: int | None = None,
    now: datetime | None = None,
) -> Incident:
    """Answer a question with an article; the reporter reads its text, source and date.

    ``category`` is the AI's, or empty to keep what the case has; ``fit`` how well the article
    fits (0–1), if that was measured. Raises Conflict when the article does not hold any more.
    """
    with step(incident_id=incident_id, action="answer", actor=actor, seen=seen, now=now) as case:
        if not Article.in_force(timezone.localdate(case.now)).filter(pk=article.pk).exists():
            raise Conflict(_("This article does not hold any more."))
        incident = case.incident
        incident.category = category or incident.category
        incident.tier = Tier.AI
        incident.triaged_at = case.now
        incident.triage_tried_at = incident.triage_tried_at or case.now
        clocks.finish(case, Stage.TRIAGE)
        case.note = article.body
        case.data = {
            "article": article.code,
            "title": article.title,
            "source": article.source,
            "published_on": article.published_on.isoformat(),
            "fit": None if fit is None else round(fit, 4),
        }
        case.count("answered")
        case.tell_reporter("answered")
        set_timers(
            [
                TimerSpec(
                    subject_type="incident",
                    subject_id=incident.pk,
                    kind="answer_over",
                    cycle=incident.last_seq + 1,
                    due_at=case.now + timedelta(days=ANSWER_DAYS),
                )
            ]
        )
    return case.incident


def not_solved(*, tracking_code: str, note: str = "") -> Incident:
    """The reporter says the answer did not help: a person takes the case on.

    Raises Conflict when the case is not waiting for this word.
    """
    incident_id = _answered(tracking_code)
    with step(incident_id=incident_id, action="not_solved", actor=RESIDENT) as case:
        case.note = mask_text(note.replace("\x00", "").strip())[:1000]
        _stop_waiting(incident_id)
        Suggestion.objects.filter(
            incident_id=incident_id, outcome=Suggestion.Outcome.ANSWERED
        ).update(outcome=Suggestion.Outcome.OVERRULED)
        clocks.start(case, Stage.TRIAGE)
        case.tell_command("not_solved")
    return case.incident


def answer_kept(*, tracking_code: str) -> Incident:
    """The reporter says the answer was what they needed: the case is closed."""
    incident_id = _answered(tracking_code)
    with step(incident_id=incident_id, action="answer_kept", actor=RESIDENT) as case:
        _stop_waiting(incident_id)
        count_closure(case)
    return case.incident


def on_answer_over(timers: list[Timer], now: datetime) -> list[Timer]:
    """Close answered cases nobody objected to; return the timers of those busy just now."""
    ids = [timer.subject_id for timer in timers]
    free = set(
        Incident.objects.select_for_update(skip_locked=True)
        .filter(pk__in=ids)
        .values_list("pk", flat=True)
    )
    for pk in Incident.objects.filter(pk__in=free, state=State.ANSWERED).values_list(
        "pk", flat=True
    ):
        with step(incident_id=pk, action="answer_kept", actor=SYSTEM, now=now) as case:
            count_closure(case)
    return [timer for timer in timers if timer.subject_id not in free]


def _answered(tracking_code: str) -> int:
    incident_id = (
        Incident.objects.filter(tracking_code=tracking_code).values_list("pk", flat=True).first()
    )
    if incident_id is None:
        raise Conflict(_("There is no case with this tracking code."))
    return incident_id


def _stop_waiting(incident_id: int) -> None:
    cancel_timers("incident", incident_id, kinds=["answer_over"])
