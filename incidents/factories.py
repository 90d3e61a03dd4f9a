"""Builders of incidents for tests: one world of people, and cases brought to a state.

Cases come to a state by the real services, never by writing the state.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.test import Client
from django.utils import timezone

from core.models import CalendarYear
from core.working_calendar import WorkingCalendar
from grids.factories import DepartmentFactory, SmallCounty, person, small_county
from grids.models import Department, Role, User
from incidents.models import (
    Attachment,
    Category,
    Deadline,
    DeadlineVersion,
    Incident,
    Ladder,
    LadderRung,
    Source,
    Stage,
    Tier,
)
from incidents.models.ladder import Rung
from incidents.services import dispatching, handling, verification, whistle
from incidents.services.intake import Report, report
from incidents.workflow import Actor

# Days and hours that need no calendar, so that a test about something else reads simply.
SIMPLE_DEADLINES = {
    Stage.TRIAGE: (4, "calendar_hours"),
    Stage.ACCEPT: (8, "calendar_hours"),
    Stage.ARRIVE: (1, "calendar_days"),
    Stage.RESPOND: (3, "calendar_days"),
    Stage.RESOLVE: (5, "calendar_days"),
    Stage.VERIFY: (2, "calendar_days"),
    Stage.CALLBACK: (7, "calendar_days"),
}


def deadlines(
    category: Category | None, stages: dict[str, tuple[int, str]], *, version: int = 1
) -> DeadlineVersion:
    """Give a category (None: the county) a version of deadlines {stage: (amount, unit)}."""
    row = DeadlineVersion.objects.create(
        category=category, version=version, valid_from="2020-01-01"
    )
    Deadline.objects.bulk_create(
        Deadline(version=row, stage=stage, amount=amount, unit=unit)
        for stage, (amount, unit) in stages.items()
    )
    return row


def ladder(
    category: Category | None = None, *, tier: str = "", version: int = 1, **rungs: Any
) -> Ladder:
    """Give a category (None: the county) a ladder of every rung, a calendar day each.

    ``rungs`` are changes by the rung's name, e.g. ``town={"takes_over": True}``; None leaves
    the rung out.
    """
    row = Ladder.objects.create(
        category=category, tier=tier, version=version, valid_from="2020-01-01"
    )
    changes = {rung: rungs.get(rung.name.lower(), {}) for rung in Rung}
    LadderRung.objects.bulk_create(
        LadderRung(ladder=row, rung=rung, **({"amount": 1, "unit": "calendar_days"} | change))
        for rung, change in changes.items()
        if change is not None
    )
    return row


def category(owner: Department, **more: Any) -> Category:
    """Make a category villages may handle, of the local tier, unless said otherwise."""
    number = Category.objects.count() + 1
    values = {
        "code": f"T-{number:02}",
        "name": f"测试类别{number}",
        "name_en": f"Test item {number}",
        "major": "测试大类",
        "major_en": "Test class",
        "tier": Tier.LOCAL,
        "village_allowed": True,
    }
    return Category.objects.create(owner=owner, **(values | more))


@dataclass
class World:
    """A small county with its people, two departments and a category; clocks in calendar time.

    ``people`` are keyed by role; grid, village and town people sit at the first of each.
    """

    places: SmallCounty = field(default_factory=small_county)

    def __post_init__(self) -> None:
        for year in (2026, 2027, 2028):
            CalendarYear.objects.get_or_create(
                year=year, defaults={"source": "test", "imported_at": timezone.now()}
            )
        WorkingCalendar.forget()
        self.city = DepartmentFactory(name="城管局", name_en="City management")
        self.water = DepartmentFactory(name="水利局", name_en="Water")
        self.rubbish = category(self.city, name="暴露垃圾", name_en="Exposed rubbish")
        self.road = category(
            self.city, name="道路破损", name_en="Broken road", village_allowed=False
        )
        deadlines(None, SIMPLE_DEADLINES)
        ladder()
        self.grid, self.village = self.places.grids[0], self.places.villages[0]
        self.town, self.county = self.places.towns[0], self.places.county
        self.worker = person(Role.GRID_WORKER, self.grid)
        self.chief = person(Role.GRID_CHIEF, self.grid)
        self.office = person(Role.VILLAGE_OFFICE, self.village)
        self.town_admin = person(Role.TOWN_ADMIN, self.town)
        self.command = person(Role.COMMAND, self.county)
        self.leader = person(Role.COUNTY_LEADER, self.county)
        self.city_handler = person(Role.DEPARTMENT_HANDLER, self.city)
        self.water_handler = person(Role.DEPARTMENT_HANDLER, self.water)

    def report(self, text: str = "村口垃圾堆了三天没人清", **more: Any) -> Incident:
        """A resident reports from the middle of the first grid."""
        longitude, latitude = self.places.point_in(self.grid)
        values = {"source": Source.RESIDENT, "latitude": latitude, "longitude": longitude}
        return report(Report(text=text, **(values | more)))[0]

    def pending(self, **more: Any) -> Incident:
        """A triaged case waiting to be dispatched."""
        incident = self.report()
        values = {"category": self.rubbish, "send": False}
        return dispatching.triage(
            incident_id=incident.pk, actor=actor(self.command), **(values | more)
        )

    def dispatched(self, to: Any = None, **more: Any) -> Incident:
        """A case sent to a department (city management) or an area."""
        to = to or self.city
        where = "department" if isinstance(to, Department) else "area"
        incident = self.pending(**more)
        return dispatching.dispatch(
            incident_id=incident.pk, actor=actor(self.command), **{where: to}
        )

    def accepted(self, to: Any = None, by: User | None = None, **more: Any) -> Incident:
        """A case its owner has accepted."""
        incident = self.dispatched(to, **more)
        return handling.accept(incident_id=incident.pk, actor=actor(by or self.city_handler))

    def responded(self, to: Any = None, by: User | None = None, **more: Any) -> Incident:
        """A case waiting to be verified."""
        incident = self.accepted(to, by, **more)
        return handling.respond(
            incident_id=incident.pk, actor=actor(by or self.city_handler), result="已清运完毕"
        )

    def called_back(self, to: Any = None, by: User | None = None, **more: Any) -> Incident:
        """A case waiting for its rating."""
        incident = self.responded(to, by, **more)
        return verification.verify_pass(incident_id=incident.pk, actor=actor(self.command))

    def whistled(self, *, more: Sequence[Department] = ()) -> Incident:
        """A whistle with city management in the lead, water and ``more`` beside it."""
        incident = self.pending(category=self.road, tier=Tier.WHISTLE)
        whistle.blow(
            incident_id=incident.pk,
            actor=actor(self.town_admin),
            ask="请两家现场会商",
            calls=[
                whistle.Call(self.city, "修路面", is_lead=True),
                whistle.Call(self.water, "查管网"),
                *(whistle.Call(department) for department in more),
            ],
        )
        return Incident.objects.get(pk=incident.pk)


def actor(user: User) -> Actor:
    """The acting user."""
    return Actor.for_user(user)


def as_(user: User) -> Client:
    """A browser without scripts in which ``user`` is signed in."""
    client = Client()
    client.force_login(user, backend="grids.backends.PostingBackend")
    return client


def draft_photo(user: User | None = None, **more: Any) -> Attachment:
    """A photo uploaded and not yet used."""
    return Attachment.objects.create(
        file=f"photos/{uuid.uuid4().hex}.jpg",
        sha256="0" * 64,
        width=8,
        height=8,
        uploaded_by=user,
        **more,
    )
