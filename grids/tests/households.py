"""What tests of households and visits share: a county with a unit, its line, a household."""

from dataclasses import dataclass, field
from typing import Any

from django.test import Client
from django.utils import timezone

from grids.factories import SmallCounty, person, small_county
from grids.models import CareTag, Household, Role, User, VisitRule
from grids.services.households import HouseholdFields, add_household

PHONE = "19900001234"
NAME = "周小禾"


@dataclass
class Ledger:
    """The small county with the line of its only unit, and what the tests add to it."""

    county: SmallCounty = field(default_factory=small_county)

    def __post_init__(self) -> None:
        place = self.county
        self.unit, self.grid, self.village = place.unit, place.grids[0], place.villages[0]
        self.town, self.other_town = place.towns
        self.head = person(Role.UNIT_HEAD, self.unit)
        self.worker = person(Role.GRID_WORKER, self.grid)
        self.chief = person(Role.GRID_CHIEF, self.grid)
        self.office = person(Role.VILLAGE_OFFICE, self.village)
        self.admin = person(Role.TOWN_ADMIN, self.town)
        self.stranger = person(Role.TOWN_ADMIN, self.other_town)
        self.command = person(Role.COMMAND, place.county)
        self.leader = person(Role.COUNTY_LEADER, place.county)
        self.mediator = person(Role.MEDIATOR, self.village)
        self.alone = CareTag.objects.create(
            code="alone", name="独居老人", name_en="Living alone", review_months=6
        )
        self._doors = 0

    def household(self, *, area: Any = None, actor: User | None = None, **fields: Any) -> Household:
        """Add a household, by default in the unit."""
        self._doors += 1
        given = {"address": f"{self._doors}号院", "contact": NAME, "phone": PHONE, "people": 3}
        return add_household(
            area=area or self.unit,
            fields=HouseholdFields(**(given | fields)),
            actor=actor or self.admin,
        )

    def rule(self, days: int | None, *, area: Any = None, tag: Any = None) -> VisitRule:
        """Let a rule hold from long ago."""
        return VisitRule.objects.create(
            area=area or self.county.county, tag=tag, days=days, valid_from="2020-01-01"
        )


def client_of(user: User) -> Client:
    """Return a client signed in as ``user``."""
    client = Client()
    client.force_login(user)
    return client


def today():
    """Return today where the county is."""
    return timezone.localdate()
