"""Where an area stands in the tree: putting it, and all below it, under another area.

What must not live here: codes (codes.py) and what goes along (following.py). Callers hold the lock
of the tree.
"""

from django.db.models import F, Value
from django.db.models.functions import Concat, Substr

from grids.models import Area


def place_below(area_id: int, parent_id: int) -> None:
    """Put an area and all below it under another parent, last among its children (5 queries)."""
    known = Area.objects.filter(pk__in=[area_id, parent_id]).values_list("pk", "path")
    paths = dict(known)
    path, above = paths[area_id], paths[parent_id]
    depth = len(above) // Area.steplen + 1
    beside = Area.objects.filter(path__startswith=above, depth=depth).values_list("path", flat=True)
    last = beside.last()
    step = Area._str2int(last[-Area.steplen :]) + 1 if last else 1
    Area.objects.filter(path__startswith=path).order_by().update(
        path=Concat(Value(Area._get_path(above, depth, step)), Substr("path", len(path) + 1)),
        depth=F("depth") + depth - len(path) // Area.steplen,
    )
    Area.objects.filter(path=path[: -Area.steplen]).update(numchild=F("numchild") - 1)
    Area.objects.filter(pk=parent_id).update(numchild=F("numchild") + 1)
