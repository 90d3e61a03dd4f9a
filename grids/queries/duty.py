"""Who is on duty now.

What must not live here: beginning and ending a shift (services/duty.py).
"""

from datetime import datetime

from grids.models import DutyShift


def on_duty_since(user_id: int, *, now: datetime) -> datetime | None:
    """Return since when a person is on duty, None off duty (1 query)."""
    running = DutyShift.objects.running(now).filter(user=user_id)
    return running.values_list("began_at", flat=True).first()
