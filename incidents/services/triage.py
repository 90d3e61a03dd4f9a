"""Triage before a person looks: answer, dispatch or only suggest, always saying why.

The AI acts alone only where the county allows it and the model is sure enough; possible
emergencies and matters with a road of their own always wait for a person. Every case leaves
one "suggest" row that explains what was done. What must not live here: training
(training.py), and what dispatching does.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from logging import getLogger
from typing import Any

from django.db import transaction
from django.utils import timezone

from core.errors import CalendarMissing
from incidents import emergencies
from incidents.classifier import Prediction, Trained
from incidents.models import (
    AiMode,
    Article,
    Category,
    FoundBy,
    Incident,
    Stage,
    State,
    Suggestion,
    TriageModel,
    Urgency,
)
from incidents.queries import reading
from incidents.queries.ai_switches import may_act, modes_on
from incidents.queries.knowledge import search
from incidents.queries.twins import matter_of, twins
from incidents.services import clocks, dispatching, standing
from incidents.services.answering import answer
from incidents.services.step import Step, background_row
from incidents.suggesting import KnowledgeBase, Suggester
from incidents.workflow import AI

logger = getLogger(__name__)

# An article answers a question by itself from this fit.
ANSWER_FROM = 0.55
_suggester: Suggester = KnowledgeBase()
TWINS_SHOWN = 5
# So sure a category helps in comparing reports, where nothing is decided by it.
RATHER_SURE = 0.5


@dataclass(frozen=True)
class Model:
    """The model in force, ready to predict."""

    version: int
    threshold: float
    trained: Trained


@dataclass
class Opinion:
    """What is thought of one case before anything is done."""

    category: Category | None = None
    given: bool = False
    prediction: Prediction | None = None
    model: Model | None = None
    article: Article | None = None
    fit: float = 0.0
    twins: list[str] = field(default_factory=list)
    named: dict[str, Category] = field(default_factory=dict)
    read: dict[str, Any] = field(default_factory=dict)
    modes: dict[int, str] = field(default_factory=dict)

    @property
    def sure(self) -> bool:
        """Whether the category may be acted on: a person chose it, or the model is sure."""
        if self.given or self.prediction is None or self.model is None:
            return self.given
        return self.prediction.confidence >= self.model.threshold

    @property
    def facts(self) -> dict[str, Any]:
        """The opinion as it stands on the timeline."""
        facts: dict[str, Any] = {
            "category": self.category.code if self.category else None,
            "given": self.given,
            "twins": self.twins,
        }
        if self.prediction and self.model:
            facts |= {
                "suggested": self.prediction.label,
                "confidence": round(self.prediction.confidence, 4),
                "threshold": round(self.model.threshold, 4),
                "words": self.prediction.words,
                "alternatives": [
                    [code, round(share, 4)] for code, share in self.prediction.alternatives
                ],
                "model": self.model.version,
            }
        if self.article:
            facts |= {"article": self.article.code, "fit": round(self.fit, 4)}
        if self.read:
            facts["read"] = self.read
        return facts


def triage_new(*, batch: int = 50, now: datetime | None = None) -> int:
    """Triage up to ``batch`` new reports, oldest first; return how many were dealt with.

    Any number may run at once. Each case is its own transaction: one that raises is left to
    a person with a row that says so, and the others go on.
    """
    waiting = list(
        Incident.objects.filter(state=State.REPORTED, triage_tried_at__isnull=True)
        .order_by("pk")
        .values_list("pk", "text")[:batch]
    )
    if not waiting:
        return 0
    model, predictions = _predict([text for _pk, text in waiting])
    named = {category.code: category for category in Category.objects.filter(active=True)}
    modes = modes_on(timezone.localdate(now))
    done = 0
    for (pk, _text), prediction in zip(waiting, predictions, strict=True):
        opinion = Opinion(prediction=prediction, model=model, named=named, modes=modes)
        try:
            done += _triage_one(pk, opinion, now or timezone.now())
        except Exception as error:
            logger.exception("triage of incident %s failed", pk)
            done += _leave_after(pk, error, now or timezone.now())
    return done


def active_model() -> Model | None:
    """Return the model in force; its weights are read once per process (1 query)."""
    row = TriageModel.objects.filter(active=True).defer("blob").first()
    if row is None:
        return None
    return Model(row.version, row.threshold, _trained(row.pk, row.trained_at))


@lru_cache(maxsize=2)
def _trained(pk: int, _trained_at: datetime) -> Trained:
    blob = TriageModel.objects.values_list("blob", flat=True).get(pk=pk)
    return Trained.loads(bytes(blob))


def _predict(texts: list[str]) -> tuple[Model | None, list[Prediction | None]]:
    """Return the model and a prediction per text; none when there is no usable model."""
    try:
        model = active_model()
        if model is not None:
            return model, list(model.trained.predict(texts))
    except Exception:
        # A broken model must not stop reports from reaching people.
        logger.exception("the triage model cannot be used")
    return None, [None] * len(texts)


def likely_category(text: str) -> Category | None:
    """Return what the model in force thinks a text is about, if it is rather sure (≤ 2 queries)."""
    _model, (prediction,) = _predict([text])
    if prediction is None or prediction.confidence < RATHER_SURE:
        return None
    return Category.objects.filter(code=prediction.label, active=True).first()


def _claim(pk: int) -> Incident | None:
    return (
        Incident.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("category", "category__owner")
        .filter(pk=pk, state=State.REPORTED, triage_tried_at__isnull=True)
        .first()
    )


def _triage_one(pk: int, opinion: Opinion, now: datetime) -> bool:
    """Deal with one case; False when somebody else has it."""
    with transaction.atomic():
        incident = _claim(pk)
        if incident is None:
            return False
        opinion.given = incident.category_id is not None
        opinion.category = incident.category
        if opinion.prediction and not opinion.given:
            opinion.category = opinion.named.get(opinion.prediction.label)
        switched_off = _drop_if_off(opinion)
        opinion.twins = twins_of(incident, opinion.category)
        opinion.read = reading.read(incident)
        _decide(incident, opinion, now, switched_off)
    return True


def _drop_if_off(opinion: Opinion) -> bool:
    """Say nothing of an item the AI is switched off for, whoever named it; return whether it is."""
    category = opinion.category
    if category is None or opinion.modes.get(category.pk) != AiMode.OFF:
        return False
    opinion.prediction = None
    opinion.category = category if opinion.given else None
    return True


def _decide(incident: Incident, opinion: Opinion, now: datetime, switched_off: bool) -> None:
    category = opinion.category
    if incident.urgency == Urgency.EMERGENCY:
        numbers = [service.number for service in emergencies.find(incident.text)]
        _leave(incident, opinion, now, "emergency", numbers=numbers)
    elif switched_off:
        _leave(incident, opinion, now, "off")
    elif category is None:
        _leave(incident, opinion, now, "no_model" if opinion.model is None else "unknown")
    elif category.road:
        _leave(incident, opinion, now, "road", road=category.road, advice=category.road_note)
    elif category.is_question and _find_answer(incident, opinion):
        if may_act(category, opinion.modes, answering=True):
            _act(incident, opinion, now, "answer")
        else:
            _leave(incident, opinion, now, "only_suggests")
    elif not opinion.sure:
        _leave(incident, opinion, now, "unsure")
    elif not may_act(category, opinion.modes, answering=False):
        _leave(incident, opinion, now, "not_allowed")
    elif incident.found_by == FoundBy.COUNTY and not category.is_question:
        _leave(incident, opinion, now, "no_place")
    else:
        _act(incident, opinion, now, "dispatch")


def _find_answer(incident: Incident, opinion: Opinion) -> bool:
    found = search(incident.text, category=opinion.category, limit=1)
    proposal = _suggester.propose(incident.text, found)
    if proposal:
        opinion.article, opinion.fit = proposal.article, proposal.fit
    return opinion.fit >= ANSWER_FROM


def _act(incident: Incident, opinion: Opinion, now: datetime, path: str) -> None:
    """Answer or dispatch; without a calendar for the deadlines a person must take over."""
    try:
        with transaction.atomic():
            _explain(incident, opinion, now, path)
            if path == "answer":
                assert opinion.article is not None
                answer(
                    incident_id=incident.pk,
                    actor=AI,
                    article=opinion.article,
                    category=opinion.category,
                    fit=opinion.fit,
                    now=now,
                )
            else:
                assert opinion.category is not None
                dispatching.triage(incident_id=incident.pk, actor=AI, category=opinion.category)
    except CalendarMissing as missing:
        fresh = _claim(incident.pk)
        assert fresh is not None  # its row is locked by this transaction
        _leave(fresh, opinion, now, "calendar_missing", year=missing.year)


def _explain(incident: Incident, opinion: Opinion, now: datetime, path: str) -> None:
    """Keep the suggestion and write the row that says what the AI does and why."""
    outcome = {
        "answer": Suggestion.Outcome.ANSWERED,
        "dispatch": Suggestion.Outcome.ACTED,
    }.get(path, Suggestion.Outcome.SUGGESTED)
    _keep(incident, opinion, now, outcome)
    with background_row(incident=incident, action="suggest", actor=AI, now=now) as case:
        incident.triage_tried_at = now
        case.data = {"path": path, **opinion.facts}


def _leave(incident: Incident, opinion: Opinion, now: datetime, path: str, **why: Any) -> None:
    """Leave the case to a person: suggestion, row, triage clock, word to the command centre."""
    _keep(incident, opinion, now, Suggestion.Outcome.SUGGESTED)
    with background_row(incident=incident, action="suggest", actor=AI, now=now) as case:
        incident.triage_tried_at = now
        case.data = {"path": path, **why, **opinion.facts}
        _start_clock(case)
        case.tell_command(NOTICE_OF_PATH.get(path, "to_triage"), path=path, **why)
    if path == "emergency":
        standing.start(incident_id=incident.pk, numbers=why["numbers"], now=now)


# What the command centre is told where it is more than "please triage".
NOTICE_OF_PATH = {
    "emergency": "possible_emergency",
    "calendar_missing": "calendar_missing",
    "error": "triage_failed",
}


def _start_clock(case: Step) -> None:
    try:
        with transaction.atomic():
            clocks.start(case, Stage.TRIAGE)
    except CalendarMissing as missing:
        case.data["year"] = missing.year
        case.tell_command("calendar_missing", year=missing.year)


def _keep(incident: Incident, opinion: Opinion, now: datetime, outcome: str) -> None:
    prediction = opinion.prediction
    if prediction is None and opinion.article is None:
        return
    Suggestion.objects.create(
        incident=incident,
        model_version=opinion.model.version if opinion.model else None,
        category=opinion.named.get(prediction.label) if prediction else opinion.category,
        confidence=prediction.confidence if prediction else 0,
        words=prediction.words if prediction else [],
        alternatives=[list(pair) for pair in prediction.alternatives] if prediction else [],
        article=opinion.article,
        fit=opinion.fit if opinion.article else None,
        outcome=outcome,
        created_at=now,
    )


def _leave_after(pk: int, error: Exception, now: datetime) -> bool:
    """After an error: say so on the timeline and leave the case to a person."""
    with transaction.atomic():
        incident = _claim(pk)
        if incident is None:
            return False
        _leave(incident, Opinion(), now, "error", error=type(error).__name__)
    return True


def twins_of(incident: Incident, category: Category | None) -> list[str]:
    """Return tracking codes of open cases that may be the same matter, likeliest first (1 query).

    What makes them so is written in incidents/likeness.py.
    """
    found = twins(matter_of(incident, category=category), but=incident.pk, most=TWINS_SHOWN)
    return [twin.tracking_code for twin in found]
