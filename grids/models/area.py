"""The one tree of areas and the history of their codes.

What lives here: the tree, its boundaries, what is always true of an area.
What must not: who works there (posting.py) and what happens there (incidents).
"""

import pgtrigger
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
# A tree may begin at any of these.
ROOT_LEVELS = frozenset({Level.PROVINCE, Level.CITY, Level.COUNTY})


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
        # A range, not a prefix: its plan is good for the narrowest and the widest alike, so that
        # a connection that keeps one plan for both does not read the whole tree for a village.
        reach = Q(pk__in=[])
        for area in areas:
            reach |= Q(path__gte=area.path, path__lt=area._inc_path())
        return self.filter(reach)


class AreaManager(MP_NodeManager.from_queryset(AreaQuerySet)):  # type: ignore[misc]
    """Keeps treebeard's path order and adds the reads above."""

    def get_queryset(self) -> AreaQuerySet:
        return AreaQuerySet(self.model, using=self._db).order_by("path")


# Every new or changed row stands below one of the level above; nobody leaves children behind.
# By path a cycle cannot be written at all.
_ABOVE = " ".join(f"WHEN '{low}' THEN '{high}'" for low, high in PARENT_LEVEL.items())
_ROOTS = ", ".join(f"'{level}'" for level in sorted(ROOT_LEVELS))
_WRONG_PLACE = f"""
    IF EXISTS (
        SELECT FROM fresh LEFT JOIN grids_area parent
            ON parent.path = left(fresh.path, length(fresh.path) - {MP_Node.steplen})
         WHERE length(fresh.path) <> fresh.depth * {MP_Node.steplen}
            OR CASE fresh.depth WHEN 1 THEN fresh.level NOT IN ({_ROOTS})
               ELSE parent.level IS DISTINCT FROM CASE fresh.level {_ABOVE} END END
    ) THEN
        RAISE EXCEPTION 'an area is not below an area of the level above it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'area_below_its_level';
    END IF;
"""  # noqa: S608  only levels
_LEFT_BEHIND = """
    IF EXISTS (
        SELECT FROM stale
         WHERE NOT EXISTS (SELECT FROM grids_area here WHERE here.path = stale.path)
           AND EXISTS (SELECT FROM grids_area child
                        WHERE child.path ~>~ stale.path AND child.path ~<~ (stale.path || '~'))
    ) THEN
        RAISE EXCEPTION 'an area went away from the areas below it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'area_keeps_its_children';
    END IF;
    RETURN NULL;
"""


# What makes a new version of an area. The boundary as bytes: a restore from a backup runs without
# a search path, does not know which "=" of two geometries is meant, and would lose the trigger.
_VERSIONED = (
    *("path", "code", "name", "grid_kind", "organisation", "boundary::bytea"),
    *("closed_on", "merged_into_id"),
)


class Area(MP_Node):
    """One area: a county, town, village or community, grid or ten-household unit.

    ``code`` is its identity today; earlier codes stay in :class:`AreaCode`.
    Names repeat and are never a key. ``boundary`` is EPSG:4326 (CGCS2000 is
    taken as such); ``outline`` is the same, simplified for drawing. ``merged_into``
    is where a closed area went, if it went into another. ``version`` is raised by
    the database whenever one of these changes (compare-and-set).
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
    merged_into = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="merged",
        verbose_name=_("merged into"),
    )
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

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
            models.CheckConstraint(
                name="area_merged_is_closed",
                condition=Q(merged_into__isnull=True) | Q(closed_on__isnull=False),
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="area_version",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    " OR ".join(f"OLD.{part} IS DISTINCT FROM NEW.{part}" for part in _VERSIONED)
                ),
                func="NEW.version = OLD.version + 1; RETURN NEW;",
            ),
            pgtrigger.Trigger(
                name="area_born_in_its_place",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="fresh"),
                func=f"{_WRONG_PLACE} RETURN NULL;",
            ),
            pgtrigger.Trigger(
                name="area_stays_in_its_place",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                referencing=pgtrigger.Referencing(old="stale", new="fresh"),
                func=f"{_WRONG_PLACE} {_LEFT_BEHIND}",
            ),
            pgtrigger.Trigger(
                name="area_gone_with_its_children",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Delete,
                referencing=pgtrigger.Referencing(old="stale"),
                func=_LEFT_BEHIND,
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
