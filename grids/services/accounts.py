"""What others may do to an account: lock it, give it a new first password, end its sessions.

The duties are apart (GB/T 22239-2019, 8.1.5): the system administrator makes accounts and posts,
the security administrator locks and resets them, the audit administrator reads the trail; who
keeps somebody's posts gives them a new first password (people.give_first_password). Nobody may
take over an administrator: their passwords and second factors are reset at the server (manage.py
reset_account). What must not live here: one's own password and second factor.
"""

from enum import StrEnum

from axes.models import AccessAttempt
from axes.utils import reset as forgive
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid, NotAllowed
from core.services import audit
from grids.models import Authenticator, Posting, RecoveryCode, Role, User
from grids.models.posting import KEEPERS
from grids.queries import Scope
from grids.queries.roster import may_keep
from grids.services import sessions


class Act(StrEnum):
    """What may be done to somebody else's account."""

    LOCK = "lock"
    PASSWORD = "password"  # noqa: S105
    FACTOR = "factor"
    SESSIONS = "sessions"


def is_keeper(user: User) -> bool:
    """Return whether ``user`` is, or will be, one of the three administrators (1 query)."""
    not_over = Q(valid_to__isnull=True) | Q(valid_to__gt=timezone.localdate())
    return Posting.objects.filter(not_over, user=user, role__in=KEEPERS).exists()


def is_barred(person: User) -> bool:
    """Return whether failed sign-ins keep the account out from somewhere right now (1 query)."""
    failures = AccessAttempt.objects.filter(
        username=person.username, attempt_time__gt=timezone.now() - settings.AXES_COOLOFF_TIME
    )
    by_address = failures.values("ip_address").annotate(n=Sum("failures_since_start"))
    return by_address.filter(n__gte=settings.AXES_FAILURE_LIMIT).exists()


def may(actor: User, scope: Scope, person: User) -> frozenset[Act]:
    """Return what ``actor`` may do to the account of ``person`` (≤ 3 queries)."""
    if actor.pk == person.pk:
        return frozenset()
    if scope.has(Role.SECURITY_ADMIN):
        if is_keeper(person):
            return frozenset({Act.LOCK, Act.SESSIONS})
        return frozenset(Act)
    if may_keep(scope, person):
        return frozenset({Act.PASSWORD, Act.SESSIONS})
    return frozenset()


def set_lock(*, person: User, locked: bool, actor: User, scope: Scope, ip: str | None) -> None:
    """Lock an account, ending its sessions, or open it and forget its failed sign-ins."""
    check(Act.LOCK, person, actor, scope)
    with transaction.atomic():
        User.objects.filter(pk=person.pk).update(is_active=not locked)
        _record("account.locked" if locked else "account.unlocked", person, actor, ip)
        if not locked:
            forgive(username=person.username)
    if locked:
        sessions.end(users=[person.pk])


def reset_factor(*, person: User, actor: User, scope: Scope, ip: str | None) -> None:
    """Take away the second factors of somebody who lost them; their sessions end."""
    check(Act.FACTOR, person, actor, scope)
    with transaction.atomic():
        _take_factors(person)
        _record("account.factor_reset", person, actor, ip)
    sessions.end(users=[person.pk])


def end_sessions(*, person: User, actor: User, scope: Scope, ip: str | None) -> int:
    """Sign somebody out everywhere; return from how many places."""
    check(Act.SESSIONS, person, actor, scope)
    ended = sessions.end(users=[person.pk])
    _record("account.sessions_ended", person, actor, ip)
    return ended


def reset_at_server(*, username: str, password: str) -> User:
    """Give anybody, an administrator too, a new first password, no second factor and no lock.

    For the command line, where whoever may do this owns the database anyway. Raises Invalid.
    """
    person = User.objects.filter(username=username).first()
    if person is None:
        raise Invalid(_("There is no account of this name."), field="username")
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise Invalid(errors={"password": error.messages}) from error
    with transaction.atomic():
        person.set_password(password)
        person.must_change_password = True
        person.is_active = True
        person.save(update_fields=["password", "must_change_password", "is_active"])
        _take_factors(person)
        forgive(username=username)
        _record("account.reset_at_server", person, None, None)
    sessions.end(users=[person.pk])
    return person


def check(act: Act, person: User, actor: User, scope: Scope) -> None:
    """Raise NotAllowed unless ``actor`` may do ``act`` to the account of ``person``."""
    if act not in may(actor, scope, person):
        raise NotAllowed


def _take_factors(person: User) -> None:
    Authenticator.objects.filter(user=person).delete()
    RecoveryCode.objects.filter(user=person).delete()
    User.objects.filter(pk=person.pk).update(second_factor_due=None)


def _record(action: str, person: User, actor: User | None, ip: str | None) -> None:
    audit.record(actor=actor, action=action, subject_type="user", subject_id=person.pk, ip=ip)
