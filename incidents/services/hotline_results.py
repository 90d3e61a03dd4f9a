"""What became of a hotline's work orders, as a sheet to hand back by their numbers.

What must not live here: bringing work orders in (hotline_sheet.py).
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from core.errors import Invalid
from core.services import audit
from core.sheets.columns import Column, text
from core.sheets.reading import MAX_ROWS
from core.sheets.writing import listing
from incidents.models import CallBack, Event, Incident, SentCase, System
from incidents.services.step import person
from incidents.workflow import Actor

MOST_DAYS = 92
# The rows of a timeline that tell the reporter how it ended.
RESULTS = ("respond", "handle_on_spot", "fix_on_spot", "party_answer", "conclude")


def columns() -> list[Column]:
    """Return the columns of the sheet of results."""
    return [
        Column("number", _lazy("Work order number"), text(64), width=20),
        Column("state", _lazy("State"), text(40), width=14),
        Column("office", _lazy("Handled by"), text(100), width=22),
        Column("answer", _lazy("Result"), text(2000), width=60),
        Column("answered_at", _lazy("Answered at"), text(20), width=18),
        Column("ended_at", _lazy("Closed at"), text(20), width=18),
        Column("rating", _lazy("Rating"), text(20), width=14),
        Column("code", _lazy("Tracking code"), text(16), width=16),
    ]


def export(*, system_id: int, since: date, until: date, actor: Actor) -> bytes:
    """Return the sheet of a system's work orders reported on these days, by their numbers.

    Only cases the actor sees. Raises System.DoesNotExist, and Invalid for a time too long or more
    rows than a sheet holds. Nobody's name is in it; the answer is what the reporter reads.
    """
    system = System.objects.get(pk=system_id)
    if since > until:
        raise Invalid(_("The first day must not be after the last."), field="since")
    if (until - since).days >= MOST_DAYS:
        raise Invalid(_("At most %(n)s days at once."), field="until", n=MOST_DAYS)
    cases = list(_cases(system, since, until, actor)[: MAX_ROWS + 1])
    if len(cases) > MAX_ROWS:
        raise Invalid(_("A sheet holds %(n)s rows; choose fewer days."), field="until", n=MAX_ROWS)
    data = listing(_("Results of work orders"), columns(), _rows(cases))
    audit.record(
        actor=person(actor),
        action="hotline.export",
        subject_type="system",
        subject_id=system.pk,
        data={"since": str(since), "until": str(until), "n": len(cases)},
        ip=actor.ip,
    )
    return data


def _cases(system: System, since: date, until: date, actor: Actor) -> Any:
    first, last = (
        timezone.make_aware(datetime.combine(day, time.min))
        for day in (since, until + timedelta(days=1))
    )
    mine = Incident.objects.visible_to(person(actor), actor.scope)
    return (
        mine.filter(reported_at__gte=first, reported_at__lt=last)
        .filter(sent__in=SentCase.objects.filter(system=system).exclude(external_id=""))
        .select_related("sent", "owner_department", "owner_area")
        .defer("bigrams", "location", "owner_area__boundary", "owner_area__outline")
        .order_by("reported_at", "id")
    )


def _rows(cases: list[Incident]) -> Iterator[list[str]]:
    ids = [case.pk for case in cases]
    answers: dict[int, tuple[str, datetime | None]] = {}
    told = Event.objects.filter(incident__in=ids, action__in=RESULTS, public=True)
    for pk, note, told_at in told.order_by("seq").values_list("incident_id", "note", "at"):
        answers[pk] = (note, told_at)
    ratings: dict[int, str] = {}
    rated = CallBack.objects.filter(incident__in=ids, answered_at__isnull=False)
    for callback in rated.order_by("round"):
        ratings[callback.incident_id] = str(callback.get_score_display())
    for case in cases:
        answer, at = answers.get(case.pk, ("", None))
        yield [
            case.sent.external_id,
            str(case.get_state_display()),
            str(case.owner or ""),
            answer,
            _time(at),
            _time(case.ended_at),
            ratings.get(case.pk, ""),
            case.tracking_code,
        ]


def _time(at: datetime | None) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M") if at else ""
