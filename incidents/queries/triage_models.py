"""Versions of the triage model as a page shows them.

What must not live here: training and putting one in force (services).
"""

from core.paging import Page, keyset_page
from incidents.models import TriageModel

# The weights of a version are megabytes nobody looks at.
HEAVY = ("blob", "learnt")


def versions(*, cursor: str | None = None, size: int = 20) -> Page:
    """Return a page of versions, newest first (1 query)."""
    rows = TriageModel.objects.defer(*HEAVY).select_related("activated_by")
    return keyset_page(rows, order=["-version"], cursor=cursor, size=size)


def version_of(number: int) -> TriageModel | None:
    """Return one version by its number (1 query)."""
    rows = TriageModel.objects.defer(*HEAVY).select_related("activated_by")
    return rows.filter(version=number).first()
