"""Letting changed deadlines touch open cases, because somebody asked for it.

What lives here: showing what would change, and changing it batch by batch. What must not:
how a clock is set (clocks.py). New cases need none of this: they take the version in force.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from core.models import Timer
from core.services import audit
from core.services.timers import TimerSpec, set_timers
from core.working_calendar import WorkingCalendar, seconds_of
from grids.models import User
from incidents.models import Category, DeadlineVersion, Incident, StageClock
from incidents.queries.redating import open_cases, running_clocks
from incidents.services import clocks
from incidents.services.catalogue import Term
from incidents.services.step import background_row
from incidents.workflow import SYSTEM

KIND = "redate"
BATCH = 200
# How many cases a preview names.
SHOWN = 20


@dataclass(frozen=True)
class Redated:
    """One clock that would be due at another moment."""

    clock: StageClock
    before: datetime
    after: datetime


@dataclass
class Preview:
    """What new deadlines would do to open cases. ``kept`` clocks stay as decided for their case."""

    earlier: int = 0
    later: int = 0
    late_at_once: int = 0
    kept: int = 0
    first: list[Redated] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """How many clocks would be due at another moment."""
        return self.earlier + self.later


def preview(
    *, category: Category | None, terms: Iterable[Term], now: datetime | None = None
) -> Preview:
    """Return what ``terms`` would change on open cases of an item (None: the county's own).

    Reads every running clock concerned, in pieces. Raises CalendarMissing where a new
    deadline would reach into a year without data.
    """
    now, found, calendar = now or timezone.now(), Preview(), WorkingCalendar.load()
    wanted = _terms(category, terms)
    for clock in running_clocks(category):
        given = wanted.get((clock.stage, clock.name), (clock.amount, clock.unit))
        if given == (clock.amount, clock.unit):
            continue
        if not clocks.outdated(calendar, [clock], wanted):
            found.kept += 1
            continue
        amount, unit = given
        before = clocks.due_of(clock)
        after = calendar.add(clock.started_at, seconds_of(amount, unit), unit)
        found.earlier += after < before
        found.later += after > before
        found.late_at_once += after <= now
        if len(found.first) < SHOWN:
            found.first.append(Redated(clock, before, after))
    return found


def _terms(category: Category | None, terms: Iterable[Term]) -> clocks.Terms:
    """Return {(stage, sub-stage): (amount, unit)}; the county's fill stages an item leaves open."""
    own = {(term.stage, term.name): (term.amount, term.unit) for term in terms}
    if category is None:
        return own
    stages = {stage for stage, _name in own}
    county = clocks.terms_of(Incident())
    return {key: term for key, term in county.items() if key[0] not in stages} | own


def redate_open_cases(*, version: DeadlineVersion, actor: User) -> None:
    """Begin to give open cases the deadlines of ``version``; the sweep does it batch by batch."""
    with transaction.atomic():
        _next(version, after=0, now=timezone.now())
        audit.record(
            actor=actor,
            action="catalogue.redate",
            subject_type="category",
            subject_id=version.category_id,
            data={"version": version.version},
        )


def _next(version: DeadlineVersion, *, after: int, now: datetime) -> None:
    set_timers(
        [
            TimerSpec(
                subject_type="deadlines",
                subject_id=version.pk,
                kind=KIND,
                stage=str(after),
                due_at=now,
            )
        ]
    )


def on_redate(timers: list[Timer], now: datetime) -> list[Timer]:
    """Redate one batch for each timer; return those that met a busy case, to come again.

    What was done is done again without effect, so nothing is skipped and nothing doubled.
    """
    return [timer for timer in timers if not _batch(timer, now)]


def _batch(timer: Timer, now: datetime) -> bool:
    version = DeadlineVersion.objects.select_related("category").get(pk=timer.subject_id)
    newer = DeadlineVersion.objects.filter(
        category=version.category_id, version__gt=version.version
    )
    if newer.exists():
        return True
    ids = list(
        open_cases(version.category, after=int(timer.stage)).values_list("pk", flat=True)[:BATCH]
    )
    free = (
        Incident.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("category", "owner_department", "owner_area", "deadline_version")
        .filter(pk__in=ids)
        .order_by("pk")
    )
    done = 0
    for incident in free:
        _redate(incident, version, now)
        done += 1
    if done < len(ids):
        return False
    if len(ids) == BATCH:
        _next(version, after=ids[-1], now=now)
    return True


def _redate(incident: Incident, version: DeadlineVersion, now: datetime) -> None:
    """Give one case the version, and write down which clocks changed, if any did."""
    if incident.ended_at is not None:
        return
    held = incident.deadline_version
    # An item's own deadlines are not replaced by the county's.
    if held is None or version.category_id or held.category_id is None:
        incident.deadline_version = version
        incident.save(update_fields=["deadline_version"])
    terms = clocks.terms_of(incident)
    running = incident.clocks.filter(finished_at__isnull=True)
    if not clocks.outdated(WorkingCalendar.load(), running, terms):
        return
    with background_row(incident=incident, action="redate", actor=SYSTEM, now=now) as case:
        case.data = {"clocks_redated": [_facts(*pair) for pair in clocks.redate(case)]}
        case.tell_owner("redated")


def _facts(clock: StageClock, before: datetime) -> dict[str, str]:
    return {
        "stage": clock.stage,
        "name": clock.name,
        "before": before.isoformat(),
        "due_at": clocks.due_of(clock).isoformat(),
    }
