"""Keeping webhooks: where a system is told, its secrets, and sending again.

A secret is shown once, when it is made; it is kept encrypted, because it signs. What must not live
here: who hears what (services/hook_queue.py), and sending (services/hook_sending.py).
"""

import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.channels import wire
from core.errors import Conflict, Invalid
from incidents.models import HookDelivery, HookEvent, System, Webhook
from incidents.models.webhook import TRIAL
from incidents.services.systems import check_keeper, record_act
from incidents.workflow import Actor

State = HookDelivery.State
BEGINS_WITH = "whs_"
ADDRESS_LIMIT = 500
# Both secrets sign for so long after a change.
OVERLAP = timedelta(hours=24)
MOST_REPLAYED = 10_000
REPLAYABLE = (State.DELIVERED, State.DEAD, State.DROPPED)
_NO_WEBHOOK = _("Give an address first.")


@dataclass(frozen=True)
class HookFields:
    """What is written down about a webhook. ``events`` are values of HookEvent."""

    address: str
    events: Collection[str]
    own_only: bool = True
    active: bool = True


def put_webhook(*, system_id: int, fields: HookFields, actor: Actor) -> str:
    """Set a system's webhook up, or change it; return its secret if it is new, else "".

    Raises System.DoesNotExist, Invalid, NotAllowed.
    """
    check_keeper(actor)
    address = fields.address.strip()
    wire.check_address(address)
    if len(address) > ADDRESS_LIMIT:
        raise Invalid(_("Please keep it under %(n)s characters."), field="address", n=ADDRESS_LIMIT)
    if not fields.events or not set(fields.events) <= set(HookEvent.values):
        raise Invalid(_("Choose at least one."), field="events")
    with transaction.atomic():
        system = System.objects.select_for_update().get(pk=system_id)
        before = Webhook.objects.filter(pk=system_id).first()
        webhook = before or Webhook(system=system, secret=_new_secret())
        if before and before.address != address:
            # Another receiver may take what the one before did not.
            webhook.failures, webhook.paused_until, webhook.stopped_at = 0, None, None
        webhook.address, webhook.events = address, sorted(set(fields.events))
        webhook.own_only, webhook.active = fields.own_only, fields.active
        webhook.save()
        # Not the address: there may be a token in it.
        told = {"events": webhook.events, "own_only": webhook.own_only, "active": webhook.active}
        record_act(webhook.pk, actor, "webhook.put", told)
    return "" if before else webhook.secret


def new_secret(*, system_id: int, actor: Actor, at_once: bool = False) -> str:
    """Give a webhook a new secret and return it; the old one signs beside it for 24 hours.

    With ``at_once`` it stops now: it may have been seen. Raises Conflict, NotAllowed.
    """
    check_keeper(actor)
    with transaction.atomic():
        webhook = _locked(system_id)
        webhook.old_secret = "" if at_once else webhook.secret
        webhook.old_secret_until = None if at_once else timezone.now() + OVERLAP
        webhook.secret = _new_secret()
        webhook.save(update_fields=["secret", "old_secret", "old_secret_until"])
        record_act(webhook.pk, actor, "webhook.secret", {"at_once": at_once})
    return webhook.secret


def go_on(*, system_id: int, actor: Actor) -> None:
    """Let a paused or stopped webhook be tried again now. Raises Conflict, NotAllowed."""
    check_keeper(actor)
    with transaction.atomic():
        webhook = _locked(system_id)
        webhook.failures, webhook.paused_until, webhook.stopped_at = 0, None, None
        webhook.save(update_fields=["failures", "paused_until", "stopped_at"])
        waiting = webhook.deliveries.filter(state=State.AWAITING_RETRY)
        waiting.update(next_attempt_at=timezone.now())
        record_act(webhook.pk, actor, "webhook.go_on", {})


def send_trial(*, system_id: int, actor: Actor) -> HookDelivery:
    """Queue an event of type "test". Raises Conflict, NotAllowed."""
    check_keeper(actor)
    with transaction.atomic():
        webhook = _locked(system_id)
        if not webhook.active or not webhook.system.active:
            raise Conflict(_("It is switched off."))
        delivery = HookDelivery.objects.create(webhook=webhook, event_id=uuid.uuid4(), event=TRIAL)
        record_act(webhook.pk, actor, "webhook.trial", {})
    return delivery


def replay(
    *,
    system_id: int,
    actor: Actor,
    ids: Collection[int] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> int:
    """Send deliveries again under the event ids they had: some by id, or all made in a time.

    Those still waiting are left alone. Returns how many. Raises Conflict without a webhook,
    Invalid for a time the wrong way round or more than 10,000 at once, NotAllowed.
    """
    check_keeper(actor)
    with transaction.atomic():
        webhook = _locked(system_id)
        chosen = webhook.deliveries.filter(state__in=REPLAYABLE)
        asked: dict[str, Any] = {"ids": sorted(ids)}
        if since is not None and until is not None:
            if since > until:
                raise Invalid(_("The start must not be after the end."), field="since")
            chosen = chosen.filter(made_at__gte=since, made_at__lte=until)
            asked = {"since": since.isoformat(), "until": until.isoformat()}
        else:
            chosen = chosen.filter(pk__in=ids)
        found = list(chosen.order_by("pk").values_list("pk", flat=True)[: MOST_REPLAYED + 1])
        if len(found) > MOST_REPLAYED:
            raise Invalid(_("At most %(n)s at once."), field="since", n=MOST_REPLAYED)
        again = HookDelivery.objects.filter(pk__in=found, state__in=REPLAYABLE)
        count = again.update(
            state=State.QUEUED, attempts=0, next_attempt_at=timezone.now(), delivered_at=None
        )
        record_act(webhook.pk, actor, "webhook.replay", asked | {"count": count})
    return count


def _new_secret() -> str:
    return BEGINS_WITH + secrets.token_urlsafe(32)


def _locked(system_id: int) -> Webhook:
    found = (
        Webhook.objects.select_related("system")
        .select_for_update(of=("self",))
        .filter(pk=system_id)
        .first()
    )
    if found is None:
        raise Conflict(_NO_WEBHOOK)
    return found
