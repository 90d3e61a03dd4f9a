"""Writing the demo county into an empty database, in bulk and with progress.

What must not live here: what the county is like (territory, people, stories).
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import islice

from django.db import transaction
from django.utils import timezone

from core.errors import Invalid
from core.models import CalendarYear
from core.services.calendar import import_year
from core.services.timers import set_timers
from governance.demo import stories
from governance.demo.coverage import build_coverage
from governance.demo.disputes import build_disputes
from governance.demo.duty import build_duty
from governance.demo.emergencies import build_emergencies
from governance.demo.households import build_households
from governance.demo.inspections import build_inspections
from governance.demo.network import build_network
from governance.demo.people import build_people
from governance.demo.reorganisation import build_reorganisation
from governance.demo.roster import build_roster
from governance.demo.story import Story
from governance.demo.territory import build_territory
from governance.demo.worker_files import build_worker_files
from grids.models import Area
from incidents.models import (
    CallBack,
    Event,
    Extension,
    Incident,
    ReporterContact,
    StageClock,
    Suggestion,
    SupervisionNotice,
    Whistle,
    WhistleParty,
)
from incidents.services import figures, scores, topics
from incidents.services.assessments import assess_last_month
from incidents.services.catalogue import load_catalogue

BATCH = 500
DISPUTES = 1091
# label, how many are expected → a function that is told how many more are done
Phase = Callable[[str, int], Callable[[int], object]]


def build(*, phase: Phase, shape: dict | None = None, incidents: int = stories.COUNT) -> Area:
    """Build the whole county in one transaction. Raises Invalid unless the database is empty.

    ``shape`` are sizes for a smaller county (tests); None is the true size.
    """
    if Area.objects.exists():
        raise Invalid("The database already holds areas; the demo county needs an empty one.")
    with transaction.atomic():
        _calendar()
        county = build_territory(shape=shape or {}, progress=phase("Areas and boundaries", 12_360))
        build_coverage(county, progress=phase("Coverage", 4363))
        phase("Catalogue, rules, knowledge base", 1)(_loaded(county))
        people = build_people(county, progress=phase("People and postings", 8000))
        build_households(county, people, progress=phase("Households and visits", 1300))
        build_network(county, people, progress=phase("Alliances and themes", 5000))
        build_roster(county, progress=phase("Leaves and grids without a chief", 500))
        build_duty(county)
        build_reorganisation(county, people)
        build_worker_files(progress=phase("Workers' files and cards", 48))
        setting = stories.Setting(county, people, timezone.now(), incidents)
        _write_stories(stories.tell(setting), phase("Incidents", incidents))
        build_emergencies(county)
        build_inspections(county, people, progress=phase("Inspections", 42))
        phase("Figures", 1)(_figures())
        phase("Scores", incidents)(_scores())
        topics.refresh(whole=True)
        share = incidents / stories.COUNT
        build_disputes(
            county=county,
            people=people,
            count=max(round(DISPUTES * share), 20),
            progress=phase("Disputes", max(round(DISPUTES * share), 20)),
        )
    return county


def _calendar() -> None:
    """Import the years the stories touch; the coming year is left to be imported for real."""
    now = timezone.localtime()
    for year in sorted({(now - timedelta(days=400)).year, now.year}):
        if CalendarYear.objects.filter(year=year).exists():
            continue
        try:
            import_year(year=year)
        except Invalid:
            import_year(year=year, source=[])


def _loaded(county: Area) -> int:
    load_catalogue(county=county)
    return 1


def _figures() -> int:
    figures.rebuild()
    return 1


def _scores() -> int:
    done = scores.rebuild()
    assess_last_month()
    return done


def _write_stories(
    told: Iterable[tuple[Story, ReporterContact | None]], progress: Callable[[int], object]
) -> None:
    told, events = iter(told), []
    while batch := list(islice(told, BATCH)):
        lives = [story for story, _contact in batch]
        Incident.objects.bulk_create([story.incident for story in lives])
        ReporterContact.objects.bulk_create(
            [contact for _story, contact in batch if contact is not None]
        )
        events += _all(lives, "events")
        Whistle.objects.bulk_create(_all(lives, "whistles"))
        WhistleParty.objects.bulk_create(_all(lives, "parties"))
        StageClock.objects.bulk_create(_all(lives, "clocks"), batch_size=2000)
        SupervisionNotice.objects.bulk_create(_all(lives, "notices"))
        Extension.objects.bulk_create(_all(lives, "extensions"))
        CallBack.objects.bulk_create(_all(lives, "callbacks"))
        Suggestion.objects.bulk_create(_all(lives, "suggestions"))
        set_timers(spec for story in lives for spec in story.timers())
        progress(len(batch))
    # Numbered as they happened: the live feed reads them in that order.
    events.sort(key=lambda event: (event.at, event.incident.pk, event.seq))
    Event.objects.bulk_create(events, batch_size=2000)


def _all(lives: list[Story], name: str) -> list:
    return [row for story in lives for row in getattr(story, name)]
