"""Reads for first passwords of a batch: whom a sheet brought in, and who of them has none yet.

What must not live here: making one (services/first_passwords.py).
"""

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import QuerySet

from core.models import AuditEntry, SheetUpload
from grids.models import User
from grids.queries.roster import kept_people
from grids.queries.scope import Scope


def added_by(upload: SheetUpload) -> list[int]:
    """Return the ids of the people a saved sheet added, by the audit trail (1 query)."""
    entries = AuditEntry.objects.filter(
        actor=upload.owner_id,
        action="person.add",
        data__sheet=str(upload.pk),
    )
    return [pk for pk in entries.values_list("subject_id", flat=True) if pk is not None]


def without_password() -> QuerySet[User]:
    """Return the active accounts that nobody can sign in to yet."""
    return User.objects.filter(is_active=True, password__startswith=UNUSABLE_PASSWORD_PREFIX)


def waiting_of(upload: SheetUpload, scope: Scope) -> list[User]:
    """Return whom the sheet added, who has no password and whose posts ``scope`` keeps all.

    By account (3 queries).
    """
    found = list(without_password().filter(pk__in=added_by(upload)).order_by("pk"))
    kept = kept_people(scope, [user.pk for user in found])
    return [user for user in found if user.pk in kept]
