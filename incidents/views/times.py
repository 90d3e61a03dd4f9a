"""Times left and passed in words, in the unit of the rule they come from.

What lives here: a length of time, the nearest deadline of a case, a running clock; levels are
calm, warn, over and paused.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from core.choices import labels
from core.errors import CalendarMissing
from core.working_calendar import Unit, WorkingCalendar, seconds_of
from incidents.models import NO_DUE, Incident, Stage, StageClock, State
from incidents.queries.listing import Listed

# The nearest deadline of a case is amber when it is this near.
SOON = timedelta(hours=24)
# A running clock is amber when this share of its time is left.
WARN_SHARE = 0.25
_WORKING = frozenset({Unit.WORKING_DAYS, Unit.WORKING_HOURS})
_ICONS = {"over": "alarm", "paused": "player-pause"}


def number(value: float) -> str:
    """Return a number with at most one decimal: 3, 1.5."""
    return f"{value:.1f}".removesuffix(".0")


def span(seconds: float, unit: str = Unit.CALENDAR_DAYS) -> str:
    """Return a length of time in the unit of its rule, e.g. "1.5 working days" or "40 minutes".

    ``seconds`` are seconds of that unit's own clock (a working day is 24 h).
    """
    seconds = abs(seconds)
    units = labels(Unit)
    if unit == Unit.WORKING_HOURS and seconds >= 3600:
        return f"{number(seconds / 3600)} {units[Unit.WORKING_HOURS]}"
    if unit in {Unit.WORKING_DAYS, Unit.CALENDAR_DAYS} and seconds >= 86400:
        return f"{number(seconds / 86400)} {units[unit]}"
    if seconds >= 3600:
        return f"{number(seconds / 3600)} {units[Unit.CALENDAR_HOURS]}"
    return _("%(n)s minutes") % {"n": max(1, round(seconds / 60))}


@dataclass(slots=True)
class Due:
    """A case's nearest deadline in words; ``text`` is "" and ``at`` None where there is none."""

    text: str
    level: str
    at: datetime | None = None

    @property
    def icon(self) -> str:
        """The Tabler icon of the level."""
        return _ICONS.get(self.level, "clock")


def due(incident: Incident | Listed, now: datetime) -> Due:
    """Return the nearest deadline of a case as it stands at ``now``."""
    if incident.state == State.SUSPENDED:
        return Due(_("suspended"), "paused", incident.suspended_until)
    if incident.ended_at or incident.due_at >= NO_DUE:
        return Due("", "calm")
    left = (incident.due_at - now).total_seconds()
    level = "over" if left < 0 else "warn" if left < SOON.total_seconds() else "calm"
    words = _("%(time)s over") if left < 0 else _("%(time)s left")
    return Due(words % {"time": _by_rule(incident, left, now)}, level, incident.due_at)


def _by_rule(incident: Incident | Listed, left: float, now: datetime) -> str:
    """Return the time left in the unit of the rule; by the calendar where a year is missing."""
    unit = incident.due_unit or Unit.CALENDAR_DAYS
    if unit in _WORKING:
        try:
            return span(WorkingCalendar.load().elapsed(now, incident.due_at, unit), unit)
        except CalendarMissing:
            unit = Unit.CALENDAR_DAYS
    return span(left, unit)


def clock(row: StageClock, calendar: WorkingCalendar, now: datetime) -> dict[str, Any]:
    """Return a clock as title, rule ("4 working hours"), text, level and due."""
    title = row.name or labels(Stage)[row.stage]
    if row.party_id:
        title = f"{row.party.department.label} · {title}"
    shown = {
        "title": title,
        "rule": f"{row.amount} {labels(Unit)[row.unit]}",
        "due": row.due_at,
        "level": "paused",
    }
    try:
        left = _left(row, calendar, now)
    except CalendarMissing as error:
        return {**shown, "level": "over", "text": str(error)}
    if row.due_at is None:
        return {**shown, "text": _("paused, %(time)s left") % {"time": span(left, row.unit)}}
    share = left / max(1, seconds_of(row.amount, row.unit))
    late = row.due_at <= now
    words = _("%(time)s over") if late else _("%(time)s left")
    level = "over" if late else "warn" if share <= WARN_SHARE else "calm"
    return {**shown, "level": level, "text": words % {"time": span(left, row.unit)}}


def _left(row: StageClock, calendar: WorkingCalendar, now: datetime) -> int:
    if row.due_at is None:
        return row.remaining or 0
    return calendar.elapsed(now, row.due_at, row.unit)
