"""Reads about disputes. Nothing here changes a row."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Count, Q
from django.utils import timezone

from core.paging import Page, keyset_page
from grids.models import Area, Level, Posting, Role, User
from grids.queries import Scope
from mediation.models import (
    MEDIATING_STATES,
    SETTLED_STATES,
    Colour,
    Dispute,
    DisputeMediator,
    FollowUp,
    Performance,
    Side,
    StepOutcome,
    StepRecord,
)

# Who can be named to mediate, and who to lead a red case.
MEDIATOR_ROLES = (
    Role.GRID_WORKER,
    Role.GRID_CHIEF,
    Role.GRID_GUIDE,
    Role.MEDIATOR,
    Role.VILLAGE_OFFICE,
    Role.TOWN_ADMIN,
    Role.COMMAND,
)
LEADER_ROLES = (
    Role.VILLAGE_OFFICE,
    Role.TOWN_ADMIN,
    Role.COMMAND,
    Role.COUNTY_LEADER,
    Role.GRID_GUIDE,
)


def timed_disputes(ids: Collection[int]) -> Iterable[int]:
    """Return those of the disputes that have not ended: their timers are still needed (1 query)."""
    return Dispute.objects.filter(pk__in=ids, ended_at=None).values_list("pk", flat=True)


def named_user_ids(dispute: Dispute) -> set[int]:
    """Return ids of the mediators named to the dispute now (1 query)."""
    return set(
        DisputeMediator.objects.filter(dispute=dispute, until=None).values_list(
            "user_id", flat=True
        )
    )


def last_session_settled(dispute: Dispute) -> bool:
    """Return whether the latest session of the present step ended with "settled" (1 query)."""
    last = (
        StepRecord.objects.filter(dispute=dispute, step=dispute.step)
        .order_by("-id")
        .values_list("outcome", flat=True)
        .first()
    )
    return last == StepOutcome.SETTLED


def last_visit_says_performed(dispute: Dispute) -> bool:
    """Return whether the latest follow-up found the agreement performed in full (1 query)."""
    last = (
        FollowUp.objects.filter(dispute=dispute)
        .order_by("-id")
        .values_list("performed", flat=True)
        .first()
    )
    return last == Performance.YES


def consent_is_complete(dispute: Dispute) -> bool:
    """Return whether there is a party A and a party B and every one of them agreed (1 query)."""
    rows = [
        (side, agreed is not None and stopped is None)
        for side, agreed, stopped in dispute.parties.exclude(side=Side.THIRD).values_list(
            "side", "agreed_to_mediation_at", "stopped_at"
        )
    ]
    return {side for side, _ok in rows} == {Side.A, Side.B} and all(ok for _side, ok in rows)


def list_page(
    *,
    user: User,
    scope: Scope,
    state: str = "",
    step: str = "",
    colour: str = "",
    number: str = "",
    overdue: bool = False,
    mine: bool = False,
    cursor: str | None = None,
    size: int = 50,
) -> Page:
    """Return one page of list rows, newest first, without anything confidential (1 query).

    ``number`` matches a whole number. ``mine``: those the user is named to or leads.
    """
    rows = Dispute.objects.visible_to(user, scope)
    if state:
        rows = rows.filter(state=state)
    if step:
        rows = rows.filter(step=step, state__in=MEDIATING_STATES)
    if colour:
        rows = rows.filter(colour=colour)
    if number:
        rows = rows.filter(number=number.strip().upper())
    if overdue:
        rows = rows.overdue()
    if mine:
        rows = rows.filter(
            Q(leader=user)
            | Q(pk__in=DisputeMediator.objects.filter(user=user, until=None).values("dispute"))
        )
    rows = rows.select_related("town", "village", "grid").defer("title", "facts")
    return keyset_page(rows, order=["-id"], cursor=cursor, size=size)


@dataclass(frozen=True)
class Figures:
    """Counts over the disputes a person may see; colours count those still in mediation."""

    found: int
    resolved: int
    mediating: int
    overdue: int
    blue: int
    yellow: int
    red: int

    @property
    def rate(self) -> float | None:
        """Resolved ÷ found in per cent, or None when nothing was found."""
        return round(100 * self.resolved / self.found, 2) if self.found else None


def figures(*, user: User, scope: Scope, now: datetime | None = None) -> Figures:
    """Return the figures above the list (1 query). Resolved means an agreement was reached."""
    running = Q(state__in=MEDIATING_STATES)
    counts = Dispute.objects.visible_to(user, scope).aggregate(
        found=Count("pk"),
        resolved=Count("pk", filter=Q(state__in=SETTLED_STATES)),
        mediating=Count("pk", filter=running),
        overdue=Count("pk", filter=running & Q(due_at__lt=now or timezone.now())),
        **{c.value: Count("pk", filter=running & Q(colour=c)) for c in Colour},
    )
    return Figures(**counts)


def found_and_resolved(areas: Collection[Area], first: date, last: date) -> tuple[int, int]:
    """Return how many disputes were found in ``areas`` on these days, and resolved of them.

    1 query; counts only, so it needs no right to any one of them.
    """
    inside = Q(pk__in=[])
    for area in areas:
        inside |= Q(**{f"{area.level}_id": area.pk})
    midnight = timezone.make_aware(datetime.combine(first, time.min))
    after = timezone.make_aware(datetime.combine(last + timedelta(days=1), time.min))
    rows = Dispute.objects.filter(inside, registered_at__gte=midnight, registered_at__lt=after)
    resolved = Count("pk", filter=Q(state__in=SETTLED_STATES))
    counts = rows.aggregate(found=Count("pk"), resolved=resolved)
    return counts["found"], counts["resolved"]


def candidates(*, place_ids: list[int], roles: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return (user id, "name · role · place") of people in post at these places (1 query).

    Whoever is posted higher stands later, so the grid's own people come first.
    """
    postings = (
        Posting.objects.current()
        .filter(area_id__in=place_ids, role__in=roles, user__is_active=True)
        .select_related("user", "area")
        .order_by("-area__path", "role", "user_id")
    )
    found: dict[int, str] = {}
    for posting in postings:
        line = f"{posting.user} · {posting.get_role_display()} · {posting.area}"
        found.setdefault(posting.user_id, line)
    return list(found.items())


def towns_in(scope: Scope) -> list[Area]:
    """Return the open towns inside the scope, for choosing a place step by step (1 query).

    None for people posted below a town.
    """
    if not scope.areas:
        return []
    return list(Area.objects.open().inside(*scope.areas).filter(level=Level.TOWN))


def places_in(scope: Scope, *, town: Area | None) -> list[Area]:
    """Return open areas a dispute can be registered at, in tree order (1 query).

    Inside ``town`` when given, else the part of the scope below the towns.
    """
    reach = [area for area in scope.areas if area.level in {"village", "grid"}]
    if town is not None and scope.covers(town):
        reach.append(town)
    if not reach:
        return []
    levels = [Level.TOWN, Level.VILLAGE, Level.GRID]
    return list(Area.objects.open().inside(*reach).filter(level__in=levels))
