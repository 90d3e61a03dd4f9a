"""Trainings and selections under way follow areas that were merged (grids/moves.py).

What must not live here: entries of a file that are done: they say where it was, then.
"""

from datetime import date

from django.db import connection
from django.utils.translation import gettext_lazy as _

from grids.models import Selection, Training, User
from grids.moves import Areas, only_merged

LABELS = {"trainings": _("Trainings"), "selections": _("Selections under way")}

# The same course on the same day in both towns stays two: the one that came says whose it was.
_TRAININGS = """
    WITH given AS (SELECT * FROM unnest(%(old)s::bigint[], %(new)s::bigint[]) AS row (old, new))
    UPDATE grids_training t
       SET town_id = given.new,
           course = CASE WHEN EXISTS (
                        SELECT FROM grids_training there
                         WHERE there.town_id = given.new AND there.course = t.course
                           AND there.held_on = t.held_on)
                    THEN left(t.course, 60) || '（' || left(town.name, 38) || '）'
                    ELSE t.course END
      FROM given JOIN grids_area town ON town.id = given.old
     WHERE t.town_id = given.old
"""
# Who is being chosen for both grids stays with both: one of them is for people to withdraw.
_SELECTIONS = """
    WITH given AS (SELECT * FROM unnest(%(old)s::bigint[], %(new)s::bigint[]) AS row (old, new))
    UPDATE grids_selection s SET grid_id = given.new
      FROM given
     WHERE s.grid_id = given.old AND s.inspection = '' AND s.withdrawn_at IS NULL
       AND NOT EXISTS (
           SELECT FROM grids_selection there
            WHERE there.grid_id = given.new AND there.person_id = s.person_id
              AND there.inspection = '' AND there.withdrawn_at IS NULL)
"""


def count(areas: Areas) -> dict[str, int]:
    """Return how many trainings and selections under way hang on merged areas (2 queries)."""
    gone = list(only_merged(areas))
    under_way = Selection.objects.standing().filter(inspection="")
    return {
        "trainings": Training.objects.filter(town__in=gone).count(),
        "selections": under_way.filter(grid__in=gone).count(),
    }


def follow(areas: Areas, *, on: date, actor: User | None) -> dict[str, int]:
    """Let them go over to the areas that took theirs in (2 queries); return how many of each."""
    merged = only_merged(areas)
    values = {"old": list(merged), "new": list(merged.values())}
    with connection.cursor() as cursor:
        cursor.execute(_TRAININGS, values)
        trainings = cursor.rowcount
        cursor.execute(_SELECTIONS, values)
        return {"trainings": trainings, "selections": cursor.rowcount}
