"""Leaves: somebody away from a posting for a time, and the substitute who stands in.

What must not live here: giving and ending posts for good (people.py). A leave ends by its dates,
nobody has to press anything.
"""

from datetime import date

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Invalid
from core.services import audit
from grids.models import Leave, Posting, User
from grids.services.people import (
    OF_ANOTHER_PLACE,
    REASON_LIMIT,
    check_posting,
    cut_leave,
    in_audit,
    locked_posting,
    on_roster_of,
    told_of_races,
)
from grids.services.territory import keep_tree


def cover_leave(
    *,
    posting_id: int,
    substitute_id: int,
    away_from: date,
    away_until: date,
    actor: User,
    reason: str = "",
) -> Leave:
    """Put down that somebody is away until (not including) a day, and who stands in.

    The substitute gets a posting of the same role at the same place for these days; a leave of
    that posting is covered the same way, so substitutes form a chain. Raises Invalid where the
    days do not fit the posting, Conflict if one of the two is away or posted there already.
    """
    if away_until <= away_from:
        raise Invalid(_("A leave cannot end before it begins."), field="last_day")
    with told_of_races():
        keep_tree()
        posting = _held(posting_id, actor=actor)
        ends = posting.valid_to
        if away_from < posting.valid_from or (ends is not None and away_until > ends):
            raise Invalid(_("The leave must lie inside the time of the post."), field="away_from")
        if substitute_id == posting.user_id:
            raise Invalid(_("Nobody stands in for themselves."), field="substitute")
        substitute = (
            User.objects.select_for_update(no_key=True)
            .filter(pk=substitute_id, is_active=True)
            .first()
        )
        if substitute is None:
            raise Invalid(_("Choose the substitute from the roster."), field="substitute")
        if not on_roster_of(actor, substitute):
            raise Invalid(OF_ANOTHER_PLACE, field="substitute")
        cover = Posting(
            user=substitute,
            role=posting.role,
            worker_kind=posting.worker_kind,
            area=posting.area,
            department=posting.department,
            valid_from=away_from,
            valid_to=away_until,
        )
        check_posting(cover, actor=actor)
        cover.save()
        leave = Leave.objects.create(
            posting=posting,
            cover=cover,
            away_from=away_from,
            away_until=away_until,
            reason=" ".join(reason.replace("\x00", "").split())[:REASON_LIMIT],
        )
        audit.record(
            actor=actor,
            action="posting.leave",
            subject_type="user",
            subject_id=posting.user_id,
            data={"leave": leave.pk, "substitute": substitute.pk, **in_audit(cover)},
        )
    return leave


def end_leave(*, leave_id: int, day: date, actor: User) -> None:
    """Let somebody be back on ``day``; the substitutes' posts end with it, down the chain.

    Raises Conflict if the leave is over by then.
    """
    with told_of_races():
        leave = (
            Leave.objects.select_for_update(of=("self",))
            .select_related("posting", "cover")
            .filter(pk=leave_id)
            .first()
        )
        if leave is None:
            raise Conflict(_("There is no such leave."))
        _held(leave.posting_id, actor=actor)
        if leave.away_until <= day:
            raise Conflict(_("This leave is over already. Please look again."))
        cut_leave(leave, day, actor=actor)


def _held(posting_id: int, *, actor: User) -> Posting:
    posting = locked_posting(posting_id, actor=actor)
    if posting.valid_to is not None and posting.valid_to <= timezone.localdate():
        raise Conflict(_("This posting has ended already. Please look again."))
    return posting
