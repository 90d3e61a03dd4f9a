"""Postings at areas that were merged go on at those that took them in (grids/moves.py).

What must not live here: appointing and ending by people (people.py).
"""

from collections.abc import Iterable, Mapping
from datetime import date

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from grids.models import Area, Leave, Posting, User, shapes_of
from grids.moves import Areas, only_merged
from grids.queries.reach import Reach

LABELS = {"postings": _("People in post who go on in the area that takes them in")}


def count(areas: Areas) -> dict[str, int]:
    """Return how many postings in force hang on areas that would be merged (1 query)."""
    held = Posting.objects.filter(_goes_on(), area__in=list(only_merged(areas)))
    return {"postings": held.count()}


def follow(areas: Areas, *, on: date, actor: User | None) -> dict[str, int]:
    """End postings at merged areas on the day and go on with them where the areas went.

    Whoever holds the same post there keeps that one; only the days it does not cover are added.
    A leave goes on with its posting and its cover. Returns {"postings": how many ended}.
    """
    merges = only_merged(areas)
    if not merges:
        return {"postings": 0}
    held = Posting.objects.filter(area__in=[*merges, *merges.values()]).order_by("pk")
    postings = list(held.select_for_update())
    spans: dict[tuple[int, str, int], list[tuple[date, date]]] = {}
    for posting in postings:
        key = (posting.user_id, posting.role, posting.area_id or 0)
        spans.setdefault(key, []).append((posting.valid_from, posting.valid_to or date.max))
    ended, begun = 0, []
    goes_on: dict[int, Posting] = {}
    for posting in postings:
        heir = merges.get(posting.area_id or 0)
        last = posting.valid_to or date.max
        if heir is None or last <= on:
            continue
        first = max(on, posting.valid_from)
        Posting.objects.filter(pk=posting.pk).update(valid_to=first)
        ended += 1
        taken = spans.setdefault((posting.user_id, posting.role, heir), [])
        for start, end in _uncovered(first, last, taken):
            taken.append((start, end))
            copy = _copy(posting, heir, start, None if end == date.max else end)
            begun.append(copy)
            goes_on.setdefault(posting.pk, copy)
    Posting.objects.bulk_create(begun)
    _continue_leaves(goes_on, on)
    return {"postings": ended}


def rows(kind: str, areas: Areas, user: User, limit: int) -> list[tuple[str, str]]:
    """Return who holds a posting that would go on, with the address, as far as ``user`` keeps it.

    2 queries.
    """
    mine = Area.objects.inside(*Reach.of_user(user).areas)
    held = Posting.objects.filter(_goes_on(), area__in=list(only_merged(areas)))
    found = held.filter(area__in=mine.values("pk")).select_related("user", "area")
    found = found.defer(*shapes_of("area")).order_by("area", "role", "pk")[:limit]
    return [
        (
            f"{posting.user} · {posting.get_role_display()} · {posting.place}",
            reverse("roster_person", args=[posting.user_id]),
        )
        for posting in found
    ]


def _goes_on() -> Q:
    return Q(valid_to__isnull=True) | Q(valid_to__gt=timezone.localdate())


def _continue_leaves(goes_on: Mapping[int, Posting], on: date) -> None:
    """Let leaves go on with the postings of both, {old posting: the one that goes on}."""
    leaves = Leave.objects.filter(posting__in=goes_on, cover__in=goes_on, away_until__gt=on)
    for leave in list(leaves.select_for_update()):
        first, last = max(on, leave.away_from), leave.away_until
        Leave.objects.filter(pk=leave.pk).update(away_until=first)
        Leave.objects.create(
            posting=goes_on[leave.posting_id],
            cover=goes_on[leave.cover_id],
            away_from=first,
            away_until=last,
            reason=leave.reason,
        )


def _copy(posting: Posting, area_id: int, start: date, end: date | None) -> Posting:
    fields = [field for field in Posting._meta.concrete_fields if not field.primary_key]
    copy = Posting(**{field.attname: getattr(posting, field.attname) for field in fields})
    copy.area_id, copy.valid_from, copy.valid_to = area_id, start, end
    return copy


def _uncovered(
    first: date, last: date, taken: Iterable[tuple[date, date]]
) -> list[tuple[date, date]]:
    """Return the spans of [first, last) that no span of ``taken`` covers."""
    free = []
    for start, end in sorted(taken):
        if end <= first or start >= last:
            continue
        if start > first:
            free.append((first, start))
        first = max(first, end)
    if first < last:
        free.append((first, last))
    return free
