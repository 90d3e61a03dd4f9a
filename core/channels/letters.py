"""What goes out by a channel, and the ways it can fail.

What must not live here: how any channel is spoken to.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

# Why something was not delivered: stored as a code and a detail, so that it reads in the language
# of whoever looks, and never holds an address, a number or what a gateway wrote back.
REASONS: dict[str, Any] = {
    "no_answer": _("The other side did not answer in time."),
    "unreachable": _("The other side could not be reached."),
    "forbidden_address": _("The address is not one that may be reached from here."),
    "too_long": _("The other side answered with more than is read."),
    "status": _("The other side answered with status %(detail)s."),
    "code": _("The other side answered with code %(detail)s."),
    "unreadable": _("The answer could not be understood."),
    "login": _("The mail server did not accept the sign-in."),
    "recipient": _("The mail server did not take it for this recipient."),
    "bad_settings": _("The channel is not set up completely."),
    "internal": _("An error of this system: %(detail)s."),
    "process_died": _("The process that was sending it died, time after time."),
    "no_phone": _("No phone number is on file."),
    "no_mail": _("No e-mail address is on file."),
    "left": _("The person does not hold the post any more."),
    "not_wanted": _("The person does not want it any more."),
    "forgotten": _("The contact was erased by rule."),
    "answered": _("It was answered meanwhile."),
    "gone": _("What it tells of is not there any more."),
    "switched_off": _("The channel was switched off."),
}


class Reason(Exception):
    """Why a letter did not go, as a code of REASONS and a detail that names nobody."""

    def __init__(self, code: str, detail: Any = "") -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, str(detail)

    def __str__(self) -> str:
        return f"{self.code}:{self.detail}"[:200]


class Refused(Reason):
    """This letter will not be taken, however often it is sent."""


class NotNow(Reason):
    """This letter was not taken; it may be later."""


class Unavailable(Reason):
    """The channel takes no letters now; ``retry_after`` is in seconds, if the other side said."""

    def __init__(self, code: str, detail: Any = "", *, retry_after: int | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class NoLongerNeeded(Reason):
    """There is nobody to tell, or nothing to tell, any more."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one address; ``key`` is the same however often it is sent."""

    to: str
    subject: str
    text: str
    key: str


def public_key(key: str) -> str:
    """Return what a gateway is told as idempotency key: 32 hex digits that give nothing away."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def reason_words(stored: str) -> str:
    """Return a stored reason in the reader's words; other texts as they are."""
    code, _colon, detail = stored.partition(":")
    if code not in REASONS:
        return stored
    return str(REASONS[code]) % {"detail": detail} if detail else str(REASONS[code])
