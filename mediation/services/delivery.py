"""What the outbox does with the messages of this floor."""

from django.utils import timezone

from core.models import OutboxMessage
from grids.models import Department, Role
from incidents.models import Notice

# The code of the public security office in the county's list of departments.
POLICE_DEPARTMENT = "GA"


def deliver_notice(message: OutboxMessage) -> None:
    """Put the line on the desk of a person or of a role at a place, once."""
    payload = message.payload
    _notice(
        message,
        role=payload["role"],
        area_id=payload["area"],
        user_id=payload["user"],
    )


def deliver_to_police(message: OutboxMessage) -> None:
    """Report an activation risk to the police; without such a department the centre must call.

    The number and the county only: the police ask the named mediators for the file.
    """
    office = Department.objects.filter(
        county_id=message.payload["county"], code=POLICE_DEPARTMENT, active=True
    ).first()
    if office:
        _notice(message, department=office)
    else:
        _notice(message, role=Role.COMMAND, area_id=message.payload["county"])


def _notice(message: OutboxMessage, **to: object) -> None:
    Notice.objects.get_or_create(
        key=message.key,
        defaults={
            "kind": message.payload["kind"],
            "data": {"dispute": message.payload["number"]},
            "created_at": timezone.now(),
            **to,
        },
    )
