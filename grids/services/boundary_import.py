"""A boundary file on its way in: taken, read and matched, looked at, saved whole or thrown away.

What lives here: the steps of an import and the matching of features to areas. What must not:
reading files (boundary_file.py) and writing boundaries (territory.py).

Reading and saving are done by a worker that finds its work in the rows' state, so losing it or
Redis loses nothing. The uploaded file is gone as soon as it has been read.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import hypot
from statistics import median
from typing import IO, Any, cast
from uuid import uuid4

from django.contrib.gis.geos import GEOSGeometry, MultiPolygon
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import BadUpload, Conflict, GeshiError, Invalid, NotAllowed
from core.locks import Lock
from core.places import SYSTEMS, to_wgs84
from grids.models import (
    Area,
    AreaCode,
    BoundaryImport,
    BoundaryRow,
    ImportState,
    User,
    Verdict,
    shapes_of,
)
from grids.queries.boundaries import progress_key
from grids.queries.reach import Reach
from grids.services.boundary_file import Feature, read_features
from grids.services.boundary_formats import FILE_MEGABYTES, MEGABYTE
from grids.services.territory import NewBoundary, lock_tree, set_boundaries

logger = logging.getLogger(__name__)

# Whoever reads or saves an import holds it.
IMPORT_LOCK = Lock("grids.boundary_import")
KEPT = timedelta(hours=24)
_UNSAVED = (ImportState.UPLOADED, ImportState.READ, ImportState.FAILED)
BATCH = 1000
# So many matched areas are compared with what they were to see whether the system is plausible.
COMPARED = 200
# Boundaries of one place lie this near each other in the right system and in no other, metres.
NEAR, METRES_PER_DEGREE = 100.0, 111_000.0


def take_in(
    *, file: IO[bytes] | Any, filename: str, system: str, area: Area, actor: User
) -> BoundaryImport:
    """Keep a file for the worker to read; nothing of the map changes.

    Raises NotAllowed outside the actor's reach, BadUpload over the size, Invalid for a system
    that is not one of core.places.SYSTEMS.
    """
    if not Reach.of_user(actor).covers(area):
        raise NotAllowed
    if system not in SYSTEMS:
        raise Invalid(_("Unknown coordinate system “%(system)s”."), field="system", system=system)
    data = file.read(FILE_MEGABYTES * MEGABYTE + 1)
    if not data:
        raise BadUpload(_("The file is empty."), field="file")
    if len(data) > FILE_MEGABYTES * MEGABYTE:
        raise BadUpload(
            _("The file is larger than %(megabytes)s MB."), field="file", megabytes=FILE_MEGABYTES
        )
    return BoundaryImport.objects.create(
        area=area,
        uploaded_by=actor,
        filename=filename.replace("\0", "")[-100:],
        file=ContentFile(data, name=uuid4().hex),
        system=system,
    )


def work() -> bool:
    """Read or save the oldest import that waits for it; False when there is none to be done."""
    with transaction.atomic():
        if not IMPORT_LOCK.try_hold():
            return False
        one = (
            BoundaryImport.objects.select_for_update(of=["self"], skip_locked=True)
            .select_related("area", "uploaded_by")
            .defer(*shapes_of("area"))
            .filter(state__in=[ImportState.UPLOADED, ImportState.CONFIRMED])
            .order_by("created_at")
            .first()
        )
        if one is None:
            return False
        step = _read if one.state == ImportState.UPLOADED else _save
        try:
            with transaction.atomic():
                step(one)
        except GeshiError as error:
            _fail(one, _told(error))
        except Exception:
            logger.exception("boundary import %s", one.pk)
            _fail(one, _("This file could not be worked on. Please tell the administrator."))
        _forget_file(one)
    return True


def choose(
    *, one: BoundaryImport, actor: User, on: bool, number: int = 0, verdict: str = ""
) -> int:
    """Take one row, or all rows of a verdict, in or out of what will be saved.

    Returns how many rows were touched; only matched rows can be taken in. Raises Conflict when
    the import no longer waits to be confirmed.
    """
    _check_own(one, actor)
    rows = one.rows.filter(verdict__in=[Verdict.CODE, Verdict.NAME])
    rows = rows.filter(number=number) if number else rows.filter(verdict=verdict)
    with transaction.atomic():
        _lock_open(one)
        return rows.update(chosen=on)


def confirm(*, one: BoundaryImport, actor: User) -> None:
    """Give the chosen rows to the worker to be saved, all of them or none.

    Raises Invalid when nothing is chosen, Conflict when somebody was faster.
    """
    _check_own(one, actor)
    with transaction.atomic():
        _lock_open(one)
        if not one.rows.filter(chosen=True).exists():
            raise Invalid(_("No row is chosen."))
        BoundaryImport.objects.filter(pk=one.pk).update(state=ImportState.CONFIRMED)


def drop(*, one: BoundaryImport, actor: User) -> None:
    """Throw an import away that is not saved.

    Raises Conflict when it is no longer open, and at once, without waiting, while it is read.
    """
    _check_own(one, actor)
    if _throw_away(one):
        return
    if BoundaryImport.objects.filter(pk=one.pk, state__in=_UNSAVED).exists():
        raise Conflict(_("The file is being read just now. Throw it away once that has ended."))
    raise Conflict(_("This import is no longer open."))


def forget_old(*, now: datetime | None = None) -> int:
    """Forget files and rows of imports nobody confirmed within a day; return how many."""
    before = (now or timezone.now()) - KEPT
    old = BoundaryImport.objects.filter(created_at__lt=before, state__in=_UNSAVED)
    return sum(_throw_away(one) for one in list(old))


def _throw_away(one: BoundaryImport) -> bool:
    """Forget file and rows; False for what is saved, or worked on at this moment."""
    with transaction.atomic():
        free = BoundaryImport.objects.select_for_update(skip_locked=True)
        if not free.filter(pk=one.pk, state__in=_UNSAVED).exists():
            return False
        one.rows.all().delete()
        BoundaryImport.objects.filter(pk=one.pk).update(
            state=ImportState.DROPPED, finished_at=timezone.now()
        )
        _forget_file(one)
    return True


def _check_own(one: BoundaryImport, actor: User) -> None:
    if one.uploaded_by_id != actor.pk or not Reach.of_user(actor).covers(one.area):
        raise NotAllowed


def _lock_open(one: BoundaryImport) -> None:
    state = (
        BoundaryImport.objects.select_for_update().filter(pk=one.pk).values_list("state", flat=True)
    ).get()
    if state != ImportState.READ:
        raise Conflict(_("This import is no longer open."))


def _told(error: GeshiError) -> str:
    lines = [str(error)]
    if isinstance(error, Invalid):
        lines += [str(why) for all_why in error.errors.values() for why in all_why]
    return "\n".join(dict.fromkeys(lines))[:2000]


def _fail(one: BoundaryImport, why: str) -> None:
    one.rows.all().delete()
    one.state, one.error, one.finished_at = ImportState.FAILED, why, timezone.now()
    one.save(update_fields=["state", "error", "finished_at"])


def _forget_file(one: BoundaryImport) -> None:
    """Delete the file once the row says it is no longer needed; the row goes first."""
    name, storage = one.file.name, one.file.storage
    if not name:
        return
    BoundaryImport.objects.filter(pk=one.pk).update(file="")
    transaction.on_commit(lambda: storage.delete(name))


# Reading


def _read(one: BoundaryImport) -> None:
    with one.file.open("rb") as file:
        data = file.read()
    count = _counter(one)
    features = read_features(data, system=one.system, progress=count)
    matches = _match(features, one.area)
    rows = [_row(one, feature, matches[feature.number]) for feature in features]
    for start in range(0, len(rows), BATCH):
        BoundaryRow.objects.bulk_create(rows[start : start + BATCH])
    with connection.cursor() as cursor:
        cursor.execute(_COMPARE, {"source": one.pk})
    one.total = len(rows)
    one.warning = _doubt(one)
    one.state = ImportState.READ
    one.save(update_fields=["total", "warning", "state"])


def _counter(one: BoundaryImport) -> Callable[[int], None]:
    """Return what is told of each feature read, and shows it to whoever waits."""
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        if done % BATCH == 0:
            cache.set(progress_key(one.pk), done, 600)

    return count


@dataclass(frozen=True)
class _Match:
    verdict: str
    reason: str = ""
    area_id: int | None = None


@dataclass
class _Known:
    """The open areas inside an import's area, by everything they may be called."""

    by_code: dict[str, int] = field(default_factory=dict)
    by_name: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    parent: dict[int, tuple[str, str]] = field(default_factory=dict)


def _known(area: Area) -> _Known:
    rows = list(
        Area.objects.open()
        .filter(path__startswith=area.path)
        .values_list("pk", "code", "name", "path")
    )
    by_path = {path: (code, name) for _pk, code, name, path in rows}
    known = _Known()
    old = AreaCode.objects.filter(area__in=[pk for pk, *_rest in rows]).order_by("pk")
    known.by_code = dict(old.values_list("code", "area_id"))
    for pk, code, name, path in rows:
        known.by_code[code] = pk
        known.by_name[name].append(pk)
        known.parent[pk] = by_path.get(path[: -Area.steplen], ("", ""))
    return known


def _match(features: Sequence[Feature], area: Area) -> dict[int, _Match]:
    """Return what each feature is: by code, else by exact name within its parent.

    An area outside ``area`` is unknown here, whether it exists or not.
    """
    known = _known(area)
    matches = {feature.number: _match_one(feature, known) for feature in features}
    numbers: dict[int, list[int]] = defaultdict(list)
    for number, match in matches.items():
        if match.area_id is not None:
            numbers[match.area_id].append(number)
    for same in numbers.values():
        for number in same if len(same) > 1 else ():
            others = ", ".join(str(other) for other in same if other != number)
            reason = _("features %(others)s mean the same area") % {"others": others[:100]}
            matches[number] = _Match(Verdict.AMBIGUOUS, reason)
    return matches


def _match_one(feature: Feature, known: _Known) -> _Match:
    if feature.wkb is None:
        return _Match(Verdict.INVALID, feature.problem)
    if feature.code in known.by_code:
        return _Match(Verdict.CODE, area_id=known.by_code[feature.code])
    found = known.by_name.get(feature.name, []) if feature.name else []
    if feature.parent:
        found = [pk for pk in found if feature.parent in known.parent[pk]]
    if len(found) == 1:
        return _Match(Verdict.NAME, area_id=found[0])
    if found:
        reason = _("%(n)s areas are called so; give the code, or the parent's code or name")
        return _Match(Verdict.AMBIGUOUS, reason % {"n": len(found)})
    return _Match(Verdict.UNKNOWN, _("no area here has this code or name"))


def _row(one: BoundaryImport, feature: Feature, match: _Match) -> BoundaryRow:
    lon, lat = feature.at or (None, None)
    return BoundaryRow(
        source=one,
        number=feature.number,
        code=feature.code[:30],
        name=feature.name[:100],
        area_id=match.area_id,
        verdict=match.verdict,
        reason=match.reason,
        lon=lon,
        lat=lat,
        shape=None if feature.wkb is None else _shape(feature.wkb),
        chosen=match.area_id is not None,
    )


def _shape(wkb: bytes) -> MultiPolygon:
    return cast(MultiPolygon, GEOSGeometry(memoryview(wkb), srid=4326))


# Unchanged is what is drawn by the same points, wherever the ring begins and turns.
_COMPARE = """
    UPDATE grids_boundaryrow feature
       SET before = coalesce(md5(ST_AsBinary(area.boundary)), ''),
           verdict = CASE WHEN same THEN 'same' ELSE verdict END,
           chosen = chosen AND NOT same
      FROM grids_area area
     CROSS JOIN LATERAL (
           SELECT row.id, coalesce(ST_AsBinary(ST_Normalize(area.boundary))
                  = ST_AsBinary(ST_Normalize(row.shape)), false) AS same
             FROM grids_boundaryrow row
            WHERE row.source_id = %(source)s AND row.area_id = area.id
              AND row.verdict IN ('code', 'name')
     ) compared
     WHERE feature.id = compared.id
"""

_CENTRES = """
    SELECT ST_Y(new.point), ST_X(new.point), ST_Y(old.point), ST_X(old.point)
      FROM grids_boundaryrow row JOIN grids_area area ON area.id = row.area_id,
           LATERAL (SELECT ST_Centroid(row.shape) AS point) new,
           LATERAL (SELECT ST_Centroid(area.boundary) AS point) old
     WHERE row.source_id = %s AND row.verdict IN ('code', 'name') AND area.boundary IS NOT NULL
     ORDER BY row.number LIMIT %s
"""


def _doubt(one: BoundaryImport) -> str:
    """Return a warning where the other coordinate system would fit what is drawn, else ""."""
    with connection.cursor() as cursor:
        cursor.execute(_CENTRES, [one.pk, COMPARED])
        rows = cursor.fetchall()
    if not rows:
        return ""
    shifted = one.system == "gcj02"
    here, there = [], []
    for lat, lon, old_lat, old_lon in rows:
        turned_lat, turned_lon = to_wgs84(lat, lon, "gcj02")
        if shifted:
            # The shift is smooth, so undoing it once more tells how it was before.
            turned_lat, turned_lon = 2 * lat - turned_lat, 2 * lon - turned_lon
        here.append(hypot(lat - old_lat, lon - old_lon) * METRES_PER_DEGREE)
        there.append(hypot(turned_lat - old_lat, turned_lon - old_lon) * METRES_PER_DEGREE)
    if median(there) > NEAR or median(here) < 3 * median(there):
        return ""
    return _(
        "The areas lie about %(metres)s m beside what is drawn now. The file seems to be in "
        "%(system)s; if so, throw it away and upload it again with that system."
    ) % {"metres": round(median(here)), "system": "WGS-84/CGCS2000" if shifted else "GCJ-02"}


# Saving

_CHANGED_MEANWHILE = """
    SELECT area.name
      FROM grids_boundaryrow row JOIN grids_area area ON area.id = row.area_id
     WHERE row.source_id = %s AND row.chosen
       AND (row.before <> coalesce(md5(ST_AsBinary(area.boundary)), '')
            OR area.closed_on IS NOT NULL OR NOT starts_with(area.path, %s))
     ORDER BY area.path LIMIT 6
"""


def _save(one: BoundaryImport) -> None:
    if not Reach.of_user(one.uploaded_by).covers(one.area):
        raise NotAllowed
    # Whoever draws, moves or closes areas waits until this is done, and this waited for them.
    lock_tree()
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED_MEANWHILE, [one.pk, one.area.path])
        changed = [name for (name,) in cursor.fetchall()]
    if changed:
        raise Conflict(
            _("Somebody changed these areas meanwhile: %(names)s. Please upload the file again."),
            names="、".join(changed),
        )
    rows = one.rows.filter(chosen=True).annotate(area_code=F("area__code")).order_by("number")
    boundaries = [
        NewBoundary(row.area_code, bytes(cast(MultiPolygon, row.shape).wkb))
        for row in rows.iterator()
    ]
    counts = set_boundaries(boundaries, source=one.filename, actor=one.uploaded_by)
    one.rows.all().delete()
    one.state, one.changed, one.finished_at = ImportState.SAVED, counts.changed, timezone.now()
    one.save(update_fields=["state", "changed", "finished_at"])
