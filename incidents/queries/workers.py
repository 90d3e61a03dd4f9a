"""Who of a grid or unit could take a case today, and how much each has in hand.

What must not live here: giving it to one of them (services/assigning.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from core import prepared
from grids.models import LONGEST_SHIFT, Area
from incidents.models import State

# In hand is what still waits for the worker, not what others check or rate.
IN_HAND = (State.DISPATCHED, State.OBJECTED, State.ACCEPTED, State.ARRIVED)


@dataclass(frozen=True)
class Worker:
    """One person posted there today. ``away``: on leave; ``stands_for``: whose substitute.

    ``on_duty``: checked in for duty at this moment.
    """

    user_id: int
    name: str
    role: str
    away: bool
    on_duty: bool
    stands_for: str
    in_hand: int
    late: int


_WORKERS = """
    SELECT p.user_id, u.display_name, p.role,
           EXISTS (SELECT FROM grids_leave l
                    WHERE l.posting_id = p.id
                      AND l.away_from <= %(day)s AND l.away_until > %(day)s),
           EXISTS (SELECT FROM grids_dutyshift d
                    WHERE d.user_id = p.user_id
                      AND d.ended_at IS NULL AND d.began_at > %(duty_from)s),
           coalesce((SELECT absent.display_name
                       FROM grids_leave l
                       JOIN grids_posting post ON post.id = l.posting_id
                       JOIN grids_user absent ON absent.id = post.user_id
                      WHERE l.cover_id = p.id), ''),
           load.in_hand, load.late
      FROM grids_posting p
      JOIN grids_user u ON u.id = p.user_id AND u.is_active
     CROSS JOIN LATERAL (
           SELECT count(*) AS in_hand, count(i.overdue_at) AS late
             FROM incidents_incident i
            WHERE i.handler_id = p.user_id AND i.ended_at IS NULL AND i.state = ANY(%(states)s)
           ) load
     WHERE p.area_id = %(area)s AND p.role = ANY(%(roles)s)
       AND p.valid_from <= %(day)s AND (p.valid_to IS NULL OR p.valid_to > %(day)s)
     ORDER BY p.user_id
"""


def workers_of(area: Area, *, roles: Sequence[str], now: datetime) -> list[Worker]:
    """Return who holds one of ``roles`` right at ``area`` that day, by id (1 query)."""
    values = {
        "area": area.pk,
        "roles": list(roles),
        "day": timezone.localdate(now),
        "duty_from": now - LONGEST_SHIFT,
        "states": list(IN_HAND),
    }
    with prepared.cursor() as cursor:
        cursor.execute(_WORKERS, values)
        return [Worker(*row) for row in cursor.fetchall()]
