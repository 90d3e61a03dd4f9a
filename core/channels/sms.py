"""SMS through a gateway over HTTP: one signed request for one message.

The gateway gets phone, text and key as JSON or as a form, under the names its operator gave, with
what else it wants beside them. It knows us by ``X-Geshi-Signature``, the HMAC-SHA256 of the time
and the body, and knows a message sent again by ``Idempotency-Key``. What must not live here:
numbers and texts in any log or error.
"""

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

from core.channels import wire
from core.channels.letters import Letter, Refused, Unavailable, public_key
from core.models import Channel

# Answers that are about the message; 408, 409, 425 and 429 come and go, others are the channel's.
_ABOUT_THE_MESSAGE = frozenset({400, 404, 410, 413, 422})
MISSING = object()


def send(channel: Channel, letter: Letter) -> None:
    """Hand one message to the gateway; raises Refused or Unavailable."""
    options = channel.options
    key = public_key(letter.key)
    fields = {
        **channel.secrets.get("extra", {}),
        options.get("phone_field") or "phone": letter.to,
        options.get("text_field") or "text": letter.text,
        options.get("key_field") or "key": key,
    }
    if options.get("format") == "form":
        body, kind = urlencode(fields).encode(), "application/x-www-form-urlencoded"
    else:
        body, kind = json.dumps(fields, ensure_ascii=False).encode(), "application/json"
    headers = {
        "Content-Type": f"{kind}; charset=utf-8",
        "Idempotency-Key": key,
        **signature(channel.secrets.get("key", ""), body, at=int(time.time())),
    }
    judge(wire.post(channel.address, body=body, headers=headers), options)


def signature(secret: str, body: bytes, *, at: int) -> dict[str, str]:
    """Return the headers that show who sends: the time in seconds, and HMAC-SHA256 in hex."""
    signed = hmac.new(secret.encode(), str(at).encode() + b"." + body, hashlib.sha256)
    return {"X-Geshi-Timestamp": str(at), "X-Geshi-Signature": f"sha256={signed.hexdigest()}"}


def judge(answer: wire.Answer, options: dict[str, Any]) -> None:
    """Raise Refused or Unavailable unless the gateway says that it has taken the message."""
    if answer.status in _ABOUT_THE_MESSAGE:
        raise Refused("status", answer.status)
    if not 200 <= answer.status < 300:
        raise Unavailable("status", answer.status, retry_after=answer.retry_after)
    wanted_field = options.get("success_field")
    if not wanted_field:
        return
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Unavailable("unreadable") from None
    value = said.get(wanted_field, MISSING) if isinstance(said, dict) else MISSING
    if value is MISSING or isinstance(value, dict | list):
        raise Unavailable("unreadable")
    # JSON's true and 0 as a person types them.
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    if text != str(options.get("success_value", "")):
        raise Refused("code", "".join(c for c in text if c.isalnum() or c in "-_.")[:20])
