"""What the territory pages put into the registries of this floor, at start-up.

What must not live here: any of the work itself.
"""

from django.utils.translation import gettext_lazy as _

from core.services import audit
from grids import closing, moves
from grids.desks import Desk, register
from grids.models import AllianceGrid, Area, Level
from grids.queries import Place, place_of_area
from grids.queries import tree as tree_queries
from grids.services import network, postings_moving


def connect() -> None:
    """Register the desk, where areas lie for the audit, what goes along, what hinders closing."""
    register(Desk("territory", _("Territory"), "map-2", tree_queries.LOOKERS, 55))
    audit.placed_by("area", _place)
    audit.placed_by("alliance", _place_of_alliance)
    moves.register(
        "postings",
        labels=postings_moving.LABELS,
        count=postings_moving.count,
        follow=postings_moving.follow,
        rows=postings_moving.rows,
    )
    moves.register(
        "network",
        labels=network.FOLLOWED,
        count=network.count_followers,
        follow=network.follow_areas,
    )
    closing.register("territory", tree_queries.obstacles)
    closing.register("alliances", network.obstacles)


def _place(area_id: int) -> Place | None:
    area = Area.objects.only("path", "level").filter(pk=area_id).first()
    above = {Level.PROVINCE, Level.CITY}
    return place_of_area(area) if area and area.level not in above else None


def _place_of_alliance(alliance_id: int) -> Place | None:
    alliance = AllianceGrid.objects.select_related("lead").filter(pk=alliance_id).first()
    return place_of_area(alliance.lead) if alliance else None
