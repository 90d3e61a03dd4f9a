"""Writing in a worker's file: every entry by somebody, none ever deleted.

What must not live here: who reads (queries/worker_file.py), cards (cards.py).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Invalid, NotAllowed
from core.services import audit
from grids.models import (
    Area,
    Attendance,
    Award,
    Level,
    MonthlyAssessment,
    NegativeEntry,
    NegativeItem,
    Recommendation,
    ReserveRecommendation,
    Selection,
    Training,
    User,
)
from grids.models.worker_file import Body, Inspection, ReserveState
from grids.queries import Scope, place_of_area
from grids.queries.worker_file import (
    ENTRIES,
    FILE_KEEPERS,
    held_paths,
    may_keep_file,
    postings_without_selection,
    workers_of,
)

SHIPPED = Path(__file__).resolve().parent.parent / "data" / "negative_list.json"
_STARTED_ALREADY = _("This stands in the file already.")


def load_negative_list() -> int:
    """Give a county without a negative list the shipped one; return how many items.

    Items that are there are the county's own and stay untouched.
    """
    if NegativeItem.objects.exists():
        return 0
    rows = json.loads(SHIPPED.read_text(encoding="utf-8"))
    items = [NegativeItem(rank=rank * 10, **row) for rank, row in enumerate(rows, 1)]
    return len(NegativeItem.objects.bulk_create(items))


def record_selection(
    *,
    actor: User,
    person: User,
    grid: Area,
    recommended: Mapping[str, tuple[date, str]],
    inspected_on: date | None = None,
    inspection: str = "",
    note: str = "",
) -> Selection:
    """Begin a selection for a grid, or go on with the one under way.

    ``recommended`` is {Body: (day, note)}, of bodies that had not spoken yet. The town inspects
    once all three have. A passed inspection is tied to the person's full-time posting at the
    grid, if there is one. Raises Invalid for days in the wrong order, Conflict when a body has
    spoken already.
    """
    _keep(actor, person)
    _inside_kept(actor, grid)
    for body, (day, _note) in recommended.items():
        _not_ahead(day, field=f"{body}_on")
    with transaction.atomic():
        selection = _selection_under_way(actor, person, grid, note)
        spoken = {row.by: row.on for row in selection.recommendations.all()}
        if spoken.keys() & recommended.keys():
            raise Conflict(_("One of these bodies has recommended already. Please look again."))
        Recommendation.objects.bulk_create(
            Recommendation(selection=selection, by=body, on=day, note=words)
            for body, (day, words) in recommended.items()
        )
        spoken |= {body: day for body, (day, _note) in recommended.items()}
        if inspection:
            _inspect(selection, spoken, inspected_on, inspection)
        if not recommended and not inspection:
            raise Invalid(_("Please fill in at least one recommendation or the inspection."))
        _record(actor, "selection_recorded", person, entry=selection.pk, steps=sorted(recommended))
    return selection


def _selection_under_way(actor: User, person: User, grid: Area, note: str) -> Selection:
    under_way = Selection.objects.select_for_update().standing()
    selection = under_way.filter(person=person, grid=grid, inspection="").first()
    if selection is None:
        return _create(Selection, actor, person=person, grid=grid, note=note)
    if note:
        selection.note = note
        selection.save(update_fields=["note"])
    return selection


def _inspect(
    selection: Selection, spoken: Mapping[str, date], day: date | None, result: str
) -> None:
    if day is None:
        raise Invalid(_("Please say on which day."), field="inspected_on")
    _not_ahead(day, field="inspected_on")
    if set(spoken) != set(Body.values):
        raise Invalid(_("The town inspects once all three have recommended."), field="inspected_on")
    if day < max(spoken.values()):
        raise Invalid(_("The inspection comes after the recommendations."), field="inspected_on")
    selection.inspected_on, selection.inspection = day, Inspection(result)
    if result == Inspection.PASSED:
        selection.posting = postings_without_selection(selection.person, selection.grid).first()
    selection.save(update_fields=["inspected_on", "inspection", "posting"])


def hold_training(
    *,
    actor: User,
    town: Area,
    course: str,
    held_on: date,
    hours: Decimal,
    people: Iterable[int],
    place: str = "",
) -> Training:
    """Record a training of a town and everybody who attended, in one act.

    ``people`` are ids of people who work in the town today; others are Invalid. The same course
    on the same day is the same training: whoever was left out is added to it; Conflict when
    nobody was.
    """
    _inside_kept(actor, town)
    _not_ahead(held_on, field="held_on")
    attended = set(people)
    if not attended:
        raise Invalid(_("Please choose who attended."), field="people")
    if town.level != Level.TOWN or not attended <= {p.user_id for p in workers_of(town)}:
        raise Invalid(_("Somebody chosen does not work in this town any more."), field="people")
    with transaction.atomic():
        training, _new = Training.objects.get_or_create(
            town=town,
            course=course.strip(),
            held_on=held_on,
            defaults={"hours": hours, "place": place},
        )
        # Two who record it at once wait for one another here.
        Training.objects.select_for_update().get(pk=training.pk)
        there = training.attendances.filter(withdrawn_at__isnull=True)
        attended -= set(there.values_list("person_id", flat=True))
        if not attended:
            raise Conflict(_("This course of that day is on record already, with all of them."))
        Attendance.objects.bulk_create(
            Attendance(training=training, person_id=pk, recorded_by=actor)
            for pk in sorted(attended)
        )
        audit.record(
            actor=actor,
            action="file.training_recorded",
            subject_type="area",
            subject_id=town.pk,
            data={"training": training.pk, "people": sorted(attended)},
            place=place_of_area(town),
        )
    return training


def state_negative(
    *, actor: User, person: User, item: NegativeItem, happened_on: date, facts: str
) -> NegativeEntry:
    """Put an item of the negative list into the file; the person reads it and may answer."""
    _keep(actor, person)
    _not_ahead(happened_on, field="happened_on")
    if not item.active:
        raise Invalid(_("This item is no longer on the negative list."), field="item")
    facts = _said(facts, field="facts")
    return _add("negative", actor, person, item=item, happened_on=happened_on, facts=facts)


def answer_negative(*, actor: User, entry: NegativeEntry, statement: str) -> NegativeEntry:
    """Put the person's own statement beside an entry; it can be said once and stays."""
    if entry.person_id != actor.pk:
        raise NotAllowed
    statement = _said(statement, field="statement")
    with transaction.atomic():
        fresh = NegativeEntry.objects.filter(pk=entry.pk, statement="")
        if not fresh.update(statement=statement, stated_at=timezone.now()):
            raise Conflict(_("A statement stands here already."))
        _record(actor, "negative_answered", actor, entry=entry.pk)
    entry.refresh_from_db()
    return entry


def give_award(*, actor: User, person: User, title: str, given_by: str, awarded_on: date) -> Award:
    """Put an award into the file."""
    _keep(actor, person)
    _not_ahead(awarded_on, field="awarded_on")
    return _add(
        "award",
        actor,
        person,
        title=_said(title, field="title"),
        given_by=_said(given_by, field="given_by"),
        awarded_on=awarded_on,
    )


def recommend_for_reserve(
    *, actor: User, person: User, recommended_on: date, reason: str
) -> ReserveRecommendation:
    """Recommend somebody as reserve cadre; one recommendation is under way at a time."""
    _keep(actor, person)
    _not_ahead(recommended_on, field="recommended_on")
    reason = _said(reason, field="reason")
    return _add("reserve", actor, person, recommended_on=recommended_on, reason=reason)


def decide_reserve(
    *, actor: User, entry: ReserveRecommendation, listed: bool, decided_on: date
) -> ReserveRecommendation:
    """Say what became of a recommendation; Conflict when that is known already."""
    _keep(actor, entry.person)
    _not_ahead(decided_on, field="decided_on")
    if decided_on < entry.recommended_on:
        raise Invalid(_("The decision comes after the recommendation."), field="decided_on")
    state = ReserveState.LISTED if listed else ReserveState.DECLINED
    with transaction.atomic():
        waiting = ReserveRecommendation.objects.standing().filter(
            pk=entry.pk, state=ReserveState.PROPOSED
        )
        if not waiting.update(state=state, decided_on=decided_on):
            raise Conflict(_("This has been decided or withdrawn already."))
        _record(actor, "reserve_decided", entry.person, entry=entry.pk, state=state)
    entry.refresh_from_db()
    return entry


def withdraw(*, actor: User, kind: str, entry: Any, reason: str) -> None:
    """Withdraw an entry with a reason; it stays in the file and says so.

    ``kind`` is a key of ENTRIES. Conflict when somebody else has withdrawn it.
    """
    _keep(actor, entry.person)
    reason = _said(reason, field="reason")
    with transaction.atomic():
        standing = ENTRIES[kind].objects.standing().filter(pk=entry.pk)
        taken_back = {
            "withdrawn_at": timezone.now(),
            "withdrawn_by": actor,
            "withdrawn_because": reason,
        }
        if kind == "selection":
            # The post may point to the selection that is put in its place.
            taken_back["posting"] = None
        if not standing.update(**taken_back):
            raise Conflict(_("This entry has been withdrawn already."))
        _record(actor, f"{kind}_withdrawn", entry.person, entry=entry.pk)


@dataclass(frozen=True)
class Assessed:
    """A month of one person; see MonthlyAssessment for the shape of ``parts``."""

    person_id: int
    total: Decimal | None
    parts: list[dict[str, Any]]


def write_assessments(*, month: date, version: str, assessed: Iterable[Assessed]) -> int:
    """Write what a month came to by a version of the formula; return how many people.

    ``month`` is its first day. Called by the floor that knows the cases. A second run of the same
    version replaces its own figures; another version stands beside it.
    """
    rows = [
        MonthlyAssessment(
            person_id=one.person_id,
            month=month,
            version=version,
            total=one.total,
            parts=one.parts,
        )
        for one in assessed
    ]
    with transaction.atomic():
        MonthlyAssessment.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["person", "month", "version"],
            update_fields=["total", "parts", "computed_at"],
            batch_size=1000,
        )
        audit.record(
            actor=None,
            action="file.assessed",
            subject_type="assessment",
            data={"month": month.isoformat(), "version": version, "people": len(rows)},
        )
    return len(rows)


def _add(kind: str, actor: User, person: User, **values: Any) -> Any:
    with transaction.atomic():
        entry = _create(ENTRIES[kind], actor, person=person, **values)
        _record(actor, f"{kind}_added", person, entry=entry.pk)
    return entry


def _create(model: Any, actor: User, **values: Any) -> Any:
    try:
        with transaction.atomic():
            return model.objects.create(recorded_by=actor, **values)
    except IntegrityError as error:
        raise Conflict(_STARTED_ALREADY) from error


def _keep(actor: User, person: User) -> None:
    if not may_keep_file(actor, Scope.for_user(actor), person):
        raise NotAllowed


def _inside_kept(actor: User, area: Area) -> None:
    paths = held_paths(Scope.for_user(actor), FILE_KEEPERS)
    if not paths or not area.path.startswith(paths):
        raise NotAllowed


def _not_ahead(day: date, *, field: str) -> None:
    if day > timezone.localdate():
        raise Invalid(_("This day has not come yet."), field=field)


def _said(text: str, *, field: str) -> str:
    text = text.replace("\x00", "").strip()
    if not text:
        raise Invalid(_("Please fill this in."), field=field)
    return text


def _record(actor: User, action: str, person: User, **data: Any) -> None:
    audit.record(
        actor=actor,
        action=f"file.{action}",
        subject_type="user",
        subject_id=person.pk,
        data=data,
    )
