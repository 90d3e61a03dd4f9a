"""Counting reports by day, warning of surges, keeping hot topics: one job, run again and again.

Each of the three is a transaction of its own that puts down what follows from the cases, so a job
that is killed loses nothing and one that runs twice, or beside another, changes nothing more. What
must not live here: what a surge is (incidents/surges.py) and what makes a topic
(incidents/topics.py).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid, NotAllowed
from core.locks import Lock
from core.masking import mask_text
from core.prepared import planned_by_value
from core.services import audit, outbox
from core.text import bigrams
from grids.models import Area, Level, Role
from incidents import surges
from incidents import topics as grouping
from incidents.models import EarlyWarning, HotTopic, Incident, ReportDay, Source
from incidents.surges import Reading
from incidents.workflow import Actor

_LOCK = Lock("topics")
# Counts are kept as long as a surge looks back.
KEPT_DAYS = 7 * surges.WEEKS + surges.WINDOW
# Cases are triaged, and corrected, within days: so many are counted anew each time.
FRESH_DAYS = 3
# A topic nobody reported on for so long is over.
COLD_DAYS = 7
# The hottest places and items become topics; of each the newest reports are read.
MOST_GROUPS = 300
MOST_READ = 300
# A question is no matter anywhere, what lies outside the remit is not ours, a task is no report;
# and that an inspection finds many hazards on one day says who looked, not what is new.
_COUNT = """
    INSERT INTO incidents_reportday (county_id, town_id, village_id, category_id, day, n)
    SELECT i.county_id, i.town_id, i.village_id, k.id, (i.reported_at AT TIME ZONE %s)::date,
           count(*)
      FROM incidents_incident i
      LEFT JOIN incidents_incident lead ON lead.id = i.merged_into_id
      JOIN incidents_category k ON k.id = coalesce(i.category_id, lead.category_id)
     WHERE i.county_id = %s AND i.reported_at >= %s AND i.town_id IS NOT NULL
       AND i.parent_id IS NULL AND i.source <> 'inspection' AND i.state <> 'out_of_remit'
       AND NOT k.is_question
     GROUP BY 1, 2, 3, 4, 5
"""


def refresh(*, now: datetime | None = None, whole: bool = False) -> bool:
    """Count, warn and group; return False while another job does.

    ``whole`` counts all days anew: at night, for what was corrected later than usual.
    """
    now = now or timezone.now()
    for part in (count_days, warn, group):
        with transaction.atomic():
            if not _LOCK.try_hold():
                return False
            if part is count_days:
                count_days(now=now, whole=whole)
            else:
                part(now=now)
    return True


@planned_by_value()
def count_days(*, now: datetime, whole: bool = False) -> None:
    """Put down how many reports each village had of each item on the last days."""
    today = timezone.localdate(now)
    first = today - timedelta(days=KEPT_DAYS)
    newest = ReportDay.objects.order_by("-day").values_list("day", flat=True).first()
    if newest is not None and not whole:
        first = max(first, min(newest, today) - timedelta(days=FRESH_DAYS - 1))
    since = timezone.make_aware(datetime.combine(first, datetime.min.time()))
    ReportDay.objects.filter(day__gte=first).delete()
    ReportDay.objects.filter(day__lt=today - timedelta(days=KEPT_DAYS)).delete()
    with connection.cursor() as cursor:
        for county_id in Area.objects.filter(level=Level.COUNTY).values_list("pk", flat=True):
            cursor.execute(_COUNT, [settings.TIME_ZONE, county_id, since])


# ---------- early warnings


@dataclass(frozen=True)
class Place:
    """One item in one village, or in a whole town."""

    county_id: int
    town_id: int
    village_id: int | None
    category_id: int

    @property
    def level(self) -> str:
        """What its thresholds are called by."""
        return "town" if self.village_id is None else "village"


# Windows of the same weekdays, this one (0) and those of the weeks before; only of places that
# have enough now, or an open warning.
_WINDOWS = """
    WITH wanted AS (
        SELECT town_id, village_id, category_id FROM incidents_reportday
         WHERE day > %(today)s::date - %(window)s AND village_id IS NOT NULL
         GROUP BY 1, 2, 3 HAVING sum(n) >= %(least)s
        UNION SELECT town_id, village_id, category_id FROM incidents_earlywarning
               WHERE ended_at IS NULL AND village_id IS NOT NULL
    )
    SELECT d.county_id, d.town_id, d.village_id, d.category_id,
           (%(today)s::date - d.day) / 7 AS week, sum(d.n)
      FROM incidents_reportday d JOIN wanted USING (town_id, village_id, category_id)
     WHERE (%(today)s::date - d.day) %% 7 < %(window)s AND d.day <= %(today)s::date
       AND (%(today)s::date - d.day) / 7 <= %(weeks)s
     GROUP BY 1, 2, 3, 4, 5
"""
_TOWN_WINDOWS = """
    WITH wanted AS (
        SELECT town_id, category_id FROM incidents_reportday
         WHERE day > %(today)s::date - %(window)s
         GROUP BY 1, 2 HAVING sum(n) >= %(least)s
        UNION SELECT town_id, category_id FROM incidents_earlywarning
               WHERE ended_at IS NULL AND village_id IS NULL
    )
    SELECT d.county_id, d.town_id, NULL::bigint, d.category_id,
           (%(today)s::date - d.day) / 7 AS week, sum(d.n)
      FROM incidents_reportday d JOIN wanted USING (town_id, category_id)
     WHERE (%(today)s::date - d.day) %% 7 < %(window)s AND d.day <= %(today)s::date
       AND (%(today)s::date - d.day) / 7 <= %(weeks)s
     GROUP BY 1, 2, 3, 4, 5
"""


def warn(*, now: datetime) -> list[EarlyWarning]:
    """Raise a warning for each new surge, once, and end those that are over; return the new ones.

    A village's surge is told to the village office and the town. A town's is told to the command
    centre; what one warned village explains alone is no surge of the town.
    """
    today = timezone.localdate(now)
    villages, towns = _windows(_WINDOWS, "village", today), _windows(_TOWN_WINDOWS, "town", today)
    weeks = _weeks_of_past(today)
    standing = {
        Place(w.county_id, w.town_id, w.village_id, w.category_id): w
        for w in EarlyWarning.objects.filter(ended_at=None)
    }
    raised = []
    for place, counts in villages.items():
        raised += _judge(place, counts, weeks, standing, now)
    warned: defaultdict[tuple[int, int], list[Place]] = defaultdict(list)
    for place, warning in standing.items():
        if place.village_id is not None and warning.ended_at is None:
            warned[place.town_id, place.category_id].append(place)
    for place, counts in towns.items():
        known = warned[place.town_id, place.category_id]
        told = villages.get(known[0], Counter()) if len(known) == 1 else Counter[int]()
        raised += _judge(place, counts - told, weeks, standing, now)
    for place in set(standing) - set(villages) - set(towns):
        _calm_down(standing[place], now)
    _tell(raised)
    return raised


def _windows(statement: str, level: str, today: date) -> dict[Place, Counter[int]]:
    """Return {place: {weeks ago: reports of the window}}, 0 for the present one."""
    asked: dict[str, Any] = {
        "today": today,
        "window": surges.WINDOW,
        "weeks": surges.WEEKS,
        "least": surges.LEAST[level],
    }
    found: defaultdict[Place, Counter[int]] = defaultdict(Counter)
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        for county_id, town_id, village_id, category_id, week, n in cursor.fetchall():
            found[Place(county_id, town_id, village_id, category_id)][week] = int(n)
    return found


def _weeks_of_past(today: date) -> int:
    """Return how many whole windows of past the county has, at most as many as are looked at."""
    first = Incident.objects.order_by("reported_at").values_list("reported_at", flat=True)
    counties = Area.objects.filter(level=Level.COUNTY).values_list("pk", flat=True)
    began = [at for pk in counties for at in first.filter(county_id=pk)[:1]]
    if not began:
        return 0
    days = (today - timezone.localdate(min(began))).days
    return max(0, min(surges.WEEKS, (days - surges.WINDOW + 1) // 7))


def _judge(
    place: Place,
    counts: Counter[int],
    weeks: int,
    standing: dict[Place, EarlyWarning],
    now: datetime,
) -> list[EarlyWarning]:
    reading = surges.read(counts[0], [counts[week] for week in range(1, weeks + 1)])
    if reading is None:
        return []
    warning = standing.get(place)
    if warning is not None and reading.goes_on:
        _keep_on(warning, now)
    elif warning is not None:
        _calm_down(warning, now)
    elif reading.is_surge(place.level):
        standing[place] = _raise(place, reading, now)
        return [standing[place]]
    return []


def _raise(place: Place, reading: Reading, now: datetime) -> EarlyWarning:
    return EarlyWarning.objects.create(
        county_id=place.county_id,
        town_id=place.town_id,
        village_id=place.village_id,
        category_id=place.category_id,
        raised_at=now,
        n=reading.n,
        expected=reading.expected,
        chance=reading.chance,
        last_over_on=timezone.localdate(now),
    )


def _keep_on(warning: EarlyWarning, now: datetime) -> None:
    if warning.last_over_on < timezone.localdate(now):
        warning.last_over_on = timezone.localdate(now)
        warning.save(update_fields=["last_over_on"])


def _calm_down(warning: EarlyWarning, now: datetime) -> None:
    """End a surge that has been over for days; until then it may come back as the same one."""
    if (timezone.localdate(now) - warning.last_over_on).days > surges.QUIET_DAYS:
        warning.ended_at = now
        warning.save(update_fields=["ended_at"])


def _tell(raised: Iterable[EarlyWarning]) -> None:
    outbox.post(
        outbox.Message(
            topic="notice",
            key=f"warning:{warning.pk}:{role}@{area_id}",
            payload={
                "kind": "early_warning",
                "role": role,
                "area": area_id,
                "data": {
                    "warning": warning.pk,
                    "place": f"{warning.area.name} · {warning.category.name} · {warning.n}",
                },
            },
        )
        for warning in raised
        for role, area_id in _told(warning)
    )


def _told(warning: EarlyWarning) -> list[tuple[str, int]]:
    if warning.village_id is None:
        return [(Role.COMMAND, warning.county_id)]
    return [(Role.VILLAGE_OFFICE, warning.village_id), (Role.TOWN_ADMIN, warning.town_id)]


def may_answer(actor: Actor, warning: EarlyWarning) -> bool:
    """Return whether the warning is the actor's to answer: told to them, or the command centre."""
    whose = [*_told(warning), (Role.COMMAND, warning.county_id)]
    return any(actor.scope.holds(role, [area_id]) for role, area_id in whose)


def acknowledge(*, warning_id: int, actor: Actor, word: str) -> EarlyWarning:
    """Say what is being done about a warning. The first word stands.

    Raises NotAllowed for those it was not told to, nor the command centre, Invalid without a
    word, Conflict when somebody was faster.
    """
    said = mask_text(word.replace("\x00", "").strip())
    with transaction.atomic():
        warning = (
            EarlyWarning.objects.select_for_update(of=("self",))
            .select_related("acknowledged_by", "category")
            .get(pk=warning_id)
        )
        if actor.user is None or not may_answer(actor, warning):
            raise NotAllowed(_("This step is not yours to take."))
        if warning.acknowledged_at is not None:
            raise Conflict(
                _("%(who)s has already answered: %(word)s")
                % {"who": warning.acknowledged_by, "word": warning.word}
            )
        if not said:
            raise Invalid(_("Please say what is being done."), field="word")
        if len(said) > 300:
            raise Invalid(_("Please keep it under %(n)s characters."), field="word", n=300)
        warning.word, warning.acknowledged_by = said, actor.user
        warning.acknowledged_at = timezone.now()
        warning.save(update_fields=["word", "acknowledged_by", "acknowledged_at"])
        audit.record(
            actor=actor.user,
            action="early_warning.acknowledge",
            subject_type="early_warning",
            subject_id=warning.pk,
            ip=actor.ip,
        )
    return warning


# ---------- hot topics

_GROUPS = """
    SELECT county_id, town_id, {village}, category_id, sum(n), max(day)
      FROM incidents_reportday
     WHERE day > %(first)s AND day <= %(today)s {only}
     GROUP BY 1, 2, 3, 4 HAVING sum(n) >= %(least)s AND max(day) > %(cold)s
     ORDER BY sum(n) DESC, 2, 3, 4 LIMIT %(most)s
"""


def group(*, now: datetime) -> None:
    """Bring the hot topics up to the reports of the last days; those that went cold end."""
    today = timezone.localdate(now)
    standing: defaultdict[Place, list[HotTopic]] = defaultdict(list)
    for topic in HotTopic.objects.filter(ended_on=None).order_by("id"):
        key = Place(topic.county_id, topic.town_id, topic.village_id, topic.category_id)
        standing[key].append(topic)
    places = _places(today)
    dull = frozenset(bigrams(" ".join(_place_names())))
    for place, total in places.items():
        before = standing.pop(place, [])
        counted = all(topic.counted_on == today for topic in before)
        if before and counted and sum(sum(topic.days) for topic in before) == total:
            continue
        _put_down(place, _reports(place, today), before, dull, today)
    over = [topic.pk for topics in standing.values() for topic in topics]
    HotTopic.objects.filter(pk__in=over).update(ended_on=today)


def _places(today: date) -> dict[Place, int]:
    """Return {village or town and item: reports of the last days}, the most of each level."""
    found: dict[Place, int] = {}
    for level, village, only in (
        ("village", "village_id", "AND village_id IS NOT NULL"),
        ("town", "NULL::bigint", ""),
    ):
        with connection.cursor() as cursor:
            cursor.execute(
                _GROUPS.format(village=village, only=only),
                {
                    "today": today,
                    "first": today - timedelta(days=grouping.DAYS),
                    "cold": today - timedelta(days=COLD_DAYS),
                    "least": grouping.LEAST[level],
                    "most": MOST_GROUPS,
                },
            )
            found |= {Place(*row[:4]): int(row[4]) for row in cursor.fetchall()}
    return found


def _place_names() -> list[str]:
    """Return the names of all villages behind their town's, as addresses have them."""
    rows = Area.objects.filter(level__in=[Level.TOWN, Level.VILLAGE])
    names = dict(rows.values_list("path", "name"))
    return [f"{names.get(path[: -Area.steplen], '')}{name}" for path, name in names.items()]


@planned_by_value()
def _reports(place: Place, today: date) -> list[grouping.Said]:
    """Read the newest reports of a place and item; merged ones by the item of their lead."""
    first = today - timedelta(days=grouping.DAYS - 1)
    since = timezone.make_aware(datetime.combine(first, datetime.min.time()))
    rows = Incident.objects.filter(
        _is_item(place.category_id),
        parent=None,
        town_id=place.town_id,
        reported_at__gte=since,
    ).exclude(Q(state="out_of_remit") | Q(source=Source.INSPECTION))
    if place.village_id is not None:
        rows = rows.filter(village_id=place.village_id)
    said = rows.order_by("-reported_at", "-id").values_list("id", "reported_at", "bigrams")
    return [grouping.Said(pk, at, frozenset(words)) for pk, at, words in said[:MOST_READ]]


def _is_item(category_id: int) -> Q:
    own = Q(category_id=category_id)
    return own | Q(category__isnull=True, merged_into__category_id=category_id)


def _put_down(
    place: Place,
    reports: Sequence[grouping.Said],
    before: list[HotTopic],
    dull: frozenset[str],
    today: date,
) -> None:
    """Write the topics of one place, each in the row of the topic it goes on with."""
    cold = today - timedelta(days=COLD_DAYS)
    for found in grouping.topics(reports, least=grouping.LEAST[place.level], dull=dull):
        last = found.reports[-1].at
        if timezone.localdate(last) <= cold:
            continue
        row = _goes_on(found, before) or HotTopic(
            county_id=place.county_id,
            town_id=place.town_id,
            village_id=place.village_id,
            category_id=place.category_id,
            first_seen=found.reports[0].at,
        )
        if row in before:
            before.remove(row)
        days = _by_day(found, today)
        row.words, row.days, row.counted_on = list(found.words), days, today
        row.heat, row.trend = round(grouping.heat(days), 3), grouping.trend(days)
        row.first_seen = min(row.first_seen, found.reports[0].at)
        row.last_seen = last
        row.sample = [report.id for report in found.reports[-grouping.SAMPLE :]][::-1]
        row.save()
    HotTopic.objects.filter(pk__in=[row.pk for row in before]).update(ended_on=today)


def _goes_on(found: grouping.Topic, before: list[HotTopic]) -> HotTopic | None:
    """Return the standing topic with the most words in common; by no words with no words."""
    own = set(bigrams(" ".join(found.words)))
    best = max(
        before,
        key=lambda row: (len(own & set(bigrams(" ".join(row.words)))), not row.words and not own),
        default=None,
    )
    if best is None or ((own or best.words) and not own & set(bigrams(" ".join(best.words)))):
        return None
    return best


def _by_day(found: grouping.Topic, today: date) -> list[int]:
    counts = Counter((today - timezone.localdate(report.at)).days for report in found.reports)
    return [counts[age] for age in range(grouping.DAYS - 1, -1, -1)]
