"""Words of messages: what is shipped, what an administrator put in its place, and the filling in.

A placeholder is a name from the event's fixed list and nothing more: no dots, no brackets, no
formats, so a template can reach no object behind a value. What must not live here: what any value
is.
"""

import re
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from core.channels.events import Event
from core.errors import Invalid
from core.models import MessageTemplate

LONGEST_TEXT, LONGEST_SUBJECT, LONGEST_VALUE = 500, 100, 120
_HOLE = re.compile(r"\{([a-z_]+)\}")
# Zero-width and direction marks could make a text look like another one.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")


def languages() -> list[str]:
    """Return the languages that messages are written in, the county's own first."""
    codes = [code for code, _name in settings.LANGUAGES]
    return sorted(codes, key=lambda code: code != settings.LANGUAGE_CODE)


def shipped(event: Event, language: str) -> tuple[str, str]:
    """Return the shipped subject and text of an event."""
    with translation.override(language):
        return str(event.subject), str(event.text)


def in_force(event: Event, language: str) -> tuple[str, str]:
    """Return the subject and text that are used: an administrator's, else the shipped (1 query)."""
    own = MessageTemplate.objects.filter(kind=event.kind, language=language).first()
    return (own.subject, own.text) if own else shipped(event, language)


def write(event: Event, language: str, facts: Mapping[str, object]) -> tuple[str, str]:
    """Return subject and text with the values in (1 query and the event's own)."""
    subject, text = in_force(event, language)
    with translation.override(language):
        values = event.values(facts)
        return fill(subject, values), fill(text, values)


def preview(event: Event, subject: str, text: str, language: str) -> tuple[str, str]:
    """Return subject and text with the event's examples in."""
    with translation.override(language):
        values = {name: str(event.examples.get(name, name)) for name in event.placeholders}
        return fill(subject, values), fill(text, values)


def fill(text: str, values: Mapping[str, object]) -> str:
    """Put values in; a name without a value becomes nothing.

    >>> fill("案件{code}已办结{nobody}", {"code": "AB12"})
    '案件AB12已办结'
    """
    filled = _HOLE.sub(lambda hole: plain(values.get(hole[1], "")), text)
    return re.sub(r"[ \t]{2,}", " ", filled).strip()


def plain(value: object) -> str:
    """Return a value as one line of at most LONGEST_VALUE characters, nothing invisible in it."""
    line = " ".join(_CONTROL.sub(" ", str(value)).split())
    return line if len(line) <= LONGEST_VALUE or "://" in line else f"{line[: LONGEST_VALUE - 1]}…"


def check(event: Event, *, subject: str, text: str) -> tuple[str, str]:
    """Return subject and text as they are stored. Raises Invalid naming what is wrong."""
    subject, text = " ".join(subject.split()), text.replace("\r\n", "\n").strip()
    errors: dict[str, list[object]] = {}
    for name, written, longest in (
        ("subject", subject, LONGEST_SUBJECT),
        ("text", text, LONGEST_TEXT),
    ):
        wrong = list(_wrong_with(written, event.placeholders, longest))
        if wrong:
            errors[name] = wrong
    if errors:
        raise Invalid(errors=errors)
    return subject, text


def _wrong_with(text: str, known: Iterable[str], longest: int) -> Iterable[object]:
    if not text:
        yield _("Please write something.")
    if len(text) > longest:
        yield _("Please keep it under %(n)s characters.") % {"n": longest}
    if _CONTROL.search(text.replace("\n", "")):
        yield _("There are characters in it that nobody sees.")
    unknown = sorted(set(_HOLE.findall(text)) - set(known))
    if unknown:
        yield _("There is no such placeholder here: %(names)s") % {
            "names": ", ".join(f"{{{name}}}" for name in unknown)
        }
    if re.search(r"[{}]", _HOLE.sub("", text)):
        yield _("A brace is left over. Placeholders are written as {name}, nothing else.")
