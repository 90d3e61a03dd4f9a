"""How much more time a case may be given altogether, and what was granted already.

What must not live here: granting it (services/handling.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core.choices import labels
from core.working_calendar import Unit, WorkingCalendar, seconds_of
from incidents.models import DeadlineVersion, Extension, Incident, Stage, StageClock

Term = tuple[int, str]


@dataclass(frozen=True)
class Cap:
    """The most that all extensions of a term together may add, and the rule that says so."""

    amount: int
    unit: str
    version: DeadlineVersion | None
    used: tuple[Term, ...]
    clock: StageClock

    @property
    def rule(self) -> str:
        """The rule in words."""
        if self.version is None:
            return _("the term itself once more")
        if self.version.category is None:
            return _("the county's own deadlines, version %(n)s") % {"n": self.version.version}
        return _("deadlines of “%(item)s”, version %(n)s") % {
            "item": self.version.category.label,
            "n": self.version.version,
        }

    @property
    def words(self) -> str:
        """The cap in words, e.g. "30 calendar days"."""
        return said((self.amount, self.unit))

    @property
    def used_words(self) -> str:
        """What was granted already in words; "" for nothing."""
        return " + ".join(said(term) for term in self.used)

    def allows(self, amount: int, unit: str) -> bool:
        """Return whether this much more still fits.

        Terms in several units are laid end to end from the day the term began. Raises
        CalendarMissing where that needs a year nobody has imported.
        """
        terms = [*self.used, (amount, unit)]
        if {one for _amount, one in terms} == {self.unit}:
            return sum(n for n, _unit in terms) <= self.amount
        calendar, start = WorkingCalendar.load(), self.clock.started_at
        end = start
        for n, one in terms:
            end = calendar.add(end, seconds_of(n, one), one)
        return end <= calendar.add(start, seconds_of(self.amount, self.unit), self.unit)


def said(term: Term) -> str:
    """Return an amount and its unit in words."""
    return f"{term[0]} {labels(Unit)[term[1]]}"


def cap_of(incident: Incident, clocks: Iterable[StageClock]) -> Cap | None:
    """Return the cap on extensions of the term that runs, None if none runs (2 queries).

    The item's own deadlines say it, else the county's, else the term may be granted once more.
    """
    running = {
        clock.stage: clock for clock in clocks if not clock.finished_at and not clock.party_id
    }
    clock = running.get(Stage.RESOLVE) or running.get(Stage.RESPOND)
    if clock is None:
        return None
    version = (
        DeadlineVersion.objects.select_related("category")
        .filter(
            Q(pk=incident.deadline_version_id, more_amount__isnull=False)
            | Q(category__isnull=True, valid_from__lte=timezone.localdate(clock.started_at))
        )
        .order_by(F("category_id").asc(nulls_last=True), "-version")
        .first()
    )
    granted = Extension.objects.filter(
        incident=incident, decision=Extension.Decision.APPROVED, decided_at__gte=clock.started_at
    )
    used = tuple(granted.order_by("id").values_list("amount", "unit"))
    if version is None or version.more_amount is None:
        return Cap(clock.amount, clock.unit, None, used, clock)
    return Cap(version.more_amount, version.more_unit, version, used, clock)
