"""What the territory pages put into the registries of this floor, at start-up.

What must not live here: any of the work itself.
"""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core import audit_words
from core.services import audit
from grids import closing, moves
from grids.desks import Desk, register
from grids.models import AllianceGrid, Area, GridTheme, Level
from grids.queries import Place, names_of, place_of_area
from grids.queries import tree as tree_queries
from grids.services import network

WORDS = {
    "areas_added": _("Areas imported"),
    "boundaries_set": _("Boundaries imported"),
    "area_added": _("Grid or unit added"),
    "area_described": _("Area renamed or described"),
    "area_drawn": _("Boundary drawn"),
    "grid_split": _("Grid split"),
    "grids_merged": _("Grids merged"),
    "grid_moved": _("Grid moved to another village"),
    "area_closed": _("Area closed"),
    "area_reopened": _("Area opened again"),
    "units_made": _("Ten-household units made in bulk"),
    "alliance_founded": _("Alliance grid founded"),
    "alliance_changed": _("Alliance grid changed"),
    "alliance_ended": _("Alliance grid ended"),
    "theme_saved": _("Theme saved"),
    "duty_given": _("Duty for a theme given"),
    "duty_ended": _("Duty for a theme ended"),
}


def connect() -> None:
    """Register the desk, the audit's words and places, what goes along, what hinders closing."""
    audit_words.name_actions(WORDS)
    audit_words.name_subject("area", _("area"), _areas)
    audit_words.name_subject("alliance", _("alliance grid"), _alliances)
    audit_words.name_subject("theme", _("theme"), _themes)
    register(Desk("territory", _("Territory"), "map-2", tree_queries.LOOKERS, 55))
    audit.placed_by("area", _place)
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


def _areas(ids: list[int]) -> dict[int, tuple[str, str]]:
    tree_url = reverse("territory")
    return {pk: (name, f"{tree_url}?area={pk}") for pk, name in names_of(ids).items()}


def _alliances(ids: list[int]) -> dict[int, tuple[str, str]]:
    rows = AllianceGrid.objects.filter(pk__in=ids).values_list("pk", "name")
    return {pk: (name, reverse("alliance", args=[pk])) for pk, name in rows}


def _themes(ids: list[int]) -> dict[int, tuple[str, str]]:
    return {theme.pk: (theme.label, "") for theme in GridTheme.objects.filter(pk__in=ids)}
