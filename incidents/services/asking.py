"""Asking a model outside about questions that wait for a person, and the record of every word.

Triage has done with the case before it is asked about here, by a sweep of its own, one question
at a time: whether the model answers, and how, changes only what is suggested to the person. The
record is written before anything leaves. What must not live here: how it is spoken to
(outside_model.py) and what may leave (outgoing_text.py).
"""

import time
from datetime import datetime, timedelta
from logging import getLogger

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from incidents.models import (
    AiCall,
    CallOutcome,
    Incident,
    ReporterContact,
    State,
    Suggestion,
    Urgency,
)
from incidents.outgoing_text import masked
from incidents.queries.knowledge import Found, search
from incidents.services.outside_model import (
    ARTICLES_SENT,
    VERSION,
    OutsideModel,
    Unusable,
    clean,
    from_settings,
)
from incidents.suggesting import Proposal

logger = getLogger(__name__)

# A suggestion that comes later than this finds the case decided.
ASKED_WITHIN = timedelta(hours=1)
# After so many failures in a row it is left alone for a while.
FAILURES, REST = 3, timedelta(minutes=5)
LONGEST_REPLY = 2000
_ONE_AT_A_TIME = "ai:asking"


def ask(*, now: datetime | None = None) -> bool:
    """Ask about the one question that waits longest; return whether there was one.

    Does nothing while no model is set up, while it is being left alone, or while another process
    asks: however slow the model is, it holds one process at most.
    """
    model = from_settings()
    now = now or timezone.now()
    if model is None or resting(now=now):
        return False
    if not cache.add(_ONE_AT_A_TIME, 1, timeout=int(model.seconds) + 30):
        return False
    try:
        claimed = _claim(model, now)
        if claimed is None:
            return False
        call, offered = claimed
        _finish(call, *_asked(model, call.question, offered), model)
        return True
    finally:
        cache.delete(_ONE_AT_A_TIME)


def resting(*, now: datetime) -> bool:
    """Return whether the model failed so often just now that it is left alone (1 query)."""
    ended = AiCall.objects.exclude(outcome=CallOutcome.UNDER_WAY)
    last = list(ended.order_by("-id").values_list("outcome", "at")[:FAILURES])
    return (
        len(last) == FAILURES
        and all(outcome == CallOutcome.FAILED for outcome, _at in last)
        and last[0][1] > now - REST
    )


def _claim(model: OutsideModel, now: datetime) -> tuple[AiCall, list[Found]] | None:
    """Take one question and put on record what leaves, in one transaction before it does."""
    with transaction.atomic():
        waiting = (
            Suggestion.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("incident", "category", "article__category")
            .filter(
                outcome=Suggestion.Outcome.SUGGESTED,
                asked_at__isnull=True,
                article__isnull=False,
                created_at__gt=now - ASKED_WITHIN,
                incident__state=State.REPORTED,
                incident__urgency__lt=Urgency.EMERGENCY,
            )
            .order_by("created_at")
            .first()
        )
        if waiting is None:
            return None
        incident = waiting.incident
        waiting.asked_at = now
        waiting.save(update_fields=["asked_at"])
        offered = search(incident.text, category=waiting.category, limit=ARTICLES_SENT)
        if not offered:
            return None
        call = AiCall.objects.create(
            incident=incident,
            county_id=incident.county_id,
            at=now,
            host=model.host,
            model=model.model[:100],
            version=VERSION,
            question=masked(incident.text, known=_names(incident)),
            offered=[found.article.code for found in offered],
        )
    return call, offered


def _names(incident: Incident) -> list[str]:
    """Return what the reporter is called and reached by: it must not leave in any words."""
    contact = ReporterContact.objects.filter(incident=incident).first()
    staff = incident.reporter
    known = [contact.name, contact.phone] if contact else []
    return [one for one in (*known, staff.display_name if staff else "") if one]


def _asked(
    model: OutsideModel, question: str, offered: list[Found]
) -> tuple[Proposal | None, Unusable | None, int]:
    """Return what the model proposed, or why that may not be used, and the milliseconds it took."""
    began = time.monotonic()
    proposal, trouble = None, None
    try:
        proposal = model.propose(question, offered)
    except Unusable as error:
        trouble = error
    except Exception as error:
        # Its own text may hold what was said: only the kind is kept.
        logger.error("asking a model outside failed: %s", type(error).__name__)
        trouble = Unusable("internal", failed=True)
    return proposal, trouble, round(1000 * (time.monotonic() - began))


def _finish(
    call: AiCall, proposal: Proposal | None, trouble: Unusable | None, ms: int, model: OutsideModel
) -> None:
    """Keep the record, and the proposal if it may be used and somebody still waits for it."""
    with transaction.atomic():
        call.ms = ms
        if trouble is not None:
            call.outcome = CallOutcome.FAILED if trouble.failed else CallOutcome.DISCARDED
            call.reason, call.answer = trouble.reason[:20], clean(trouble.reply)[:LONGEST_REPLY]
        elif proposal is None:
            call.outcome = CallOutcome.NONE
        else:
            call.article, call.answer = proposal.article.code, proposal.words
            used = _suggest(call.incident_id, proposal, model)
            call.outcome = CallOutcome.USED if used else CallOutcome.LATE
        call.save(update_fields=["ms", "outcome", "reason", "article", "answer"])


def _suggest(incident_id: int, proposal: Proposal, model: OutsideModel) -> bool:
    """Put article and draft into the suggestion; False when a person has decided meanwhile."""
    return bool(
        Suggestion.objects.filter(
            incident_id=incident_id,
            incident__state=State.REPORTED,
            outcome=Suggestion.Outcome.SUGGESTED,
            asked_at__isnull=False,
        ).update(
            article=proposal.article,
            fit=proposal.fit,
            draft=proposal.words,
            drafted_by=model.model[:100],
        )
    )


def forget_calls(
    *, before: datetime, after: int, batch: int, days: int, now: datetime
) -> tuple[list[int], int | None]:
    """Erase questions asked before ``before`` with their replies; see retention.Forget."""
    rows = AiCall.objects.filter(at__lt=before).order_by("at", "id")
    ids = list(rows.values_list("pk", flat=True)[:batch])
    AiCall.objects.filter(pk__in=ids).delete()
    return ids, ids[-1] if ids else None
