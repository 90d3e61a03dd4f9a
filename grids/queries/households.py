"""Households as their line sees them: who may, the ledger's pages, what stands on one.

What must not live here: rounds and coverage (visits.py).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

from django.db.models import Exists, OuterRef, Q

from core.crypto import blind_index
from core.masking import mask_name
from core.paging import Page, keyset_page
from core.phone import PhoneError, plain_phone
from core.web import number_in
from grids.models import (
    SHAPES,
    Area,
    CareTag,
    Household,
    HouseholdCare,
    HouseholdLink,
    Level,
    Posting,
    Role,
    User,
)
from grids.models.household import LINE, READERS, HouseholdQuerySet
from grids.queries.scope import Scope
from grids.queries.territory import names_of

PAGE_SIZE = 50
AT_ONCE = 1000
ALL_ORDER = ("id",)
DUE_ORDER = ("next_due_on", "id")
SHOWN = ("", "overdue", "unlinked", "review", "moved_out")


def posted_areas(scope: Scope, roles: Collection[str]) -> list[Area]:
    """Return the areas where ``roles`` are held, without those inside another, in tree order."""
    held = {p.area.path: p.area for p in scope.postings if p.area and p.role in roles}
    top: list[Area] = []
    for path in sorted(held):
        if not top or not path.startswith(top[-1].path):
            top.append(held[path])
    return top


def area_within(areas: Sequence[Area], key: str) -> Area | None:
    """Return the area of this id, without shapes, if it lies in ``areas`` (1 query)."""
    return Area.objects.inside(*areas).filter(pk=number_in(key)).defer(*SHAPES).first()


def visible_households(scope: Scope, roles: Collection[str] = READERS) -> HouseholdQuerySet:
    """Return the households of the posts that look after households.

    A mediator's or a leader's post opens cases, but no door.
    """
    return Household.objects.within(posted_areas(scope, roles))


def looks_after(scope: Scope, household: Household, roles: Collection[str] = LINE) -> bool:
    """Return whether one of ``roles`` is held at an area the household lies in."""
    ids = household.area_ids
    return any(p.role in roles and p.area_id in ids for p in scope.postings)


@dataclass(frozen=True)
class Filters:
    """What the ledger is narrowed to; ``show`` is one of SHOWN, ``words`` a door or a phone."""

    area: Area | None = None
    tag_id: int | None = None
    show: str = ""
    words: str = ""


def ledger_page(
    areas: Sequence[Area], filters: Filters, *, today: date, cursor: str | None
) -> Page:
    """Return a page of households in ``areas`` (1 query an area); overdue ones oldest first."""
    places = [filters.area] if filters.area else areas
    order = DUE_ORDER if filters.show == "overdue" else ALL_ORDER
    # No list shows a phone, so none is decrypted for it.
    branches = [
        _narrowed(Household.objects.filter(**{f"{area.level}_id": area.pk}), filters, today).defer(
            "phone"
        )
        for area in places
    ]
    return keyset_page(branches, order=order, cursor=cursor, size=PAGE_SIZE)


def narrowed(areas: Sequence[Area], filters: Filters, *, today: date) -> HouseholdQuerySet:
    """Return all households of the ledger's filters, for a file."""
    places = [filters.area] if filters.area else areas
    return _narrowed(Household.objects.within(places), filters, today)


def _narrowed(rows: HouseholdQuerySet, filters: Filters, today: date) -> HouseholdQuerySet:
    open_care = HouseholdCare.objects.filter(household=OuterRef("pk"), ended_on__isnull=True)
    links = HouseholdLink.objects.on(today)
    rows = rows.filter(moved_out_on__isnull=filters.show != "moved_out")
    if filters.show == "overdue":
        rows = rows.filter(next_due_on__lt=today)
    elif filters.show == "unlinked":
        rows = rows.filter(~Exists(links.filter(household=OuterRef("pk"))))
    elif filters.show == "review":
        rows = rows.filter(Exists(open_care.filter(review_on__lte=today)))
    if filters.tag_id:
        rows = rows.filter(Exists(open_care.filter(tag_id=filters.tag_id)))
    return rows.filter(_called(filters.words)) if filters.words else rows


def _called(words: str) -> Q:
    """Return what is meant by words: the whole of a phone number, else a part of the address."""
    try:
        return Q(phone_index=blind_index(plain_phone(words)))
    except PhoneError:
        return Q(address__icontains=words)


@dataclass
class Row:
    """A household in a list: ``place`` in words, ``contact`` masked, the labels of its tags."""

    household: Household
    place: str
    contact: str
    tags: list[str]
    review_due: bool


def as_rows(households: Iterable[Household], *, today: date) -> list[Row]:
    """Return the rows with the names of places and tags (2 queries)."""
    found = list(households)
    names = names_of(pk for h in found for pk in (h.village_id, h.grid_id, h.unit_id))
    care: dict[int, list[HouseholdCare]] = {}
    for one in open_care(household_ids=[h.pk for h in found]):
        care.setdefault(one.household_id, []).append(one)
    return [
        Row(
            h,
            place_of(h, names),
            mask_name(h.contact),
            [one.tag.label for one in care.get(h.pk, [])],
            any(one.review_on <= today for one in care.get(h.pk, [])),
        )
        for h in found
    ]


def every_row(households: HouseholdQuerySet, *, today: date) -> Iterator[Row]:
    """Yield the rows of any number of households, by id (1 query, and 2 for each thousand)."""
    found = households.order_by("pk").iterator(chunk_size=AT_ONCE)
    while part := list(islice(found, AT_ONCE)):
        yield from as_rows(part, today=today)


def place_of(household: Household, names: dict[int, str]) -> str:
    """Return village, grid and unit in words."""
    lineage = (household.village_id, household.grid_id, household.unit_id)
    return " · ".join(names[pk] for pk in lineage if pk)


def open_care(*, household_ids: Collection[int]) -> list[HouseholdCare]:
    """Return the care in force for these households, tags joined (1 query)."""
    return list(
        HouseholdCare.objects.filter(household_id__in=household_ids, ended_on__isnull=True)
        .select_related("tag")
        .defer("reason")
        .order_by("tag__rank", "pk")
    )


def care_of(household: Household) -> list[HouseholdCare]:
    """Return all care of one household, that in force first (1 query)."""
    found = household.care.select_related("tag").order_by("tag__rank", "-since")
    return sorted(found, key=lambda one: one.ended_on is not None)


def links_on(household: Household, today: date) -> list[HouseholdLink]:
    """Return the members who link the household today (1 query)."""
    rows = household.links.on(today).select_related("member")  # type: ignore[attr-defined]
    return list(rows.order_by("valid_from", "pk"))


def linked_count(member_ids: Collection[int], today: date) -> dict[int, int]:
    """Return how many households each member links today (1 query)."""
    counts = dict.fromkeys(member_ids, 0)
    rows = HouseholdLink.objects.on(today).filter(member_id__in=member_ids)
    for member_id in rows.values_list("member_id", flat=True):
        counts[member_id] += 1
    return counts


def unit_heads(unit_id: int | None) -> list[User]:
    """Return who heads the unit today (1 query)."""
    if unit_id is None:
        return []
    rows = Posting.objects.current().filter(role=Role.UNIT_HEAD, area_id=unit_id)
    return [posting.user for posting in rows.select_related("user").order_by("pk")]


def people_near(household: Household) -> list[tuple[int, str]]:
    """Return (id, name and post) of everybody posted in the household's village (1 query).

    Who may be asked to link it; a member without a post there is given one first.
    """
    village = Area.objects.only("path").get(pk=household.village_id)
    rows = (
        Posting.objects.current()
        .filter(area__path__startswith=village.path, user__is_active=True)
        .select_related("user")
        .order_by("user__display_name", "pk")
    )
    people: dict[int, str] = {}
    for posting in rows:
        people.setdefault(posting.user_id, f"{posting.user} · {posting.get_role_display()}")
    return list(people.items())


def places_to_live(area: Area) -> list[Area]:
    """Return the open units of an area, and its grids that have none (1 query)."""
    found = list(
        Area.objects.open()
        .inside(area)
        .filter(level__in=[Level.GRID, Level.UNIT])
        .defer(*SHAPES)
        .order_by("path")
    )
    divided = {unit.path[: -Area.steplen] for unit in found if unit.level == Level.UNIT}
    return [place for place in found if place.path not in divided]


def villages_in(areas: Sequence[Area]) -> list[Area]:
    """Return the open villages inside ``areas``, or above them (1 query)."""
    above = {
        area.path[: Area.steplen * n]
        for area in areas
        for n in range(1, len(area.path) // Area.steplen + 1)
    }
    reach = Q(path__in=above)
    for area in areas:
        reach |= Q(path__startswith=area.path)
    return list(
        Area.objects.open().filter(reach, level=Level.VILLAGE).defer(*SHAPES).order_by("path")
    )


def active_tags() -> list[CareTag]:
    """Return the county's care tags (1 query)."""
    return list(CareTag.objects.filter(active=True))
