"""Disputes follow areas that move or merge; open ones stand against closing an area.

What lives here: what mediation puts into the registries of the grids floor. What must not: the
acts themselves (grids/services).
"""

from datetime import date

from django.db import connection
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from grids.models import Area, User
from grids.moves import Areas
from grids.queries import places_of_areas
from mediation.models import Dispute

LABELS = {"open": _("Open disputes"), "past": _("Ended disputes")}

_FOLLOW = """
    UPDATE mediation_dispute d
       SET area_id = given.new, county_id = given.county, town_id = given.town,
           village_id = given.village, grid_id = given.grid
      FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                  %s::bigint[]) AS given (old, new, county, town, village, grid)
     WHERE d.area_id = given.old
       AND ROW(d.area_id, d.county_id, d.town_id, d.village_id, d.grid_id) IS DISTINCT FROM
           ROW(given.new, given.county, given.town, given.village, given.grid)
"""


def count(areas: Areas) -> dict[str, int]:
    """Return how many open and ended disputes lie in ``areas`` (2 queries)."""
    found = Dispute.objects.filter(area_id__in=areas)
    ended = Q(ended_at__isnull=False)
    return {"open": found.exclude(ended).count(), "past": found.filter(ended).count()}


def follow(areas: Areas, *, on: date, actor: User | None) -> dict[str, int]:
    """Let disputes lie where ``areas`` lie now; return {"open": n, "past": n} (4 queries)."""
    found = count(areas)
    places = places_of_areas(set(areas.values()))
    rows = [
        (old, new, place.county_id, place.town_id, place.village_id, place.grid_id)
        for old, new in areas.items()
        for place in [places[new]]
    ]
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW, [list(column) for column in zip(*rows, strict=True)])
    return found


def rows(kind: str, areas: Areas, user: User, limit: int) -> list[tuple[str, str]]:
    """Return number and address of disputes that would follow and ``user`` may see in a list."""
    found = Dispute.objects.visible_to(user).filter(area__in=list(areas))
    found = found.filter(ended_at__isnull=kind == "open").order_by("-pk")
    numbers = found.values_list("number", flat=True)[:limit]
    return [(number, reverse("dispute", args=[number])) for number in numbers]


def obstacles(area: Area) -> list[str]:
    """Return the open disputes that lie in ``area``, in words (2 queries)."""
    found = count({area.pk: area.pk})["open"]
    if not found:
        return []
    return [ngettext("%(n)s open dispute", "%(n)s open disputes", found) % {"n": found}]
