"""Sending what connected systems are told: claimed, sent and recorded in three steps.

What lives here: the body, its signature, retries, and the pause of a receiver that takes nothing.
What must not: who is told what (services/hook_queue.py). As for letters (decision 0028) no
transaction is open between sending and recording: a process that dies there leaves the delivery in
flight, and it is sent again under the same event id.
"""

import hashlib
import hmac
import json
import random
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from logging import getLogger
from time import monotonic
from typing import Any

from cryptography.fernet import InvalidToken
from django.core.cache import cache
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import override

from core.channels import wire
from core.channels.letters import Unavailable
from core.channels.wording import languages
from core.masking import mask_text
from core.services import outbox
from grids.models import Area, Level, Role
from incidents.models import Event, HookAttempt, HookDelivery, HookEvent, SentCase, Webhook
from incidents.models.webhook import TRIAL
from incidents.queries.published import PublicCase
from incidents.queries.told import case_as_told, w3c
from incidents.services.hook_queue import audible

State = HookDelivery.State
logger = getLogger(__name__)

TURN, TURN_SECONDS = "hooks:sending", 30
WORK_SECONDS = 20
# At once: so many of one receiver, so many receivers, so many connections.
BATCH, RECEIVERS, SENDERS = 8, 16, 8
LONGEST_PAUSE = timedelta(minutes=15)
# So many in a row that do not arrive, about two hours, and a person must look.
STOP_AFTER = 12
GONE = 410
ANSWER_KEPT = 500
KEPT = timedelta(days=90)
FORGET_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Ready:
    """A body to be posted."""

    delivery: HookDelivery
    address: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try; ``problem`` is a stored reason, "" when it arrived."""

    status: int | None
    ms: int
    problem: str
    answer: str = ""
    retry_after: int | None = None


def send_due(*, now: datetime | None = None) -> int:
    """Send what is due, unless another process is doing so; return how many arrived.

    Ends after WORK_SECONDS; receivers that are paused or stopped are left alone.
    """
    free_stuck(now or timezone.now())
    if not cache.add(TURN, 1, TURN_SECONDS):
        return 0
    arrived, until = 0, monotonic() + WORK_SECONDS
    try:
        while monotonic() < until:
            cache.touch(TURN, TURN_SECONDS)
            claimed = _claim(now or timezone.now())
            if not claimed:
                break
            arrived += _send(claimed, now or timezone.now())
    finally:
        cache.delete(TURN)
    return arrived


def free_stuck(now: datetime) -> int:
    """Give up on tries begun over five minutes ago, whose process must have died."""
    stuck = HookDelivery.objects.filter(
        state=State.IN_FLIGHT, claimed_at__lt=now - outbox.STUCK_AFTER
    )
    dead = stuck.filter(attempts__gte=outbox.MAX_ATTEMPTS).update(state=State.DEAD)
    return dead + stuck.update(state=State.AWAITING_RETRY, next_attempt_at=now)


def forget_old(*, now: datetime | None = None) -> int:
    """Delete deliveries of over 90 days ago with their tries, a batch; return how many."""
    old = HookDelivery.objects.filter(made_at__lt=(now or timezone.now()) - KEPT)
    ids = list(old.order_by("made_at").values_list("pk", flat=True)[:FORGET_BATCH])
    HookDelivery.objects.filter(pk__in=ids).delete()
    return len(ids)


def signature(secrets: Iterable[str], body: bytes, *, at: int) -> str:
    """Return ``t=…,v1=…``: HMAC-SHA256 in hex of the seconds, a dot and the body.

    One v1 for each secret, so two while the other side changes over.
    """
    signed = b"%d." % at + body
    marks = (hmac.new(one.encode(), signed, hashlib.sha256).hexdigest() for one in secrets)
    return ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)])


def secrets_of(webhook: Webhook, now: datetime) -> list[str]:
    """Return the secrets that sign now, the newest first."""
    overlaps = webhook.old_secret_until is not None and webhook.old_secret_until > now
    return [webhook.secret, *([webhook.old_secret] if overlaps and webhook.old_secret else [])]


def _claim(now: datetime) -> list[tuple[Webhook, list[HookDelivery]]]:
    due = HookDelivery.objects.filter(
        webhook=OuterRef("pk"),
        state__in=[State.QUEUED, State.AWAITING_RETRY],
        next_attempt_at__lte=now,
    )
    ready = Webhook.objects.filter(
        Q(paused_until__isnull=True) | Q(paused_until__lte=now),
        Exists(due),
        active=True,
        system__active=True,
        stopped_at__isnull=True,
    )
    claimed = []
    for pk in ready.order_by("last_sent_at", "pk").values_list("pk", flat=True)[:RECEIVERS]:
        webhook = _read(pk, now)
        rows = _take(webhook, now) if webhook else []
        if webhook and rows:
            claimed.append((webhook, rows))
    return claimed


def _read(pk: int, now: datetime) -> Webhook | None:
    """Return a webhook; None, and stopped, if no key opens it any more: the others must go on."""
    try:
        return Webhook.objects.select_related("system").get(pk=pk)
    except InvalidToken:
        logger.exception("webhook %s cannot be decrypted", pk)
        Webhook.objects.filter(pk=pk).update(
            stopped_at=now, last_problem=str(Unavailable("bad_settings"))
        )
        return None


@transaction.atomic
def _take(webhook: Webhook, now: datetime) -> list[HookDelivery]:
    waiting = HookDelivery.objects.filter(
        webhook=webhook,
        state__in=[State.QUEUED, State.AWAITING_RETRY],
        next_attempt_at__lte=now,
    )
    # A receiver that failed is tried with one before the others follow.
    size = 1 if webhook.failures else BATCH
    rows = list(
        waiting.order_by("next_attempt_at", "pk").select_for_update(skip_locked=True)[:size]
    )
    ids = [row.pk for row in rows]
    HookDelivery.objects.filter(pk__in=ids).update(
        state=State.IN_FLIGHT, claimed_at=now, attempts=F("attempts") + 1
    )
    for row in rows:
        row.claimed_at = now
        # Counted before trying, so one that kills its process dies too in the end.
        row.attempts += 1
    return rows


def _send(claimed: list[tuple[Webhook, list[HookDelivery]]], now: datetime) -> int:
    ready, silent = [], []
    for webhook, rows in claimed:
        try:
            bodies = bodies_of(webhook, rows)
        except Exception:
            # Of this one's making: the others must go.
            logger.exception("bodies for webhook %s could not be made", webhook.pk)
            _put_off(rows, now)
            continue
        for row in rows:
            body = bodies.get(row.pk)
            if body is None:
                silent.append(row.pk)
            else:
                ready.append(_packed(webhook, row, body, now))
    # Withdrawn meanwhile, by a right, an area, or because the case is nobody else's business now.
    HookDelivery.objects.filter(pk__in=silent).update(state=State.DROPPED)
    with ThreadPoolExecutor(max_workers=SENDERS) as pool:
        outcomes = list(pool.map(_post, ready))
    results = list(zip(ready, outcomes, strict=True))
    for pk, group in groupby(results, key=lambda one: one[0].delivery.webhook_id):
        _record(pk, list(group), now)
    return sum(not outcome.problem for outcome in outcomes)


def _put_off(rows: list[HookDelivery], now: datetime) -> None:
    for row in rows:
        dead = row.attempts >= outbox.MAX_ATTEMPTS
        HookDelivery.objects.filter(pk=row.pk).update(
            state=State.DEAD if dead else State.AWAITING_RETRY,
            next_attempt_at=outbox.retry_at(now, row.attempts),
        )


def _packed(webhook: Webhook, row: HookDelivery, body: bytes, now: datetime) -> Ready:
    at = int(timezone.now().timestamp())
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Geshi-Webhook/1",
        "Geshi-Event": row.event,
        "Geshi-Event-Id": str(row.event_id),
        "Geshi-Signature": signature(secrets_of(webhook, now), body, at=at),
    }
    return Ready(row, webhook.address, body, headers)


def _post(ready: Ready) -> Outcome:
    """Post one body. Asks the database nothing; what comes back is data, never an order."""
    start = monotonic()
    try:
        answer = wire.post(ready.address, body=ready.body, headers=ready.headers)
    except Unavailable as wrong:
        return Outcome(None, _ms(start), str(wrong), retry_after=wrong.retry_after)
    except Exception as error:
        return Outcome(None, _ms(start), str(Unavailable("internal", type(error).__name__)))
    fine = 200 <= answer.status < 300
    problem = "" if fine else str(Unavailable("status", answer.status))
    said = answer.body[: 4 * ANSWER_KEPT].decode(errors="replace").replace("\x00", "")
    return Outcome(
        answer.status, _ms(start), problem, mask_text(said)[:ANSWER_KEPT], answer.retry_after
    )


def _ms(start: float) -> int:
    return round((monotonic() - start) * 1000)


@transaction.atomic
def _record(pk: int, results: list[tuple[Ready, Outcome]], now: datetime) -> None:
    tries = []
    for ready, outcome in results:
        row = ready.delivery
        # Somebody who took it for stuck may have sent it meanwhile: that one records the state.
        mine = HookDelivery.objects.filter(
            pk=row.pk, state=State.IN_FLIGHT, claimed_at=row.claimed_at
        )
        if not outcome.problem:
            mine.update(state=State.DELIVERED, delivered_at=now)
        elif row.attempts >= outbox.MAX_ATTEMPTS:
            mine.update(state=State.DEAD)
        else:
            again = outbox.retry_at(now, row.attempts)
            mine.update(state=State.AWAITING_RETRY, next_attempt_at=again)
        tries.append(
            HookAttempt(
                delivery=row,
                at=now,
                status=outcome.status,
                ms=outcome.ms,
                problem=outcome.problem,
                answer=outcome.answer,
            )
        )
    HookAttempt.objects.bulk_create(tries)
    _learn(pk, [outcome for _ready, outcome in results], now)


def _learn(pk: int, outcomes: list[Outcome], now: datetime) -> None:
    """Pause a receiver that takes nothing, longer each time; stop it and warn in the end."""
    webhook = Webhook.objects.select_related("system").select_for_update(of=("self",)).get(pk=pk)
    failed = [outcome for outcome in outcomes if outcome.problem]
    if len(failed) < len(outcomes):
        Webhook.objects.filter(pk=pk).update(failures=0, paused_until=None, last_sent_at=now)
        return
    failures = webhook.failures + 1
    pause = min(timedelta(minutes=2 ** min(failures - 1, 8)), LONGEST_PAUSE)
    if failed[0].retry_after:
        pause = timedelta(seconds=failed[0].retry_after)
    stop = failures >= STOP_AFTER or any(outcome.status == GONE for outcome in failed)
    Webhook.objects.filter(pk=pk).update(
        failures=failures,
        paused_until=now + pause * (1 + random.uniform(0, outbox.JITTER)),  # noqa: S311
        last_problem=failed[0].problem,
        last_sent_at=now,
        stopped_at=now if stop else None,
    )
    if stop:
        _warn(webhook, now)


def _warn(webhook: Webhook, now: datetime) -> None:
    for county in Area.objects.open().filter(level=Level.COUNTY).values_list("pk", flat=True):
        payload = {
            "kind": "hook_stopped",
            "role": Role.SYSTEM_ADMIN,
            "area": county,
            "data": {"system": webhook.pk, "place": webhook.system.name},
        }
        key = f"hook:{webhook.pk}:stopped:{now.isoformat()}:{county}"
        outbox.post([outbox.Message(topic="notice", key=key, payload=payload)])


def bodies_of(webhook: Webhook, rows: Iterable[HookDelivery]) -> dict[int, bytes]:
    """Return what each delivery says now; one about a case it may not hear of is left out.

    The case stands as it is now, ``change`` as it happened: who gets them in another order never
    takes an old state for a new one. No person is in it, no tracking code; the words of a report
    only for whoever sent it (≤ 9 queries, however many rows).
    """
    rows = list(rows)
    ids = {row.incident_id for row in rows if row.incident_id}
    with override(languages()[0]):
        cases = audible(webhook, ids) if ids else {}
        wanted = Event.objects.filter(incident__in=cases)
        wanted = wanted.filter(seq__in={row.seq for row in rows if row.seq})
        events = {(event.incident_id, event.seq): event for event in wanted}
        sent = SentCase.objects.filter(pk__in=cases, system=webhook.system)
        numbers = dict(sent.values_list("pk", "external_id"))
        bodies = {}
        for row in rows:
            told: dict[str, Any] = {"id": str(row.event_id), "type": row.event}
            if row.event != TRIAL:
                case = cases.get(row.incident_id or 0)
                event = events.get((row.incident_id or 0, row.seq or 0))
                if case is None or event is None:
                    continue
                told |= _told(row, case, event, numbers)
            bodies[row.pk] = json.dumps(told, ensure_ascii=False).encode()
    return bodies


def _told(
    row: HookDelivery, case: PublicCase, event: Event, numbers: Mapping[int, str]
) -> dict[str, Any]:
    number = numbers.get(case.id, "")
    told: dict[str, Any] = {"case": case_as_told(case, own=case.id in numbers, external_id=number)}
    told["change"] = {
        "seq": event.seq,
        "at": w3c(event.at),
        "step": event.action,
        "from": event.from_state or None,
        "to": event.to_state,
    }
    if row.event == HookEvent.RATED:
        told["rating"] = {name: event.data.get(name) for name in ("score", "solved")}
    return told
