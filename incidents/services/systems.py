"""Connected systems: adding them, their keys, and letting their calls in.

A key is shown once, when it is made; only its hash is kept. What must not live here: what a call
does (services/sent_cases.py).
"""

import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import ratelimit
from core.errors import Invalid, NotAllowed, TooMany
from core.services import audit
from grids.models import Area, Role, User
from grids.moves import Areas
from incidents.models import Category, System, SystemDay, SystemRight
from incidents.services.step import person
from incidents.workflow import Actor

KEY_BEGINS = "gs_"
HINT_LENGTH = 8
MOST_CALLS, MOST_A_MINUTE = 1_000_000, 6000
UNKNOWN_KEY = _("This api_key is not known here, or it was withdrawn.")


@dataclass(frozen=True)
class SystemFields:
    """What is written down about a system. ``scopes`` are values of SystemRight."""

    name: str
    contact: str = ""
    scopes: Collection[str] = field(default_factory=list)
    daily_quota: int = 1000
    minute_quota: int = 600
    areas: Collection[Area] = ()
    items: Collection[Category] = ()


def add_system(*, fields: SystemFields, actor: Actor) -> System:
    """Add a system, still without a key. Raises Invalid, NotAllowed."""
    check_keeper(actor)
    return _save(System(), fields, actor, "system.add")


def change_system(*, system_id: int, fields: SystemFields, actor: Actor) -> System:
    """Change what is written down. Raises System.DoesNotExist, Invalid, NotAllowed."""
    check_keeper(actor)
    with transaction.atomic():
        return _save(_locked(system_id), fields, actor, "system.change")


def new_key(*, system_id: int, actor: Actor) -> str:
    """Give the system a new key and return it; the one before stops at once.

    Raises System.DoesNotExist, NotAllowed.
    """
    check_keeper(actor)
    key = KEY_BEGINS + secrets.token_urlsafe(32)
    with transaction.atomic():
        system = _locked(system_id)
        system.key_hash, system.key_hint = hashed(key), key[:HINT_LENGTH]
        system.key_made_at = timezone.now()
        system.save(update_fields=["key_hash", "key_hint", "key_made_at"])
        record_act(system.pk, actor, "system.key", {})
    return key


def set_active(*, system_id: int, active: bool, actor: Actor) -> System:
    """Close a system's door, or open it again with the key it has.

    Raises System.DoesNotExist, NotAllowed.
    """
    check_keeper(actor)
    with transaction.atomic():
        system = _locked(system_id)
        if system.active != active:
            system.active = active
            system.save(update_fields=["active"])
            record_act(system.pk, actor, "system.open" if active else "system.close", {})
    return system


def system_of(key: str) -> System:
    """Return the system whose key this is (1 query). Raises NotAllowed."""
    system = System.objects.filter(key_hash=hashed(key), active=True).first() if key else None
    if system is None:
        raise NotAllowed(UNKNOWN_KEY if key else _("This needs an api_key."))
    return system


def admit(*, key: str, right: str) -> System:
    """Let a call in and count it (2 queries; 4 for the first of a day).

    Raises NotAllowed for a key that is unknown or lacks ``right``, TooMany past its quota of the
    minute or the day.
    """
    return admit_to_any(key=key, rights=[right])


def admit_to_any(*, key: str, rights: Collection[str]) -> System:
    """Let a call in that one of ``rights`` opens, as :func:`admit` does."""
    system = system_of(key)
    if system.scopes and not set(rights).isdisjoint(system.scopes):
        ratelimit.check("system", str(system.pk), limit=system.minute_quota)
        _count(system)
        return system
    label = SystemRight(next(iter(rights))).label
    raise NotAllowed(_("This api_key does not open “%(right)s”."), right=label)
    return system


def hashed(key: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


FOLLOWED: Mapping[str, Any] = {"systems": _("Bounds of connected systems")}


def count_followers(areas: Areas) -> dict[str, int]:
    """Return how many bounds of systems name areas that would be merged (1 query)."""
    return {"systems": System.areas.through.objects.filter(area__in=_merged(areas)).count()}


def follow_areas(areas: Areas, *, on: date, actor: User | None) -> dict[str, int]:
    """Let systems hear of the area that took theirs in."""
    found = count_followers(areas)
    for old, new in _merged(areas).items():
        for system in System.objects.filter(areas=old).order_by("pk"):
            system.areas.remove(old)
            system.areas.add(new)
    return found


def _merged(areas: Areas) -> dict[int, int]:
    return {old: new for old, new in areas.items() if old != new}


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
    if not 1 <= fields.minute_quota <= MOST_A_MINUTE:
        raise Invalid(
            _("Give a number between 1 and %(most)s."), field="minute_quota", most=MOST_A_MINUTE
        )
    if not set(fields.scopes) <= set(SystemRight.values):
        raise Invalid(_("This value is not one of its choices."), field="scopes")
    system.name, system.contact = name, fields.contact.strip()
    system.scopes, system.daily_quota = sorted(set(fields.scopes)), fields.daily_quota
    system.minute_quota = fields.minute_quota
    try:
        with transaction.atomic():
            system.save()
            system.areas.set(fields.areas)
            system.items.set(fields.items)
            # Without the contact: it may name a person.
            told = {
                "name": system.name,
                "scopes": system.scopes,
                "daily_quota": system.daily_quota,
                "minute_quota": system.minute_quota,
                "areas": sorted(area.code for area in fields.areas),
                "items": sorted(item.code for item in fields.items),
            }
            record_act(system.pk, actor, action, told)
    except IntegrityError as error:
        raise Invalid(_("Another system has this name already."), field="name") from error
    return system


def _locked(system_id: int) -> System:
    return System.objects.select_for_update().get(pk=system_id)


def check_keeper(actor: Actor) -> None:
    """Raise NotAllowed for anybody but the system administrator."""
    if not actor.scope.has(Role.SYSTEM_ADMIN):
        raise NotAllowed


def record_act(system_id: int, actor: Actor, action: str, data: dict[str, object]) -> None:
    """Write what was done to a system, or to where it is told, into the audit trail."""
    audit.record(
        actor=person(actor),
        action=action,
        subject_type="system",
        subject_id=system_id,
        data=data,
        ip=actor.ip,
    )
