"""The roster as a workbook sent out, which can be changed and brought in again.

What must not live here: the columns (roster_columns.py) and bringing one in (roster_sheet.py).
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from django.utils.translation import gettext as _

from core.errors import Conflict
from core.masking import mask_id, mask_phone
from core.services import audit
from core.sheets.reading import MAX_ROWS
from core.sheets.writing import listing
from grids.models import Area, Department, Level, Posting, Role, User, WorkerKind
from grids.queries import Scope
from grids.queries.roster import (
    KEEPING_ROLES,
    RosterFilter,
    areas_of,
    kept_people,
    listed_postings,
    place_words,
)
from grids.services.people import REASON_LIMIT
from grids.services.roster_columns import columns

_DAY = timedelta(days=1)


def export(*, actor: User, wanted: RosterFilter, reason: str = "") -> bytes:
    """Return the list as filtered; phone and ID numbers are masked but for a reason.

    With a ``reason`` a keeper gets whole numbers of those whose every post the keeper keeps; the
    reason is on record. Raises Conflict for more rows than a sheet may have.
    """
    scope = Scope.for_user(actor)
    whole = bool(reason.strip()) and scope.has(*KEEPING_ROLES)
    postings = list(listed_postings(areas_of(scope), wanted)[: MAX_ROWS + 1])
    if len(postings) > MAX_ROWS:
        raise Conflict(
            _("A sheet holds %(most)s rows, and these are more. Narrow the list by its filters.")
            % {"most": f"{MAX_ROWS:,}"}
        )
    people = {posting.user_id for posting in postings}
    clear = kept_people(scope, people) if whole else set()
    data = listing(_("Roster"), columns(None), _rows(postings, clear))
    audit.record(
        actor=actor,
        action="reveal.roster" if whole else "roster.exported",
        subject_type="roster",
        data={
            "people": len(people),
            "rows": len(postings),
            **({"reason": reason.strip()[:REASON_LIMIT]} if whole else {}),
        },
    )
    return data


def _rows(postings: Sequence[Posting], clear: set[int]) -> Iterator[list[str]]:
    """Yield a row for each posting, in the order of the columns."""
    words = place_words(posting.area for posting in postings)
    for posting in postings:
        user, whole = posting.user, posting.user_id in clear
        yield [
            user.username,
            user.display_name,
            user.phone if whole else mask_phone(user.phone),
            user.id_number if whole else mask_id(user.id_number),
            str(Role(posting.role).label),
            str(WorkerKind(posting.worker_kind).label) if posting.worker_kind else "",
            posting.place.code,
            words.get(posting.area_id or 0) or posting.place.name,
            posting.valid_from.isoformat(),
            (posting.valid_to - _DAY).isoformat() if posting.valid_to else "",
            "",
        ]


def codes_out(areas: Sequence[Area]) -> Iterator[list[str]]:
    """Yield (code, place, level) of everywhere somebody of ``areas`` may be posted."""
    open_areas = Area.objects.open().inside(*areas).exclude(level=Level.COUNTY)
    found = list(open_areas.only("code", "name", "level", "path", "depth"))
    words = place_words(found)
    for area in found:
        yield [area.code, words[area.pk], str(Level(area.level).label)]
    counties = [area for area in areas if area.level == Level.COUNTY]
    if counties:
        for department in Department.objects.filter(active=True, county__in=counties):
            yield [department.code, department.name, _("Department")]
