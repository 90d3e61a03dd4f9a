"""A county with a long past: the demo's places and people, and any number of incidents.

What lives here: filling an empty database, the incidents by SQL, because a million of them in
Python would take an hour. What must not: measuring. Rows look like those the services write,
as far as a page or a step reads them; the demo county (governance.demo) is the one to look at.
"""

from collections.abc import Callable, Iterator
from random import Random

from django.contrib.gis.geos import GEOSGeometry
from django.db import connection, transaction
from django.utils import timezone
from shapely import wkb

from benchmarks import sql
from core.models import CalendarYear
from core.services.calendar import import_year
from core.text import bigrams
from governance.demo import names, texts
from governance.demo.geometry import TRUE_SIZE, point_in
from governance.demo.people import build_people
from governance.demo.territory import build_territory
from grids.models import Area, Level, Posting, Role
from incidents.models import Category, DeadlineVersion
from incidents.services.catalogue import load_catalogue

PLACES, KINDS, TEXTS = 20_000, 1000, 5000
VILLAGES_NAMED = 880
CHUNK = 50_000
FILLED = (
    "incidents_incident",
    "incidents_event",
    "incidents_stageclock",
    "incidents_whistle",
    "incidents_whistleparty",
    "incidents_callback",
    "incidents_notice",
    "incidents_figure",
    "core_timer",
)
Say = Callable[[str], object]


def build(*, incidents: int, grids: int, short: bool, say: Say) -> None:
    """Fill the empty, migrated database and leave it analysed; ``short`` as in ``fill``."""
    build_places(shape=shape_of(grids), say=say)
    with without_indexes(say):
        for first, last in chunks(1, incidents):
            fill(first, last, incidents, short=short)
            say(f"incidents {last:,} of {incidents:,}")
    say("figures")
    with connection.cursor() as cursor:
        cursor.execute(sql.FIGURES)
    set_sequences()
    say("VACUUM ANALYZE")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def shape_of(grids: int) -> dict[str, int]:
    """Return the sizes of a county of ``grids`` grids, every kind in proportion; 0: true size."""
    if not grids:
        return {}
    whole = sum(TRUE_SIZE[kind] for kind in ("rural", "community", "dedicated"))
    kinds = ("towns", "villages", "rural", "community", "dedicated")
    shape = {name: round(TRUE_SIZE[name] * grids / whole) for name in kinds}
    if grids <= whole:
        return shape
    # The story has names for so many; a larger county has larger villages, and no units in them.
    return shape | {
        "towns": len(names.town_names()),
        "villages": min(shape["villages"], VILLAGES_NAMED),
        "unit_grids": 0,
        "units": 0,
    }


def build_places(*, shape: dict[str, int], say: Say) -> None:
    """Write areas, catalogue and people, and the pools the incidents are drawn from."""
    with transaction.atomic():
        for year in {(timezone.localdate()).year, timezone.localdate().year - 1}:
            if not CalendarYear.objects.filter(year=year).exists():
                import_year(year=year)
        say("areas and boundaries")
        county = build_territory(shape=shape, progress=lambda n: None)
        load_catalogue(county=county)
        say("people")
        build_people(county, progress=lambda n: None)
        say("pools")
        with connection.cursor() as cursor:
            cursor.execute(sql.POOLS)
        _fill_pools(county, Random("benchmark"))


def _fill_pools(county: Area, rng: Random) -> None:
    grids = list(Area.objects.inside(county).filter(level=Level.GRID))
    above = {a.path: a for a in Area.objects.inside(county).exclude(level=Level.GRID)}
    step = Area.steplen
    weights = _skew(rng, grids, above, step)
    polygons = {g.pk: wkb.loads(bytes(GEOSGeometry(g.boundary).wkb)).geoms[0] for g in grids}
    places = []
    for n, grid in enumerate(rng.choices(grids, weights, k=PLACES)):
        village, town = above[grid.path[:-step]], above[grid.path[: -2 * step]]
        lon, lat = point_in(rng, polygons[grid.pk])
        name = f"{town.name}{village.name}"
        places.append((n, county.pk, town.pk, village.pk, grid.pk, lon, lat, name, bigrams(name)))
    _copy("bench.place", places)
    categories = list(Category.objects.filter(active=True).select_related("owner"))
    versions = dict(DeadlineVersion.objects.values_list("category_id", "pk"))
    handlers = dict(
        Posting.objects.filter(role=Role.DEPARTMENT_HANDLER).values_list("department_id", "user_id")
    )
    each = TEXTS // len(categories)
    first = {category.pk: n * each for n, category in enumerate(categories)}
    told = []
    for category in categories:
        for _n in range(each):
            _title, text = texts.incident_text(rng, category.code, "本村")
            told.append((len(told), text, bigrams(text)))
    _copy("bench.text", told)
    often = [rng.paretovariate(1.2) * (4 if c.village_allowed else 1) for c in categories]
    # Each at least once: the rarest category is a filter too.
    chosen = categories + rng.choices(categories, often, k=KINDS - len(categories))
    _copy(
        "bench.kind",
        [
            (n, c.pk, c.tier, c.owner_id, handlers.get(c.owner_id), versions.get(c.pk))
            + (first[c.pk], each, c.village_allowed)
            for n, c in enumerate(chosen)
        ],
    )
    _copy("bench.state", sql.STATES)
    _copy("bench.step", sql.STEPS)
    _copy("bench.clock", sql.CLOCKS)


def _skew(rng: Random, grids: list[Area], above: dict[str, Area], step: int) -> list[float]:
    """Return how often each grid reports: few towns and few grids make most of the work."""
    town = {path: rng.paretovariate(1.1) for path, a in above.items() if a.level == Level.TOWN}
    return [town[g.path[: -2 * step]] * rng.paretovariate(1.5) for g in grids]


def _copy(table: str, rows: list[tuple]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def chunks(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of pieces of at most CHUNK ids, both ends included."""
    for start in range(first, last + 1, CHUNK):
        yield start, min(start + CHUNK - 1, last)


def fill(first: int, last: int, total: int, *, state: str = "", short: bool = False) -> None:
    """Write the incidents with these ids and all that hangs on them.

    ``total`` is the id reported just now; ``state`` puts all of them there, owned by
    departments (for measuring steps). With ``short`` nine of ten ended cases have only the first
    and the last row of their timeline, so that ten million fit on a small disk.
    """
    values = {"first": first, "last": last, "total": total, "state": state, "short": short}
    values |= {"places": PLACES, "kinds": KINDS}
    with transaction.atomic(), connection.cursor() as cursor:
        # Foreign keys are right by construction; checking nine a row would take half the time.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in sql.FILL:
            cursor.execute(statement, values)


def forget(first: int, last: int) -> None:
    """Remove the incidents with these ids and all that hangs on them, as if never written."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Timelines only grow by the product's hand.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in sql.FORGET:
            cursor.execute(statement, {"first": first, "last": last})


def set_sequences() -> None:
    """Let the next row the product writes come after the highest id."""
    with connection.cursor() as cursor:
        for table in FILLED:
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"
                f" (SELECT coalesce(max(id), 1) FROM {table}))"
            )


class without_indexes:
    """Drop the indexes that hold no constraint, and make them again at the end."""

    def __init__(self, say: Say) -> None:
        self.say = say

    def __enter__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s)"
                " AND indexname NOT IN (SELECT conname FROM pg_constraint)",
                [list(FILLED)],
            )
            self.found = cursor.fetchall()
            for name, _text in self.found:
                cursor.execute(f'DROP INDEX "{name}"')

    def __exit__(self, kind: object, *_more: object) -> None:
        if kind is not None:
            return
        with connection.cursor() as cursor:
            cursor.execute("SET maintenance_work_mem = '1GB'")
            for name, text in self.found:
                self.say(f"index {name}")
                cursor.execute(text)


def top_up(wanted: int, say: Say) -> None:
    """Have ``wanted`` cases wait to be accepted by departments, those reported last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE state = 'dispatched' AND ended_at IS NULL"
            " AND overdue_at IS NULL AND owner_department_id IS NOT NULL),"
            " (SELECT max(id) FROM incidents_incident)"
            " FROM incidents_incident WHERE ended_at IS NULL"
        )
        waiting, highest = cursor.fetchone()
    if waiting >= wanted:
        return
    say(f"{wanted - waiting:,} more cases to be accepted")
    last = highest + wanted - waiting
    for first, end in chunks(highest + 1, last):
        fill(first, end, last, state="dispatched")
    set_sequences()
