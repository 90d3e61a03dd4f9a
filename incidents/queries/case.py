"""Reads about one case and one person's notices."""

from collections.abc import Collection
from typing import Any

from django.core.cache import cache
from django.db.models import Model, Q, QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from core import prepared
from core.kept import kept
from core.rows import Table, read
from grids.models import SHAPES, Area, Department, User
from grids.queries import Scope
from incidents.models import (
    Category,
    Event,
    Hazard,
    Incident,
    Notice,
    PartyState,
    ReporterContact,
    Source,
    Stage,
    StageClock,
    WhistleParty,
)

# Steps that make somebody a handler of the round.
HANDLER_ACTIONS = (
    *("accept", "arrive", "respond", "handle_on_spot", "fix_on_spot"),
    *("party_answer", "party_sign"),
)


def acted_in_round(incident: Incident, user: User | None) -> bool:
    """Return whether ``user`` handled the case in its present round (1 query)."""
    if user is None:
        return False
    if incident.handler_id == user.pk:
        return True
    return Event.objects.filter(
        incident=incident, actor=user, action__in=HANDLER_ACTIONS, data__round=incident.round
    ).exists()


def photo_rule(incident: Incident) -> str:
    """Return the rule by which an answer needs a photo, in words; "" for none (≤ 1 query)."""
    category = incident.category
    if category is not None and category.photo_on_answer:
        return _("Items of “%(category)s” are answered with a photo of the result.") % {
            "category": category.label
        }
    inspected = incident.source == Source.INSPECTION
    if inspected and Hazard.objects.filter(incident_id=incident.pk).exists():
        return _("A hazard found at an inspection is answered with a photo of it put right.")
    return ""


def accept_time_left(incident: Incident) -> bool:
    """Return whether the time its owner has to accept the case still runs (1 query)."""
    running = StageClock.objects.filter(incident=incident, finished_at__isnull=True)
    return running.filter(stage=Stage.ACCEPT, due_at__gt=timezone.now()).exists()


def open_party_ids(incident: Incident, department_ids: Collection[int]) -> list[int]:
    """Return ids of parties these departments still have to play in the open whistle (1 query)."""
    return list(
        WhistleParty.objects.filter(
            whistle__incident=incident,
            whistle__closed_at__isnull=True,
            department_id__in=department_ids,
        )
        .exclude(state__in=[PartyState.SIGNED, PartyState.DISSENTED])
        .values_list("pk", flat=True)
    )


def open_tasks(incident: Incident) -> bool:
    """Return whether a task of the case is still open (1 query)."""
    return Incident.objects.open().filter(parent_id=incident.pk).exists()


def notices_for(user: User, scope: Scope) -> QuerySet[Notice]:
    """Return the notices addressed to ``user``'s postings or to the user, newest first."""
    reach = Q()
    for address in _addresses(user, scope):
        reach |= Q(**address)
    return Notice.objects.filter(reach).order_by("-id")


def _addresses(user: User, scope: Scope) -> list[dict[str, Any]]:
    """Return what a notice is addressed to when it is for this person, one equality each.

    What is addressed to a post is for the substitute while its person is on leave.
    """
    found: list[dict[str, Any]] = [{"user": user}]
    for posting in scope.postings:
        if posting.pk in scope.covered:
            continue
        if posting.department_id:
            found.append({"department_id": posting.department_id})
        elif posting.area_id:
            found.append({"area_id": posting.area_id, "role": posting.role})
    return found


# How far back unread notices are looked for and counted, in each place a person reads for.
UNREAD_REACH = 100
# Seconds: every page shows the bell, and counting for it cost a quarter of what a list does.
UNREAD_KEPT = 5


def notice_branches(user: User, scope: Scope) -> list[QuerySet[Notice]]:
    """Return the person's notices, one queryset for each equality that an index serves."""
    return [Notice.objects.filter(**address) for address in _addresses(user, scope)]


_UNREAD = """
    SELECT count(*) FILTER (WHERE read_at IS NULL) FROM (
        (SELECT id, read_at FROM incidents_notice
          WHERE user_id = %(user)s ORDER BY id DESC LIMIT %(reach)s)
        UNION
        SELECT newest.* FROM unnest(%(departments)s::bigint[]) AS department, LATERAL (
            SELECT id, read_at FROM incidents_notice
             WHERE department_id = department ORDER BY id DESC LIMIT %(reach)s) AS newest
        UNION
        SELECT newest.* FROM unnest(%(areas)s::bigint[], %(roles)s::text[]) AS post (area, role),
            LATERAL (
            SELECT id, read_at FROM incidents_notice AS n
             WHERE n.area_id = post.area AND n.role = post.role
             ORDER BY id DESC LIMIT %(reach)s) AS newest
    ) AS mine
"""


def unread_count(user: User, scope: Scope) -> int:
    """Return how many of the person's newest notices are unread, ≤ 5 s old (≤ 1 query)."""
    return kept(_unread_key(user), lambda: _count_unread(user, scope), UNREAD_KEPT)


def forget_unread(user: User) -> None:
    """Have the person's notices counted anew: what they just read must not be told again."""
    cache.delete(_unread_key(user))


def _unread_key(user: User) -> str:
    return f"notices:unread:{user.pk}"


def _count_unread(user: User, scope: Scope) -> int:
    addresses = _addresses(user, scope)
    places = [address for address in addresses if "area_id" in address]
    with prepared.cursor() as cursor:
        cursor.execute(
            _UNREAD,
            {
                "user": user.pk,
                "departments": [a["department_id"] for a in addresses if "department_id" in a],
                "areas": [place["area_id"] for place in places],
                "roles": [place["role"] for place in places],
                "reach": UNREAD_REACH,
            },
        )
        return cursor.fetchone()[0]


# A case with its item and whoever owns it: what a step is decided by, and a line about it tells.
CASE = (
    Table(Incident, "i", without=("bigrams",)),
    Table(Category, "k"),
    Table(Department, "d"),
    Table(Area, "a", without=SHAPES),
)
CASES = f"""
    SELECT {", ".join(table.columns for table in CASE)}
      FROM incidents_incident i
      LEFT JOIN incidents_category k ON k.id = i.category_id
      LEFT JOIN grids_department d ON d.id = i.owner_department_id
      LEFT JOIN grids_area a ON a.id = i.owner_area_id
"""  # noqa: S608  only names of columns
_BY_CODE = f"{CASES} WHERE i.tracking_code = %s"


def joined(incident: Incident, *rows: Model | None) -> Incident:
    """Return the case of a row of ``CASES`` with what it was joined with."""
    # Who waited for the lock has the case as it is now, beside what the old one was joined with.
    for name, row in zip(("category", "owner_department", "owner_area"), rows, strict=True):
        if row is not None and row.pk == getattr(incident, f"{name}_id"):
            setattr(incident, name, row)
    return incident


def visible_incident(user: User, scope: Scope, tracking_code: str) -> Incident:
    """Return one case inside the scope with its item and owner (1 query, seldom 2).

    Raises Http404 outside the scope, so that nobody learns whether it exists.
    """
    rows = read(_BY_CODE, [tracking_code], *CASE)
    if not rows:
        raise Http404
    incident = joined(*rows[0])
    if not incident.visible_by(user, scope):
        raise Http404
    return incident


_AREAS = ("county", "town", "village", "grid", "unit", "area", "owner_area")
# What only the person themselves and those who keep accounts need.
_PRIVATE = ("password", "last_login", "email", "phone", "phone_index", "date_joined")
_WITH_PEOPLE = (
    *CASE[:3],
    Table(User, "h", without=_PRIVATE),
    Table(User, "r", without=_PRIVATE),
    Table(ReporterContact, "c"),
)
_WITH_PEOPLE_BY_CODE = f"""
    SELECT {", ".join(table.columns for table in _WITH_PEOPLE)}
      FROM incidents_incident i
      LEFT JOIN incidents_category k ON k.id = i.category_id
      LEFT JOIN grids_department d ON d.id = i.owner_department_id
      LEFT JOIN grids_user h ON h.id = i.handler_id
      LEFT JOIN grids_user r ON r.id = i.reporter_id
      LEFT JOIN incidents_reportercontact c ON c.incident_id = i.id
     WHERE i.tracking_code = %s
"""  # noqa: S608  only names of columns
_AREA = Table(Area, "a", without=SHAPES)
_AREAS_BY_ID = f"SELECT {_AREA.columns} FROM grids_area a WHERE a.id = ANY(%s::bigint[])"  # noqa: S608


def incident_for_page(user: User, scope: Scope, tracking_code: str) -> Incident:
    """Return one case as ``visible_incident``, with its people and places (2 queries, seldom 3)."""
    rows = read(_WITH_PEOPLE_BY_CODE, [tracking_code], *_WITH_PEOPLE)
    if not rows or not rows[0][0].visible_by(user, scope):
        raise Http404
    incident, category, department, handler, reporter, contact = rows[0]
    incident.category, incident.owner_department = category, department
    incident.handler, incident.reporter = handler, reporter
    Incident._meta.get_field("contact").set_cached_value(incident, contact)
    # One look-up for seven areas: joined, they would be as many joins.
    ids = list({getattr(incident, f"{name}_id") for name in _AREAS} - {None})
    areas = {area.pk: area for (area,) in read(_AREAS_BY_ID, [ids], _AREA)}
    for name in _AREAS:
        setattr(incident, name, areas.get(getattr(incident, f"{name}_id")))
    return incident


_CLOCK = (Table(StageClock, "c"), Table(WhistleParty, "p"), Table(Department, "d"))
_RUNNING = f"""
    SELECT {", ".join(table.columns for table in _CLOCK)}
      FROM incidents_stageclock c
      LEFT JOIN incidents_whistleparty p ON p.id = c.party_id
      LEFT JOIN grids_department d ON d.id = p.department_id
     WHERE c.incident_id = %s AND c.finished_at IS NULL
     ORDER BY c.due_at NULLS LAST, c.id
"""  # noqa: S608  only names of columns


def running_clocks(incident: Incident) -> list[StageClock]:
    """Return the unfinished clocks of a case, most urgent first (1 query)."""
    clocks = []
    for clock, party, department in read(_RUNNING, [incident.pk], *_CLOCK):
        clock.party = party
        if party is not None:
            party.department = department
        clocks.append(clock)
    return clocks


_EVENT = (Table(Event, "e"), Table(User, "u", without=_PRIVATE))
_EVENTS = f"""
    SELECT {", ".join(table.columns for table in _EVENT)},
           ARRAY(SELECT p.id FROM incidents_attachment p
                  WHERE p.event_id = e.id ORDER BY p.created_at, p.id)
      FROM incidents_event e LEFT JOIN grids_user u ON u.id = e.actor_id
     WHERE e.incident_id = %s AND (e.public OR NOT %s)
     ORDER BY e.seq
"""  # noqa: S608  only names of columns


def timeline(incident: Incident, *, public: bool = False) -> list[Event]:
    """Return the case's timeline, oldest first, with actors and ``photo_ids`` (1 query)."""
    events = []
    for event, actor, photo_ids in read(_EVENTS, [incident.pk, public], *_EVENT):
        event.actor = actor
        event.photo_ids = photo_ids
        events.append(event)
    return events
