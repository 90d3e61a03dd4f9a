"""Writing the audit trail."""

from collections.abc import Mapping
from typing import Any

from core.models import AuditEntry


def record(
    *,
    actor: Any,
    action: str,
    subject_type: str,
    subject_id: int | None = None,
    data: Mapping[str, Any] | None = None,
    ip: str | None = None,
) -> AuditEntry:
    """Write one entry in the caller's transaction. ``actor`` is a user, or None for the system.

    ``data`` must be JSON-ready and must not hold personal data in clear.
    """
    return AuditEntry.objects.create(
        actor=actor,
        action=action,
        subject_type=subject_type,
        subject_id=subject_id,
        data=dict(data or {}),
        ip=ip or None,
    )
