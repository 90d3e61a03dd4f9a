"""Reads for contact cards: who gets one, what stands on it, who may print and mend it.

What must not live here: the drawing (card_sheet.py), printing and photos (services/cards.py).
"""

import uuid
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from core.fonts import unprintable
from grids.models import SHAPES, Area, CardProfile, Level, Posting, Role, User, shapes_of
from grids.queries.scope import Scope
from grids.queries.worker_file import FILE_READERS, held_paths, works_inside

# Who prints cards below their own place, and keeps photo and duty phone of those who work there.
CARD_KEEPERS = frozenset({Role.TOWN_ADMIN, Role.VILLAGE_OFFICE, Role.GRID_CHIEF})
# Whose card hangs on the doors of a grid.
ON_CARDS = (Role.GRID_CHIEF, Role.GRID_WORKER)
# A whole town: 40 villages of 13 grids with a chief and a worker each.
MOST_CARDS = 1200


@dataclass(frozen=True)
class Card:
    """One card: a person in post at a grid. ``phone`` is in clear, for paper only.

    ``lacking`` are characters of the name or the place that no font here can print.
    """

    posting: Posting
    place: str
    phone: str
    has_duty_phone: bool
    photo: CardProfile | None
    lacking: str

    @property
    def person(self) -> User:
        """Whose card it is."""
        return self.posting.user

    @property
    def grid(self) -> Area:
        """The grid on whose doors it hangs."""
        assert self.posting.area is not None
        return self.posting.area


def card_areas(scope: Scope) -> list[Area]:
    """Return the areas the person of ``scope`` prints cards of: towns, villages or grids."""
    held = {p.area for p in scope.postings if p.area and p.role in CARD_KEEPERS}
    return sorted(held, key=lambda area: area.path)


def card_choices(areas: list[Area]) -> list[Area]:
    """Return what to choose from, by place: the areas, and the villages of towns (1 query)."""
    towns = Q(pk__in=[area.pk for area in areas])
    for area in areas:
        if area.level == Level.TOWN:
            towns |= Q(path__startswith=area.path, level=Level.VILLAGE)
    return list(Area.objects.open().filter(towns).defer(*SHAPES))


def card_area(scope: Scope, area_id: int) -> Area | None:
    """Return the town, village or grid if cards of it may be printed, else None (1 query)."""
    levels = [Level.TOWN, Level.VILLAGE, Level.GRID]
    area = Area.objects.open().filter(pk=area_id, level__in=levels)
    found = area.defer(*SHAPES).first()
    paths = held_paths(scope, CARD_KEEPERS)
    return found if found and paths and found.path.startswith(paths) else None


def card_posting(scope: Scope, posting_id: int) -> Posting | None:
    """Return a post that has a card which may be printed, else None (1 query)."""
    posting = _with_cards().filter(pk=posting_id).first()
    paths = held_paths(scope, CARD_KEEPERS)
    if posting is None or posting.area is None or not paths:
        return None
    return posting if posting.area.path.startswith(paths) else None


def cards_of(area: Area) -> list[Card]:
    """Return the cards of an area's grids, by grid, chiefs first (3 queries)."""
    return _cards(list(_with_cards().filter(area__path__startswith=area.path)[: MOST_CARDS + 1]))


def card_of(posting: Posting) -> Card:
    """Return the card of one post (2 queries)."""
    return _cards([posting])[0]


def _with_cards() -> QuerySet[Posting]:
    return (
        Posting.objects.current()
        .filter(
            role__in=ON_CARDS,
            area__level=Level.GRID,
            area__closed_on__isnull=True,
            user__is_active=True,
        )
        .select_related("user", "area")
        .defer(*shapes_of("area"))
        .order_by("area__path", "role", "pk")
    )


def _cards(postings: list[Posting]) -> list[Card]:
    profiles = CardProfile.objects.in_bulk({p.user_id for p in postings})
    places = _places([p.area for p in postings if p.area])
    cards = []
    for posting in postings:
        assert posting.area is not None
        profile = profiles.get(posting.user_id)
        duty = profile.duty_phone if profile else ""
        place = places[posting.area.path]
        cards.append(
            Card(
                posting=posting,
                place=place,
                phone=duty or posting.user.phone,
                has_duty_phone=bool(duty),
                photo=profile if profile and profile.photo else None,
                lacking=unprintable(posting.user.display_name + place + posting.area.name),
            )
        )
    return cards


def _places(grids: list[Area]) -> dict[str, str]:
    """Return {path: "county town village"} of the grids (1 query)."""
    paths = {path for grid in grids for path in grid.lineage_paths[:-1]}
    above = Area.objects.filter(path__in=paths, level__in=[Level.COUNTY, Level.TOWN, Level.VILLAGE])
    names = dict(above.values_list("path", "name"))
    return {
        grid.path: " ".join(names[path] for path in grid.lineage_paths[:-1] if path in names)
        for grid in grids
    }


def may_keep_card(user: User, scope: Scope, person: User) -> bool:
    """Return whether ``user`` keeps photo and duty phone of ``person`` (≤ 2 queries).

    Everybody keeps their own.
    """
    return user.pk == person.pk or works_inside(person.pk, held_paths(scope, CARD_KEEPERS))


def visible_card_photo(key: uuid.UUID, *, user: User, scope: Scope) -> CardProfile | None:
    """Return the profile with this photo if ``user`` may see it, else None (≤ 3 queries)."""
    profile = CardProfile.objects.filter(photo_key=key).first()
    if profile is None:
        return None
    paths = held_paths(scope, CARD_KEEPERS | FILE_READERS)
    if profile.person_id != user.pk and not works_inside(profile.person_id, paths):
        return None
    return profile
