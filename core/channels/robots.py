"""Robots in group chats of WeCom, DingTalk and Feishu, spoken to by apprise.

apprise knows their protocols and signatures. Two things it does not do are done here: it would
reach any address there is, and it takes every answer with status 200 for a success, while these
robots refuse with status 200 and a code. The robots know no idempotency key: a message sent twice
is seen twice, with the same short mark at its end.
"""

import contextvars
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import requests
from apprise.exception import AppriseImproperlyConfigured
from apprise.plugins import dingtalk, feishu, wecombot
from django.utils.translation import gettext_lazy as _

from core.channels import wire
from core.channels.letters import Letter, Unavailable, public_key
from core.errors import Invalid
from core.models import Channel

MARK_LENGTH = 6
_TOKEN = re.compile(r"[A-Za-z0-9_-]{6,200}")
# What went wrong in this thread's present call; apprise itself only answers yes or no.
_wrong: contextvars.ContextVar[Unavailable | None] = contextvars.ContextVar("wrong", default=None)


class _Wire:
    """Stands where the plugins look for ``requests``."""

    codes = requests.codes
    RequestException = requests.RequestException

    @staticmethod
    def post(
        url: str,
        data: bytes | str,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        **_apprise: Any,
    ) -> requests.Response:
        try:
            answer = wire.post(url, body=data, headers=headers, params=params)
            _judge(answer)
        except Unavailable as wrong:
            _wrong.set(wrong)
            raise requests.ConnectionError from None
        response = requests.Response()
        response.status_code = answer.status
        response._content = answer.body
        return response


for _plugin in (dingtalk, feishu, wecombot):
    _plugin.requests = _Wire  # type: ignore[attr-defined]


def _judge(answer: wire.Answer) -> None:
    if answer.status != requests.codes.ok:
        raise Unavailable("status", answer.status, retry_after=answer.retry_after)
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Unavailable("unreadable") from None
    found = [said[name] for name in ("errcode", "code", "StatusCode") if name in said]
    if not found:
        raise Unavailable("unreadable")
    # Every message of a robot goes to the same group in the same way: a refusal is the channel's.
    if found[0] != 0:
        raise Unavailable("code", re.sub(r"[^0-9A-Za-z-]", "", str(found[0]))[:20])


def token_of(kind: str, address: str) -> str:
    """Return the token in a robot's address; raises Invalid where there is none.

    ``…/send?key=…`` (WeCom), ``…/send?access_token=…`` (DingTalk), ``…/hook/…`` (Feishu); the host
    may be that of a private installation.
    """
    parts = wire.check_address(address)
    query = parse_qs(parts.query)
    if kind == Channel.Kind.FEISHU:
        token = parts.path.rstrip("/").rpartition("/")[2] if "/hook/" in parts.path else ""
    else:
        name = "key" if kind == Channel.Kind.WECOM else "access_token"
        token = (query.get(name) or [""])[0]
    if not _TOKEN.fullmatch(token):
        raise Invalid(
            _("Copy the whole address that the robot's page shows; its token is missing."),
            field="address",
        )
    return token


def send(channel: Channel, letter: Letter) -> None:
    """Say it in the robot's group; raises Unavailable."""
    robot = _robot(channel)
    mark = public_key(letter.key)[:MARK_LENGTH]
    _wrong.set(None)
    if not robot.send(body=f"{letter.text} [{mark}]"):
        raise _wrong.get() or Unavailable("unreachable")


def _robot(channel: Channel) -> Any:
    robot: Any
    try:
        token = token_of(channel.kind, channel.address)
        # The plugins fill the token in with str.format.
        address = channel.address.replace("{", "").replace("}", "")
        if channel.kind == Channel.Kind.WECOM:
            robot = wecombot.NotifyWeComBot(key=token)
            robot.api_url = address
        elif channel.kind == Channel.Kind.DINGTALK:
            robot = dingtalk.NotifyDingTalk(token=token, secret=channel.secrets.get("key") or None)
            robot.notify_url = address
        else:
            robot = feishu.NotifyFeishu(token=token)
            robot.notify_url = address
    except (Invalid, AppriseImproperlyConfigured, TypeError):
        raise Unavailable("bad_settings") from None
    return robot
