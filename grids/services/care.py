"""The care tags a county begins with, and how often they ask for a visit.

What must not live here: tags on a household (households.py).
"""

import json
from pathlib import Path

from django.db import transaction

from grids.models import Area, CareTag, VisitRule

SHIPPED = Path(__file__).resolve().parent.parent / "data" / "care.json"


def load_care(*, county: Area) -> int:
    """Give a county without care tags the shipped ones and their visit rules; return how many.

    Tags or rules that are there are the county's own and stay untouched.
    """
    if CareTag.objects.exists() or VisitRule.objects.exists():
        return 0
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    with transaction.atomic():
        VisitRule.objects.create(area=county, days=shipped["default_days"])
        for rank, row in enumerate(shipped["tags"], 1):
            days = row.pop("days")
            tag = CareTag.objects.create(rank=rank * 10, **row)
            VisitRule.objects.create(area=county, tag=tag, days=days)
    return len(shipped["tags"])
