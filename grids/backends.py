"""Who somebody signed in is, and their rights in the administration site.

What lives here: the account of a session; which role may do what to which table. What must not:
rights in the product's own pages; those are the roles on each view and the scope.
"""

from fnmatch import fnmatchcase
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser

from core.rows import Table, read
from grids.models import Role, User
from grids.queries import Scope

# Patterns over "app.action_model". The three administrators never share one.
_grants: dict[str, list[str]] = {
    Role.SYSTEM_ADMIN: [
        "grids.*",
        "core.*_timer",
        "core.*_outboxmessage",
        "core.*_heartbeat",
        "core.*_calendar*",
    ],
    Role.AUDIT_ADMIN: ["core.view_auditentry"],
    Role.SECURITY_ADMIN: ["axes.view_*"],
    Role.COMMAND: ["core.*_calendar*"],
}


def grant(role: str, *patterns: str) -> None:
    """Let ``role`` do what ``patterns`` name, such as ``incidents.*_category``.

    For upper floors, from AppConfig.ready.
    """
    held = _grants.setdefault(role, [])
    held += [pattern for pattern in patterns if pattern not in held]


# Read by every request of somebody signed in; phone and ID number are decrypted when asked for.
_ACCOUNT = Table(User, "u", without=("phone", "phone_index", "id_number", "id_index"))
_ACCOUNT_BY_ID = f"SELECT {_ACCOUNT.columns} FROM grids_user u WHERE u.id = %s"  # noqa: S608


class PostingBackend(ModelBackend):
    """Signs in by password; answers has_perm for staff from the postings in force today."""

    def authenticate(self, request: Any, *args: Any, **credentials: Any) -> User | None:
        """Return who has this name and password; demonstration accounts in demonstration only.

        Their password is known to everybody, and a county may begin in a database that held one.
        """
        user = super().authenticate(request, *args, **credentials)
        return None if user and user.is_demo and not settings.DEMO else user

    def get_user(self, user_id: int) -> User | None:
        """Return the account of a session (1 query); None when it may not sign in any more."""
        rows = read(_ACCOUNT_BY_ID, [user_id], _ACCOUNT)
        user = rows[0][0] if rows else None
        return user if user and self.user_can_authenticate(user) else None

    def has_perm(self, user_obj: User | AnonymousUser, perm: str, obj: Any = None) -> bool:
        return any(fnmatchcase(perm, pattern) for pattern in _patterns(user_obj))

    def has_module_perms(self, user_obj: User | AnonymousUser, app_label: str) -> bool:
        return any(pattern.partition(".")[0] == app_label for pattern in _patterns(user_obj))


def may_open_admin(user: User, scope: Scope, perm: str) -> bool:
    """Return what :class:`PostingBackend` would say of ``perm``, without asking the database."""
    return user.is_staff and any(fnmatchcase(perm, pattern) for pattern in _granted(scope))


def _granted(scope: Scope) -> set[str]:
    return {pattern for role in scope.roles for pattern in _grants.get(role, ())}


def _patterns(user: User | AnonymousUser) -> set[str]:
    if not (user.is_active and user.is_staff):
        return set()
    # The administration site asks dozens of times for one page, of one user object.
    if not hasattr(user, "_posting_patterns"):
        user._posting_patterns = _granted(Scope.for_user(user))  # type: ignore[attr-defined]
    return user._posting_patterns  # type: ignore[attr-defined]
