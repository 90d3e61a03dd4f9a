"""A month's score of everybody who works on the grids, written into their files.

What must not live here: what the score is (incidents/scoring.py) and the file itself, which the
floor below keeps (grids/services/worker_file.py).
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from django.utils import timezone

from grids.models import MonthlyAssessment, Posting
from grids.services.worker_file import Assessed, write_assessments
from incidents import scoring
from incidents.models import ScoreFormula
from incidents.queries import scores
from incidents.queries.score_readers import ASSESSED
from incidents.queries.scores import Period

# What comes in late, a check or a rating, still reaches the month it belongs to.
WAITS = timedelta(days=3)
_PEOPLE = 500


def assess_last_month(*, today: date | None = None) -> int:
    """Write last month's scores if this version has none yet; return how many people.

    On the fourth day of the month at the earliest.
    """
    today = today or timezone.localdate()
    month = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    if today < today.replace(day=1) + WAITS:
        return 0
    version = ScoreFormula.in_force(_last_day(month)).version
    if MonthlyAssessment.objects.filter(month=month, version=version).exists():
        return 0
    return assess(month=month)


def assess(*, month: date) -> int:
    """Write the scores of a month that is over; return how many people.

    Done again, it replaces what the same version of the formula came to before.
    """
    period = Period(month.replace(day=1), _last_day(month))
    formula = ScoreFormula.in_force(period.last)
    posted = Posting.objects.filter(role__in=ASSESSED, valid_from__lte=period.last).exclude(
        valid_to__lte=period.first
    )
    people = sorted(set(posted.values_list("user_id", flat=True)))
    if not people:
        return 0
    return write_assessments(
        month=period.first,
        version=formula.version,
        assessed=_assessed(people, period, formula),
    )


def _assessed(people: Sequence[int], period: Period, formula: ScoreFormula) -> Iterator[Assessed]:
    for start in range(0, len(people), _PEOPLE):
        sums = scores.of_people(people[start : start + _PEOPLE], period)
        for person_id, own in sums.items():
            scored = scoring.score_of(scoring.WORKER, own, formula)
            yield Assessed(
                person_id=person_id,
                total=None if scored.total is None else _points(scored.total),
                parts=[
                    {
                        "label": scoring.msgid(measure.label),
                        "score": None if points is None else float(_points(points)),
                        "weight": weight,
                    }
                    for measure, points, weight in scored.parts
                ],
            )


def _points(points: float) -> Decimal:
    return Decimal(repr(points)).quantize(Decimal("0.01"))


def _last_day(month: date) -> date:
    return scores.next_month(month) - timedelta(days=1)
