"""Letters: outbox messages that leave the house by a channel.

What lives here: putting them in, sending what is due in three separate steps (claim, send, record)
and the pause of a channel whose other side is down. What must not: how a channel is spoken to
(core.channels), and who receives what (the floors above).

Between sending and recording no transaction is open, so a slow gateway holds no connection and no
lock. A process that dies there leaves the letter in flight; it is freed after five minutes and sent
again under the same key.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from logging import getLogger
from time import monotonic
from typing import Any
from uuid import uuid4

from cryptography.fernet import InvalidToken
from django.core.cache import cache
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from core.channels import events, mail, robots, sms, wording
from core.channels.letters import Letter, NoLongerNeeded, NotNow, Reason, Refused, Unavailable
from core.models import Channel, OutboxMessage
from core.services import outbox

State = OutboxMessage.State
Kind = Channel.Kind
Send = Callable[[Channel, Letter], None]
logger = getLogger(__name__)

TOPIC = "letter"
# At once by one process; with the time a letter may take this stays far below outbox.STUCK_AFTER.
BATCH, SENDERS = 32, 8
# One process at a time sends, so that slow gateways never hold more than one worker process. It
# is only for that: were two to send at once, each letter would still be claimed by one.
TURN, TURN_SECONDS = "outbox:sending", 30
WORK_SECONDS = 20
LONGEST_PAUSE = timedelta(minutes=15)
_WAITING = [State.QUEUED, State.AWAITING_RETRY]

SENDERS_BY_KIND: dict[str, Send] = {
    Kind.SMS: sms.send,
    Kind.MAIL: mail.send,
    Kind.WECOM: robots.send,
    Kind.DINGTALK: robots.send,
    Kind.FEISHU: robots.send,
}


@dataclass(frozen=True, slots=True)
class Told:
    """One letter to queue: ``whom`` names an addressee (core.channels.events), no address.

    ``urgent`` makes it so where its event is not.
    """

    channel: Channel
    event: str
    key: str
    whom: Mapping[str, Any]
    facts: Mapping[str, Any]
    urgent: bool = False


def post(letters: Iterable[Told]) -> None:
    """Queue letters in the caller's transaction; those that may not go now wait until they may.

    Neither addresses nor words are written: both are looked up when the letter goes.
    """
    now = timezone.now()
    messages = []
    for told in letters:
        urgent = told.urgent or events.event(told.event).urgent
        messages.append(
            outbox.Message(
                topic=TOPIC,
                key=told.key,
                payload={"to": dict(told.whom), "facts": dict(told.facts)},
                channel_id=told.channel.pk,
                event=told.event,
                urgent=urgent,
                due_at=now if urgent else told.channel.open_from(now),
            )
        )
    outbox.post(messages)


def post_trial(channel: Channel, whom: Mapping[str, Any]) -> None:
    """Queue a trial; it goes although the channel is still switched off."""
    post([Told(channel, events.TRIAL, f"trial:{channel.pk}:{uuid4()}", whom, {})])


def send_due(*, now: datetime | None = None) -> int:
    """Send the letters that are due, unless another process is doing so; return how many went.

    Ends after WORK_SECONDS, and leaves alone channels that are paused.
    """
    if not cache.add(TURN, 1, TURN_SECONDS):
        return 0
    try:
        return _send_all(now)
    finally:
        cache.delete(TURN)


def _send_all(now: datetime | None) -> int:
    until = monotonic() + WORK_SECONDS
    sent = 0
    for pk in _with_letters(now or timezone.now()):
        channel = _read(pk, now or timezone.now())
        while channel and monotonic() < until:
            moment = now or timezone.now()
            if channel.paused_until and channel.paused_until > moment:
                break
            cache.touch(TURN, TURN_SECONDS)
            letters = _claim(channel, moment)
            if not letters:
                break
            sent += _send(channel, letters, moment)
    return sent


def _with_letters(now: datetime) -> list[int]:
    """Return ids of channels with letters that are due, those with urgent ones first (1 query)."""
    due: dict[int, bool] = {}
    waiting = OutboxMessage.objects.filter(
        state__in=_WAITING, channel__isnull=False, next_attempt_at__lte=now
    )
    for pk, urgent in waiting.values_list("channel_id", "urgent").distinct():
        due[pk] = due.get(pk, False) or urgent
    return sorted(due, key=lambda pk: (not due[pk], pk))


def _read(pk: int, now: datetime) -> Channel | None:
    """Return a channel; None, and paused, if no key opens it any more: the others must go on."""
    try:
        return Channel.objects.get(pk=pk)
    except InvalidToken:
        logger.exception("channel %s cannot be decrypted", pk)
        Channel.objects.filter(pk=pk).update(
            failures=1,
            paused_until=now + LONGEST_PAUSE,
            last_error=str(Unavailable("bad_settings")),
        )
        return None


@transaction.atomic
def _claim(channel: Channel, now: datetime) -> list[OutboxMessage]:
    waiting = OutboxMessage.objects.filter(
        state__in=_WAITING, channel=channel, next_attempt_at__lte=now
    )
    opens = channel.open_from(now)
    if opens > now:
        waiting.filter(urgent=False).update(next_attempt_at=opens)
    # A channel that failed is tried with one letter before the others follow.
    size = 1 if channel.failures else BATCH
    letters = list(
        waiting.order_by("-urgent", "next_attempt_at", "pk").select_for_update(
            skip_locked=True, of=("self",)
        )[:size]
    )
    _of(letters).update(state=State.IN_FLIGHT, claimed_at=now, attempts=F("attempts") + 1)
    for letter in letters:
        letter.claimed_at = now
        # Counted before trying, so a letter that kills its process dies too in the end.
        letter.attempts += 1
    return letters


def _send(channel: Channel, messages: list[OutboxMessage], now: datetime) -> int:
    """Send claimed letters, side by side, and record what became of each."""
    found = [(message, _letter(channel, message)) for message in messages]
    with ThreadPoolExecutor(max_workers=min(SENDERS, len(found))) as pool:
        ends = list(pool.map(lambda one: _hand_over(channel, one[1]), found))
    results = list(zip(messages, ends, strict=True))
    with transaction.atomic():
        for message, wrong in results:
            _record(message, wrong, now)
        _learn(channel, ends, now)
    return ends.count(None)


def _letter(channel: Channel, message: OutboxMessage) -> Letter | Reason:
    """Return what to send, with the address and the words of this moment."""
    try:
        if not channel.active and message.event != events.TRIAL:
            raise NoLongerNeeded("switched_off")
        event = events.event(message.event)
        address = events.address(message.payload["to"], channel)
        subject, text = wording.write(
            event, address.language or wording.languages()[0], message.payload["facts"]
        )
    except Reason as reason:
        return reason
    except Exception as error:
        # Of this letter's making: the others must go.
        logger.exception("letter %s could not be written", message.pk)
        return NotNow("internal", type(error).__name__)
    return Letter(address.to, subject, text, message.key)


def _hand_over(channel: Channel, letter: Letter | Reason) -> Reason | None:
    """Send one letter; return why it did not go, None if it went. Asks the database nothing."""
    if isinstance(letter, Reason):
        return letter
    try:
        SENDERS_BY_KIND[channel.kind](channel, letter)
    except Reason as reason:
        return reason
    except Exception as error:
        # The error's own words may hold the address or the text.
        return NotNow("internal", type(error).__name__)
    return None


def _record(message: OutboxMessage, wrong: Reason | None, now: datetime) -> None:
    # Somebody who took the letter for stuck may have sent it meanwhile: that one records.
    mine = _of([message]).filter(state=State.IN_FLIGHT, claimed_at=message.claimed_at)
    if wrong is None:
        mine.update(state=State.DELIVERED, delivered_at=now, last_error="")
        return
    logger.warning("letter %s was not delivered: %s", message.pk, wrong)
    if isinstance(wrong, NoLongerNeeded):
        mine.update(state=State.DROPPED, last_error=str(wrong))
    elif isinstance(wrong, Refused) or message.attempts >= outbox.MAX_ATTEMPTS:
        mine.update(state=State.DEAD, last_error=str(wrong))
    else:
        mine.update(
            state=State.AWAITING_RETRY,
            last_error=str(wrong),
            next_attempt_at=outbox.retry_at(now, message.attempts),
        )


def _learn(channel: Channel, ends: list[Reason | None], now: datetime) -> None:
    """Pause a channel that takes nothing, longer each time; go on when something went."""
    down = [wrong for wrong in ends if isinstance(wrong, Unavailable)]
    rows = Channel.objects.filter(pk=channel.pk)
    if None in ends:
        channel.failures, channel.paused_until = 0, None
        rows.update(failures=0, paused_until=None, last_sent_at=now)
    elif down:
        channel.failures += 1
        pause = min(timedelta(minutes=2 ** min(channel.failures - 1, 8)), LONGEST_PAUSE)
        if down[0].retry_after:
            pause = timedelta(seconds=down[0].retry_after)
        channel.paused_until = now + pause * (1 + random.uniform(0, outbox.JITTER))  # noqa: S311
        rows.update(
            failures=channel.failures,
            paused_until=channel.paused_until,
            last_error=str(down[0]),
        )


def _of(messages: list[OutboxMessage]) -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(pk__in=[message.pk for message in messages])
