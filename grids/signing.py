"""What signing in and out brings along: the registry of sessions, and who may be told what.

What must not live here: any page.
"""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from grids import desks
from grids.models import Role, User
from grids.queries.looks import LINE_ROLES
from grids.services import sessions


def connect() -> None:
    """Listen to Django's signals and register the desk. Called from AppConfig.ready."""
    user_logged_in.connect(_began, dispatch_uid="sessions.began")
    user_logged_out.connect(_ended, dispatch_uid="sessions.ended")
    desks.register(
        desks.Desk("accounts", _("Accounts"), "lock", frozenset({Role.SECURITY_ADMIN}), rank=90)
    )
    desks.register(
        desks.Desk(
            "audit",
            _("Audit trail"),
            "list-search",
            frozenset({Role.AUDIT_ADMIN, Role.TOWN_ADMIN}),
            rank=91,
        )
    )
    desks.register(
        desks.Desk(
            "admin:index",
            _("Administration site"),
            "settings",
            frozenset({Role.SYSTEM_ADMIN}),
            rank=99,
        )
    )
    desks.register(
        desks.Desk("reveals", _("Who looked"), "eye", LINE_ROLES | {Role.AUDIT_ADMIN}, rank=92)
    )


def _began(request: HttpRequest, user: User, **_more: Any) -> None:
    sessions.began(request=request, user=user)


def _ended(request: HttpRequest, user: User | None, **_more: Any) -> None:
    if user is not None:
        sessions.end_key(request.session.session_key)
