"""The demo county's people: 171 guides, 915 chiefs, 4,020 workers, departments, the centre.

All invented. Only the demonstration accounts have a password.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.utils import timezone

from core.crypto import blind_index
from governance.demo import names
from grids.models import Area, Department, Level, Posting, Role, User, WorkerKind

GUIDES, CHIEFS, WORKERS, FULL_TIME = 171, 915, 4020, 3420


@dataclass
class People:
    """Who is posted where, by role and area (or department) id."""

    at: dict[tuple[str, int], list[User]] = field(default_factory=dict)

    def any(self, rng: Random, role: str, place_id: int) -> User:
        """Return one holder of ``role`` at the place."""
        return rng.choice(self.at[role, place_id])


class _Roll:
    """Collects users and postings, then writes them in bulk."""

    def __init__(self, rng: Random, today: date) -> None:
        self.rng, self.today = rng, today
        self.users: list[User] = []
        self.postings: list[Posting] = []

    def person(self, username: str = "", *, demo: bool = False) -> User:
        name, phone = names.person_name(self.rng), names.phone_number(self.rng)
        user = User(
            username=username or f"u{len(self.users) + 1:05}",
            display_name=name,
            phone=phone,
            phone_index=blind_index(phone),
            password=UNUSABLE_PASSWORD_PREFIX + f"{len(self.users):08}",
            is_demo=demo,
            is_staff=demo and username in {"command", "system", "audit"},
        )
        self.users.append(user)
        return user

    def post(self, user: User, role: str, place: Area | Department, **more: str) -> None:
        where = {"department": place} if isinstance(place, Department) else {"area": place}
        since = self.today - timedelta(days=self.rng.randint(250, 900))
        self.postings.append(Posting(user=user, role=role, valid_from=since, **where, **more))

    def write(self) -> People:
        password = make_password(settings.DEMO_PASSWORD)
        for user in self.users:
            if user.is_demo:
                user.password = password
        User.objects.bulk_create(self.users, batch_size=1000)
        Posting.objects.bulk_create(self.postings, batch_size=1000)
        people = People()
        for posting in self.postings:
            place_id = posting.area_id or posting.department_id
            assert place_id is not None
            people.at.setdefault((posting.role, place_id), []).append(posting.user)
        return people


def build_people(county: Area, *, progress: Callable[[int], object]) -> People:
    """Write everybody and return who is where."""
    rng = Random("people")
    roll = _Roll(rng, timezone.localdate())
    areas = list(Area.objects.inside(county))
    of: dict[str, list[Area]] = {level: [a for a in areas if a.level == level] for level in Level}
    ordinary = [grid for grid in of[Level.GRID] if grid.grid_kind != "dedicated"]
    show = show_place(of)
    _centre(roll, county)
    for department in Department.objects.filter(county=county):
        code = department.code.lower()
        roll.post(roll.person(f"dept-{code}", demo=True), Role.DEPARTMENT_HANDLER, department)
        roll.post(roll.person(), Role.DEPARTMENT_HANDLER, department)
    for town in of[Level.TOWN]:
        demo = town == show["town"]
        roll.post(roll.person("town" if demo else "", demo=demo), Role.TOWN_ADMIN, town)
        roll.post(roll.person(), Role.TOWN_ADMIN, town)
        roll.post(roll.person(), Role.MEDIATOR, town)
    for village in of[Level.VILLAGE]:
        demo = village == show["village"]
        roll.post(roll.person("village" if demo else "", demo=demo), Role.VILLAGE_OFFICE, village)
        roll.post(roll.person("mediator" if demo else "", demo=demo), Role.MEDIATOR, village)
    _spread(roll, Role.GRID_GUIDE, of[Level.VILLAGE], GUIDES, ("guide", show["village"]))
    _spread(roll, Role.GRID_CHIEF, of[Level.GRID], CHIEFS, ("chief", show["grid"]))
    _workers(roll, of[Level.GRID], ordinary, show["grid"])
    for n, unit in enumerate(of[Level.UNIT]):
        roll.post(roll.person("unit" if not n else "", demo=not n), Role.UNIT_HEAD, unit)
    people = roll.write()
    progress(len(roll.users))
    return people


def show_place(of: dict[str, list[Area]]) -> dict[str, Area]:
    """Return the town, village and grid the demonstration accounts sit at: where units are."""
    unit = of[Level.UNIT][0] if of[Level.UNIT] else None
    grid = next(g for g in of[Level.GRID] if unit is None or unit.path.startswith(g.path))
    village = next(v for v in of[Level.VILLAGE] if grid.path.startswith(v.path))
    town = next(t for t in of[Level.TOWN] if grid.path.startswith(t.path))
    return {"grid": grid, "village": village, "town": town}


def _centre(roll: _Roll, county: Area) -> None:
    for username, role in (
        ("command", Role.COMMAND),
        ("leader", Role.COUNTY_LEADER),
        ("system", Role.SYSTEM_ADMIN),
        ("audit", Role.AUDIT_ADMIN),
        ("security", Role.SECURITY_ADMIN),
    ):
        roll.post(roll.person(username, demo=True), role, county)
    for _n in range(7):
        roll.post(roll.person(), Role.COMMAND, county)
    roll.post(roll.person(), Role.COUNTY_LEADER, county)


def _spread(
    roll: _Roll, role: str, places: Sequence[Area], count: int, show: tuple[str, Area]
) -> None:
    """Share the places out among ``count`` people, neighbours together."""
    count = min(count, len(places))
    username, show_place = show
    for n in range(count):
        mine = places[n * len(places) // count : (n + 1) * len(places) // count]
        demo = show_place in mine
        user = roll.person(username if demo else "", demo=demo)
        for place in mine:
            roll.post(user, role, place)


def _workers(roll: _Roll, grids: list[Area], ordinary: list[Area], show: Area) -> None:
    """One worker for each grid and the rest where most people live; 3,420 of 4,020 full-time."""
    total = max(len(grids), round(WORKERS * len(grids) / 3809))
    extra = roll.rng.choices(ordinary, k=total - len(grids))
    full_time = round(total * FULL_TIME / WORKERS)
    for n, grid in enumerate([*grids, *extra]):
        demo = n < len(grids) and grid == show
        if grid.grid_kind == "dedicated":
            kind = WorkerKind.DEDICATED
        else:
            kind = WorkerKind.PART_TIME if n % 6 == 0 else WorkerKind.AUXILIARY
        if full_time and (n % 20 < 17 or grid.grid_kind != "dedicated"):
            kind, full_time = WorkerKind.FULL_TIME, full_time - 1
        user = roll.person("worker" if demo else "", demo=demo)
        roll.post(user, Role.GRID_WORKER, grid, worker_kind=kind)
