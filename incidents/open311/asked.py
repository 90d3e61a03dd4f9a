"""What a caller of GeoReport asks for, read from the address or the form.

Everything that cannot be understood is refused by name, nothing is guessed at. What must not live
here: any read from the database.
"""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from core.api import Number
from core.errors import Invalid
from core.places import SYSTEMS
from incidents.queries.published import DEEPEST, MOST_ROWS, WORDS_LIMIT

MOST_DAYS = 90
# What happened is found by its time alone, which reads more rows a day than reports do.
MOST_DAYS_OF_UPDATES = 7
_ATTRIBUTE = re.compile(r"attribute\[([^\[\]]{1,40})\](?:\[\])?")


class Text(serializers.CharField):
    """A line of text that may be left out; "" and nothing are the same."""

    def __init__(self, most: int) -> None:
        super().__init__(max_length=most, allow_blank=True, default="")


class RequestIn(serializers.Serializer):
    """POST requests. ``email``, ``device_id`` and ``account_id`` are not kept, so not read."""

    service_code = Text(20)
    lat = Number(required=False, allow_null=True, default=None)
    long = Number(required=False, allow_null=True, default=None)
    address_string = Text(200)
    address_id = Text(17)
    description = Text(WORDS_LIMIT)
    first_name = Text(20)
    last_name = Text(20)
    phone = Text(20)
    media_url = serializers.URLField(max_length=500, allow_blank=True, default="")
    coordinate_system = serializers.ChoiceField(choices=list(SYSTEMS), default="wgs84")
    external_id = Text(64)


class UpdateIn(serializers.Serializer):
    """POST servicerequestupdates."""

    service_request_id = Text(20)
    update_id = Text(64)
    status = Text(20)
    description = Text(2000)


def with_attributes(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form's fields, ``attribute[code]`` standing as plain ``code``."""
    fields = {}
    for name, value in form.items():
        named = _ATTRIBUTE.fullmatch(name)
        fields[named[1] if named else name] = value
    return fields


def ids(raw: str) -> list[int]:
    """Return numbers of requests, given with commas between; what is no number is nobody's.

    Raises Invalid for more than an answer holds.
    """
    given = [part.strip() for part in raw.split(",") if part.strip()]
    if len(given) > MOST_ROWS:
        raise Invalid(_("At most %(n)s at once."), field="service_request_id", n=MOST_ROWS)
    return [int(part) for part in given if is_number(part)]


def is_number(text: str) -> bool:
    """Return whether the text can be the number of a case."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def words(raw: str) -> list[str]:
    """Return values given with commas between."""
    return [part.strip() for part in raw.split(",") if part.strip()]


def states(raw: str) -> tuple[bool, bool]:
    """Return (open, closed) as asked for by ``status``; both when nothing is said.

    Raises Invalid for any other word.
    """
    given = {part.lower() for part in words(raw)} or {"open", "closed"}
    if not given <= {"open", "closed"}:
        raise Invalid(_("Say open, closed, or both."), field="status")
    return "open" in given, "closed" in given


def time_asked(
    asked: Mapping[str, str], *, most_days: int, usual: int
) -> tuple[datetime, datetime]:
    """Return (from, to) of ``start_date`` and ``end_date``.

    One alone stretches ``most_days`` from there, none the last ``usual`` days. Raises Invalid for
    what is no time in W3C form, a start after the end, or a stretch too long.
    """
    since = moment(asked.get("start_date", ""), field="start_date", last=False)
    until = moment(asked.get("end_date", ""), field="end_date", last=True)
    span = timedelta(days=most_days)
    if since is None and until is None:
        until = timezone.now()
        since = until - timedelta(days=usual)
    elif since is None and until is not None:
        since = until - span
    elif until is None and since is not None:
        until = since + span
    assert since is not None
    assert until is not None
    if since > until:
        raise Invalid(_("The start must not be after the end."), field="start_date")
    if until - since > span:
        raise Invalid(_("At most %(n)s days at once."), field="end_date", n=most_days)
    return since, until


def moment(raw: str, *, field: str, last: bool) -> datetime | None:
    """Return a time in W3C form; a bare day is its first moment, or its ``last``.

    "+" in an address arrives as a space and is read as what was meant. Raises Invalid.
    """
    text = raw.strip().replace(" ", "+")
    if not text:
        return None
    try:
        day = parse_date(text)
        found = parse_datetime(text) if day is None else None
    except ValueError:
        day = found = None
    if day is not None:
        found = timezone.make_aware(datetime.combine(day, time.max if last else time.min))
    if found is None or timezone.is_naive(found) or not 2000 <= found.year <= 2999:
        raise Invalid(_("Give a time like 2026-01-31T08:00:00+08:00."), field=field)
    return found


def page(asked: Mapping[str, str]) -> tuple[int, int]:
    """Return (page, size); a size past the most is the most. Raises Invalid."""
    size = min(_positive(asked, "page_size", MOST_ROWS), MOST_ROWS)
    number = _positive(asked, "page", 1)
    if number * size > DEEPEST:
        raise Invalid(_("This is too far back: ask for an earlier time instead."), field="page")
    return number, size


def _positive(asked: Mapping[str, str], name: str, usual: int) -> int:
    raw = asked.get(name, "").strip()
    if not raw:
        return usual
    if not (is_number(raw) and int(raw) > 0):
        raise Invalid(_("Give a number from 1 on."), field=name)
    return int(raw)
