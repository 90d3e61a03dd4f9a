"""The one tree of areas and the history of their codes.

What lives here: the tree, its boundaries, what is always true of an area.
What must not: who works there (posting.py) and what happens there (incidents).
"""

from django.contrib.gis.db import models
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db.models import Func, Q
from django.utils.translation import gettext_lazy as _
from treebeard.mp_tree import MP_Node, MP_NodeManager, MP_NodeQuerySet


class Level(models.TextChoices):
    """The rungs of the tree. A city deployment also uses the two above the county."""

    PROVINCE = "province", _("Province")
    CITY = "city", _("City")
    COUNTY = "county", _("County")
    TOWN = "town", _("Town")
    VILLAGE = "village", _("Village or community")
    GRID = "grid", _("Grid")
    UNIT = "unit", _("Ten-household unit")


# Digits of a statistical division code at each level; a grid adds three, a unit two.
CODE_LENGTH = {
    Level.PROVINCE: 2,
    Level.CITY: 4,
    Level.COUNTY: 6,
    Level.TOWN: 9,
    Level.VILLAGE: 12,
    Level.GRID: 15,
    Level.UNIT: 17,
}
PARENT_LEVEL = dict(zip(list(Level)[1:], list(Level)[:-1], strict=True))


class GridKind(models.TextChoices):
    """Kinds of grid."""

    RURAL = "rural", _("Rural grid")
    COMMUNITY = "community", _("Community grid")
    DEDICATED = "dedicated", _("Dedicated grid")


SHAPES = ("boundary", "outline", "centre")


def shapes_of(*relations: str) -> list[str]:
    """Return what to defer so that joined areas come without their heavy polygons.

    >>> shapes_of("town")
    ['town__boundary', 'town__outline', 'town__centre']
    """
    return [f"{relation}__{shape}" for relation in relations for shape in SHAPES]


class AreaQuerySet(MP_NodeQuerySet):
    """Reads over the tree."""

    def open(self) -> "AreaQuerySet":
        """Return areas that have not been closed by a reorganisation."""
        return self.filter(closed_on__isnull=True)

    def inside(self, *areas: "Area") -> "AreaQuerySet":
        """Return the given areas and everything below them."""
        reach = Q(pk__in=[])
        for area in areas:
            reach |= Q(path__startswith=area.path)
        return self.filter(reach)


class AreaManager(MP_NodeManager.from_queryset(AreaQuerySet)):  # type: ignore[misc]
    """Keeps treebeard's path order and adds the reads above."""

    def get_queryset(self) -> AreaQuerySet:
        return AreaQuerySet(self.model, using=self._db).order_by("path")


class Area(MP_Node):
    """One area: a county, town, village or community, grid or ten-household unit.

    ``code`` is its identity today; earlier codes stay in :class:`AreaCode`.
    Names repeat and are never a key. ``boundary`` is EPSG:4326 (CGCS2000 is
    taken as such); ``outline`` is the same, simplified for drawing.
    """

    code = models.CharField(_("code"), max_length=17, unique=True)
    name = models.CharField(_("name"), max_length=100)
    level = models.CharField(_("level"), max_length=10, choices=Level.choices)
    grid_kind = models.CharField(
        _("kind of grid"), max_length=10, choices=GridKind.choices, blank=True
    )
    organisation = models.CharField(_("organisation that runs it"), max_length=100, blank=True)
    boundary = models.MultiPolygonField(_("boundary"), null=True, blank=True, srid=4326)
    outline = models.MultiPolygonField(
        null=True, blank=True, editable=False, srid=4326, spatial_index=False
    )
    centre = models.PointField(null=True, blank=True, editable=False, spatial_index=False)
    closed_on = models.DateField(_("closed on"), null=True, blank=True)

    node_order_by: list[str] = []
    objects = AreaManager()

    class Meta(MP_Node.Meta):
        verbose_name = _("area")
        verbose_name_plural = _("areas")
        indexes = [
            models.Index(fields=["level", "path"]),
            models.Index(fields=["name"]),
        ]
        constraints = [
            models.CheckConstraint(
                name="area_code_fits_level",
                condition=Q(
                    *[
                        Q(level=level, code__regex=rf"^[0-9]{{{length}}}$")
                        for level, length in CODE_LENGTH.items()
                    ],
                    _connector=Q.OR,
                ),
                violation_error_message=_("The code does not have the length of its level."),
            ),
            models.CheckConstraint(
                name="area_grid_kind_only_on_grids",
                condition=Q(level="grid", grid_kind__in=GridKind.values)
                | (~Q(level="grid") & Q(grid_kind="")),
                violation_error_message=_("A grid, and only a grid, has a kind."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def lineage_paths(self) -> list[str]:
        """Paths of this area and all above it, top first."""
        step = self.steplen
        return [self.path[:end] for end in range(step, len(self.path) + 1, step)]


class AreaCode(models.Model):
    """A code an area has or had. Old codes keep resolving; a code means one area at a time."""

    area = models.ForeignKey(Area, models.CASCADE, related_name="codes", verbose_name=_("area"))
    code = models.CharField(_("code"), max_length=17)
    valid = DateRangeField(_("valid"))
    source = models.CharField(_("source"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("area code")
        verbose_name_plural = _("area codes")
        indexes = [models.Index(fields=["code"])]
        constraints = [
            ExclusionConstraint(
                name="area_code_means_one_area_at_a_time",
                expressions=[("code", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
            ),
            ExclusionConstraint(
                name="area_has_one_code_at_a_time",
                expressions=[("area", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
            ),
        ]

    def __str__(self) -> str:
        return self.code


class DateRange(Func):
    """PostgreSQL's ``daterange(from, to, '[)')`` for constraints."""

    function = "daterange"
    output_field = DateRangeField()
