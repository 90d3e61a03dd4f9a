"""The ledger as a sheet: each row is one household at one place.

What lives here: the columns, the plan of what a row would do, and doing what was confirmed. What
must not: the single verbs (households.py), and reading files (core.sheets).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Left, Length
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from core.crypto import encrypt
from core.masking import mask_name, mask_phone
from core.services import audit
from core.sheets.columns import (
    DATE,
    MASKED,
    PHONE,
    Column,
    Kind,
    Refused,
    choice,
    digits,
    for_reading,
    or_masked,
    text,
    whole_number,
)
from core.sheets.plan import ADDED, CHANGED, ENDED, UNCHANGED, Line, Progress, Row, refused
from grids.models import Area, CareTag, Household, HouseholdCare, Level, User
from grids.models.household import KEEPERS_OF_LEDGER, PEOPLE_MOST, reach_of
from grids.queries import Place, Scope, places_of_areas
from grids.queries.codes import areas_of_codes
from grids.queries.households import posted_areas
from grids.services.households import (
    REASON_LIMIT,
    HouseholdFields,
    end_households,
    place_columns,
    put_fields,
    review_day,
)
from grids.services.territory import keep_tree
from grids.services.visit_rules import recount

SHEET = "households"
BATCH = 1000
# A statement for each row is a thousand times cheaper to build than a CASE over all of them.
_SAVE = """
    UPDATE grids_household
       SET location = CASE WHEN (grid_id, unit_id) IS NOT DISTINCT FROM
                                (%(grid)s::bigint, %(unit)s::bigint) THEN location END,
           county_id = %(county)s, town_id = %(town)s, village_id = %(village)s,
           grid_id = %(grid)s, unit_id = %(unit)s, address = %(address)s, contact = %(contact)s,
           phone = %(phone)s, phone_index = %(phone_index)s, people = %(people)s,
           moved_out_on = %(moved_out_on)s, next_due_on = %(next_due_on)s, version = version + 1
     WHERE id = %(id)s
"""


def _parse_number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise Refused(_("This is not a number of ours."), _("Leave it empty for a new household."))
    return int(value)


def columns(actor: User | None) -> list[Column]:
    """Return the columns, with the care tags that may be given (1 query)."""
    tags = [(tag.code, tag.label) for tag in CareTag.objects.filter(active=True)]
    return [
        Column(
            "number",
            _lazy("Household number"),
            Kind(_parse_number),
            note=_lazy("Stands in the exported list; leave it empty for a new household."),
            width=12,
        ),
        Column(
            "place",
            _lazy("Unit or grid code"),
            digits(15, 17),
            required=True,
            note=_lazy("17 digits of the unit, or 15 of a grid that has none."),
            example="41990010120100101",
            width=22,
        ),
        for_reading("place_name", _lazy("Place")),
        Column("address", _lazy("Door or address"), text(100), required=True, width=24),
        Column("contact", _lazy("Contact person"), or_masked(text(40)), width=12),
        Column("phone", _lazy("Phone"), or_masked(PHONE), example="19900001234", width=16),
        Column(
            "people",
            _lazy("Number of people"),
            whole_number(1, PEOPLE_MOST),
            required=True,
            width=8,
        ),
        Column("tag", _lazy("Care tag"), choice(tags), width=16),
        Column(
            "reason",
            _lazy("Reason"),
            text(REASON_LIMIT),
            note=_lazy("Needed with a care tag: what help is needed, no details of an illness."),
            width=30,
        ),
        Column(
            "moved_out_on",
            _lazy("Moved out on"),
            DATE,
            note=_lazy("Filled in for a household on the list, it ends there."),
            width=12,
        ),
    ]


@dataclass
class _Known:
    """What the database says about every place and household the rows name."""

    areas: list[Area]
    places: dict[str, Area]
    divided: set[str]
    by_number: dict[int, Household]
    by_door: dict[tuple[int, str], Household]
    care: dict[tuple[int, str], HouseholdCare]
    tags: dict[str, CareTag]


def plan(rows: Sequence[Row], *, actor: User, progress: Progress, lock: bool) -> list[Line]:
    """Return what each row would do; changes nothing. Seven queries however many rows.

    A row is a household by its number, else by place and door. Places and numbers outside of the
    actor's own ledger are refused like those that do not exist.
    """
    known = _look_up(rows, actor=actor, lock=lock)
    numbers: dict[int, int] = {}
    doors: dict[tuple[int, str], int] = {}
    lines = []
    for done, row in enumerate(rows, 1):
        lines.append(_judged(row, known, numbers, doors))
        progress(done)
    return lines


def _look_up(rows: Sequence[Row], *, actor: User, lock: bool) -> _Known:
    areas = posted_areas(Scope.for_user(actor), KEEPERS_OF_LEDGER)
    if lock:
        keep_tree()
    places = _places({row.values["place"] for row in rows} - {None})
    numbers = {row.values["number"] for row in rows} - {None}
    # All in one order, as whoever else takes many of them does: two sheets never hold each other.
    living = Household.objects.within(areas).living().order_by("pk")
    named = living.filter(Q(pk__in=numbers) | reach_of(_own(places.values(), areas)))
    found = named.select_for_update(of=("self",)) if lock else named
    households = {household.pk: household for household in found}
    care = HouseholdCare.objects.filter(household__in=households, ended_on__isnull=True)
    return _Known(
        areas=areas,
        places=places,
        divided=_divided(places.values()),
        by_number=households,
        by_door={(one.place_id, one.address): one for one in households.values()},
        care={(one.household_id, one.tag.code): one for one in care.select_related("tag")},
        tags={tag.code: tag for tag in CareTag.objects.filter(active=True)},
    )


def _own(places: Iterable[Area], areas: Sequence[Area]) -> list[Area]:
    return [place for place in places if _inside(place, areas)]


def _places(codes: Iterable[str]) -> dict[str, Area]:
    """Return the open grids and units that have these codes, or had them (≤ 2 queries)."""
    return {
        code: area
        for code, area in areas_of_codes(codes).items()
        if area.closed_on is None and area.level in {Level.GRID, Level.UNIT}
    }


def _divided(places: Iterable[Area]) -> set[str]:
    """Return the paths of the grids that have open units (≤ 1 query)."""
    grids = [place.path for place in places if place.level == Level.GRID]
    if not grids:
        return set()
    units = Area.objects.open().filter(level=Level.UNIT)
    above = units.annotate(above=Left("path", Length("path") - Area.steplen))
    return set(above.filter(above__in=grids).order_by().values_list("above", flat=True).distinct())


def _inside(place: Area, areas: Sequence[Area]) -> bool:
    return any(place.path.startswith(area.path) for area in areas)


def _judged(
    row: Row, known: _Known, numbers: dict[int, int], doors: dict[tuple[int, str], int]
) -> Line:
    values = row.values
    title = values["address"] or ""
    household = _household(row, known)
    place = _place(row, known)
    _check_once(row, household, place, known, numbers, doors)
    tag = _tag(row, known, household)
    if values["moved_out_on"]:
        _check_leaving(row, household)
    if row.faults or place is None:
        return refused(row, title)
    if values["moved_out_on"] and household:
        op = {"do": "end", "id": household.pk, "version": household.version}
        day = values["moved_out_on"].isoformat()
        op["on"] = day
        change = (_("Moved out on"), "", day)
        return Line(row.number, ENDED, row.cells, title=title, changes=[change], op=op)
    fields = _fields(values, household)
    op = {
        "do": "change" if household else "add",
        "id": household.pk if household else None,
        "version": household.version if household else 0,
        "place": place.pk,
        "fields": [fields.address, fields.contact, fields.phone, fields.people],
        "tag": tag,
        "reason": values["reason"] or "" if tag else "",
    }
    changes = list(_changes(household, fields, place, known.tags.get(tag or "")))
    outcome = ADDED if household is None else CHANGED if changes else UNCHANGED
    return Line(row.number, outcome, row.cells, title=title, changes=changes, op=op)


def _household(row: Row, known: _Known) -> Household | None:
    number = row.values["number"]
    if number is not None:
        if number not in known.by_number:
            row.refuse(
                "number",
                _("No household of this number lives in your area."),
                _("Take it from the exported list, or leave it empty."),
            )
        return known.by_number.get(number)
    place = known.places.get(row.values["place"] or "")
    return known.by_door.get((place.pk, _plain(row.values["address"]))) if place else None


def _plain(address: str | None) -> str:
    return " ".join((address or "").split())


def _place(row: Row, known: _Known) -> Area | None:
    code = row.values["place"]
    if code is None:
        return None
    place = known.places.get(code)
    if place is None or not _inside(place, known.areas):
        row.refuse(
            "place",
            _("Your area has no open grid or unit of this code."),
            _("Copy it from the sheet of codes."),
        )
        return None
    if place.path in known.divided:
        row.refuse(
            "place",
            _("This grid is divided into units."),
            _("Write the code of one of its units, 17 digits."),
        )
        return None
    return place


def _check_once(
    row: Row,
    household: Household | None,
    place: Area | None,
    known: _Known,
    numbers: dict[int, int],
    doors: dict[tuple[int, str], int],
) -> None:
    """Refuse a second row for the same household or door, and a door where others live."""
    once = _("Keep one of the two rows.")
    if household is not None:
        first = numbers.setdefault(household.pk, row.number)
        if first != row.number:
            row.refuse("number", _("Row %(n)s is the same household.") % {"n": first}, once)
    if place is None or row.values["address"] is None or row.values["moved_out_on"]:
        return
    door = (place.pk, _plain(row.values["address"]))
    first = doors.setdefault(door, row.number)
    if first != row.number:
        row.refuse("address", _("Row %(n)s is the same door.") % {"n": first}, once)
    there = known.by_door.get(door)
    if household is not None and there is not None and there.pk != household.pk:
        row.refuse(
            "address",
            _("Household %(n)s lives at this door.") % {"n": there.pk},
            _("Let it move out first, or write the door more exactly."),
        )


def _tag(row: Row, known: _Known, household: Household | None) -> str | None:
    """Return the code of a tag that is to be given, None for none or one that is there."""
    code = row.values["tag"]
    if code is None or (household and (household.pk, code) in known.care):
        return None
    if not row.values["reason"]:
        row.refuse("reason", _("A care tag has a reason."), _("Write what help is needed."))
    return str(code)


def _check_leaving(row: Row, household: Household | None) -> None:
    if household is None:
        row.refuse(
            "moved_out_on",
            _("This household is not on the list."),
            _("Only a household on the list can move out; leave it empty."),
        )
    elif row.values["moved_out_on"] > timezone.localdate():
        row.refuse("moved_out_on", _("This day has not come yet."), _("Write today or earlier."))


def _fields(values: dict[str, Any], household: Household | None) -> HouseholdFields:
    """Return what the row says; nothing or a mask keeps what is there."""

    def given(name: str) -> str:
        kept = getattr(household, name) if household else ""
        return kept if values[name] in (None, MASKED) else str(values[name])

    return HouseholdFields(
        _plain(values["address"]), given("contact"), given("phone"), values["people"]
    )


def _changes(
    household: Household | None, fields: HouseholdFields, place: Area, tag: CareTag | None
) -> Iterator[tuple[str, str, str]]:
    """Yield what would differ, in words, names and phones masked."""
    before = household or Household(address="", people=0)
    if household is None or household.place_id != place.pk:
        yield _("Place"), "" if household is None else _("another place"), place.name
    if before.address != fields.address:
        yield _("Door or address"), before.address, fields.address
    if before.contact != fields.contact:
        yield _("Contact person"), mask_name(before.contact), mask_name(fields.contact)
    if before.phone != fields.phone:
        yield _("Phone"), mask_phone(before.phone), mask_phone(fields.phone)
    if before.people != fields.people:
        yield _("Number of people"), str(before.people or ""), str(fields.people)
    if tag is not None:
        yield _("Care tag"), "", tag.label


def apply(lines: Sequence[Line], *, actor: User, source: str) -> dict[str, int]:
    """Do what the lines say, in the caller's transaction; the plan has just locked the rows.

    Returns {"households_added", "households_changed", "households_ended", "tags_given"}.
    Raises what the table raises when a door was taken meanwhile.
    """
    places = places_of_areas({line.op["place"] for line in lines if "place" in line.op})
    ids = [line.op["id"] for line in lines if line.op["id"]]
    known = Household.objects.in_bulk(ids)
    # Those that leave make room at their door for others of the same sheet.
    left = _left(lines, known)
    added = [_new(line, places) for line in lines if _is(line, "add")]
    changed = [
        _changed(known[line.op["id"]], line, places) for line in lines if _is(line, "change")
    ]
    _save([*left, *changed])
    Household.objects.bulk_create(added, batch_size=BATCH)
    fresh = iter(added)
    owners = [next(fresh) if _is(line, "add") else known[line.op["id"]] for line in lines]
    tagged = _give_tags(lines, owners)
    touched = [*added, *changed]
    recount([household.pk for household in touched])
    verbs = {"add": "household.add", "change": "household.change", "end": "household.move_out"}
    entries = [
        (verbs[line.op["do"]], "household", owner.pk, {"sheet": source}, owner)
        for line, owner in zip(lines, owners, strict=True)
    ]
    audit.record_many(entries, actor=actor)
    return {
        "households_added": len(added),
        "households_changed": len(changed),
        "households_ended": len(left),
        "tags_given": tagged,
    }


def _is(line: Line, verb: str) -> bool:
    return bool(line.op["do"] == verb)


def _new(line: Line, places: dict[int, Place]) -> Household:
    household = Household(**place_columns(places[line.op["place"]]))
    put_fields(household, HouseholdFields(*line.op["fields"]))
    return household


def _changed(household: Household, line: Line, places: dict[int, Place]) -> Household:
    for name, value in place_columns(places[line.op["place"]]).items():
        setattr(household, name, value)
    put_fields(household, HouseholdFields(*line.op["fields"]))
    return household


def _left(lines: Iterable[Line], known: dict[int, Household]) -> list[Household]:
    """Let those move out that the lines say, and return them (2 queries for each day)."""
    by_day: dict[str, list[Household]] = defaultdict(list)
    for line in lines:
        if _is(line, "end"):
            by_day[line.op["on"]].append(known[line.op["id"]])
    for day, households in by_day.items():
        end_households(households, on=date.fromisoformat(day))
    return [household for households in by_day.values() for household in households]


def _save(households: Sequence[Household]) -> None:
    rows = [
        {
            "id": one.pk,
            "county": one.county_id,
            "town": one.town_id,
            "village": one.village_id,
            "grid": one.grid_id,
            "unit": one.unit_id,
            "address": one.address,
            "contact": encrypt(one.contact) if one.contact else "",
            "phone": encrypt(one.phone) if one.phone else "",
            "phone_index": one.phone_index,
            "people": one.people,
            "moved_out_on": one.moved_out_on,
            "next_due_on": one.next_due_on,
        }
        for one in households
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_SAVE, rows)


def _give_tags(lines: Sequence[Line], owners: Sequence[Household]) -> int:
    tags = {tag.code: tag for tag in CareTag.objects.all()}
    today = timezone.localdate()
    given = [
        HouseholdCare(
            household=owner,
            tag=tags[line.op["tag"]],
            reason=line.op["reason"],
            review_on=review_day(tags[line.op["tag"]], today),
        )
        for line, owner in zip(lines, owners, strict=True)
        if line.op.get("tag")
    ]
    HouseholdCare.objects.bulk_create(given, batch_size=BATCH)
    return len(given)


def rows_out(households: Iterable[Household]) -> Iterator[list[str]]:
    """Yield the ledger's households as rows of the same columns, names and phones masked."""
    found = list(households)
    places = {
        area.pk: area
        for area in Area.objects.filter(pk__in={one.place_id for one in found}).only("code", "name")
    }
    for one in found:
        place = places[one.place_id]
        yield [
            str(one.pk),
            place.code,
            place.name,
            one.address,
            mask_name(one.contact),
            mask_phone(one.phone),
            str(one.people),
            "",
            "",
            "",
        ]


def record_export(*, households: int, actor: User) -> None:
    """Put on record that a list with this many households went out, masked."""
    audit.record(
        actor=actor,
        action="households.exported",
        subject_type="household",
        data={"n": households},
    )


def codes_out(areas: Sequence[Area]) -> Iterator[list[str]]:
    """Yield (code, place) of everywhere a household of ``areas`` may live, for the template."""
    for area in areas:
        found = Area.objects.open().inside(area).filter(level__in=[Level.GRID, Level.UNIT])
        rows = list(found.order_by("path").values_list("path", "code", "name", "level"))
        names = {path: name for path, _code, name, _level in rows}
        divided = {path[: -Area.steplen] for path, _c, _n, level in rows if level == Level.UNIT}
        for path, code, name, level in rows:
            if level == Level.UNIT:
                yield [code, f"{names.get(path[: -Area.steplen], '')} · {name}".strip(" ·")]
            elif path not in divided:
                yield [code, name]
