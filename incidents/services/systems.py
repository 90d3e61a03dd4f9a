"""Connected systems: adding them, their keys, and letting their calls in.

A key is shown once, when it is made; only its hash is kept. What must not live here: what a call
does (services/sent_cases.py).
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime, time, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import ratelimit
from core.errors import Invalid, NotAllowed, TooMany
from core.services import audit
from grids.models import Role
from incidents.models import System, SystemDay, SystemRight
from incidents.services.step import person
from incidents.workflow import Actor

KEY_BEGINS = "gs_"
HINT_LENGTH = 8
MOST_CALLS = 1_000_000
UNKNOWN_KEY = _("This api_key is not known here, or it was withdrawn.")


@dataclass(frozen=True)
class SystemFields:
    """What is written down about a system. ``scopes`` are values of SystemRight."""

    name: str
    contact: str = ""
    scopes: Collection[str] = field(default_factory=list)
    daily_quota: int = 1000


def add_system(*, fields: SystemFields, actor: Actor) -> System:
    """Add a system, still without a key. Raises Invalid, NotAllowed."""
    _check(actor)
    return _save(System(), fields, actor, "system.add")


def change_system(*, system_id: int, fields: SystemFields, actor: Actor) -> System:
    """Change what is written down. Raises System.DoesNotExist, Invalid, NotAllowed."""
    _check(actor)
    with transaction.atomic():
        return _save(_locked(system_id), fields, actor, "system.change")


def new_key(*, system_id: int, actor: Actor) -> str:
    """Give the system a new key and return it; the one before stops at once.

    Raises System.DoesNotExist, NotAllowed.
    """
    _check(actor)
    key = KEY_BEGINS + secrets.token_urlsafe(32)
    with transaction.atomic():
        system = _locked(system_id)
        system.key_hash, system.key_hint = hashed(key), key[:HINT_LENGTH]
        system.key_made_at = timezone.now()
        system.save(update_fields=["key_hash", "key_hint", "key_made_at"])
        _record(system, actor, "system.key", {})
    return key


def set_active(*, system_id: int, active: bool, actor: Actor) -> System:
    """Close a system's door, or open it again with the key it has.

    Raises System.DoesNotExist, NotAllowed.
    """
    _check(actor)
    with transaction.atomic():
        system = _locked(system_id)
        if system.active != active:
            system.active = active
            system.save(update_fields=["active"])
            _record(system, actor, "system.open" if active else "system.close", {})
    return system


def system_of(key: str) -> System:
    """Return the system whose key this is (1 query). Raises NotAllowed."""
    system = System.objects.filter(key_hash=hashed(key), active=True).first() if key else None
    if system is None:
        raise NotAllowed(UNKNOWN_KEY if key else _("This needs an api_key."))
    return system


def admit(*, key: str, right: str) -> System:
    """Let a writing call in and count it (2 queries; 4 for the first of a day).

    Raises NotAllowed for a key that is unknown or lacks ``right``, TooMany past the quota of the
    day or the pace one key may keep.
    """
    system = system_of(key)
    if right not in system.scopes:
        label = SystemRight(right).label
        raise NotAllowed(_("This api_key does not open “%(right)s”."), right=label)
    ratelimit.check("system", str(system.pk))
    _count(system)
    return system


def hashed(key: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _count(system: System) -> None:
    now = timezone.localtime()
    today = SystemDay.objects.filter(system=system, day=now.date())
    room = today.filter(calls__lt=system.daily_quota)
    if room.update(calls=F("calls") + 1, last_at=now):
        return
    SystemDay.objects.get_or_create(system=system, day=now.date(), defaults={"last_at": now})
    if room.update(calls=F("calls") + 1, last_at=now):
        return
    today.update(refused=F("refused") + 1, last_at=now)
    raise TooMany(retry_after=int((_next_day(now) - now).total_seconds()))


def _next_day(now: datetime) -> datetime:
    return timezone.make_aware(datetime.combine(now.date() + timedelta(days=1), time.min))


def _save(system: System, fields: SystemFields, actor: Actor, action: str) -> System:
    name = fields.name.strip()
    if not name:
        raise Invalid(_("Please give a name."), field="name")
    if not 1 <= fields.daily_quota <= MOST_CALLS:
        raise Invalid(
            _("Give a number between 1 and %(most)s."), field="daily_quota", most=MOST_CALLS
        )
    if not set(fields.scopes) <= set(SystemRight.values):
        raise Invalid(_("This value is not one of its choices."), field="scopes")
    system.name, system.contact = name, fields.contact.strip()
    system.scopes, system.daily_quota = sorted(set(fields.scopes)), fields.daily_quota
    try:
        with transaction.atomic():
            system.save()
            told = asdict(fields) | {"scopes": system.scopes}
            del told["contact"]  # it may name a person
            _record(system, actor, action, told)
    except IntegrityError as error:
        raise Invalid(_("Another system has this name already."), field="name") from error
    return system


def _locked(system_id: int) -> System:
    return System.objects.select_for_update().get(pk=system_id)


def _check(actor: Actor) -> None:
    if not actor.scope.has(Role.SYSTEM_ADMIN):
        raise NotAllowed


def _record(system: System, actor: Actor, action: str, data: dict[str, object]) -> None:
    audit.record(
        actor=person(actor),
        action=action,
        subject_type="system",
        subject_id=system.pk,
        data=data,
        ip=actor.ip,
    )
