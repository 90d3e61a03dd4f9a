"""What the system administrator does with channels and words, and what people choose.

What must not live here: sending (core.services.sending) and telling (telling.py).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from core.channels import events, robots, wire, wording
from core.channels.events import Group
from core.errors import Conflict, Invalid, NotAllowed
from core.models import Channel, MessageTemplate, OutboxMessage
from core.services import audit, outbox, sending
from grids.models import Area, Department, MessageSettings, Role, Subscription, User
from grids.queries import Scope
from grids.services.telling import GROUP_CHAT, MOBILE, PERSON

Kind = Channel.Kind
CHANGED_MEANWHILE = _("Somebody changed it meanwhile. Please look at it again.")
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")


@dataclass(frozen=True, kw_only=True)
class ChannelFields:
    """What an administrator says of a channel; None for address or secret keeps what is set."""

    name: str
    quiet_from: time | None = None
    quiet_until: time | None = None
    address: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)


@transaction.atomic
def put_channel(
    *, actor: User, kind: str, fields: ChannelFields, channel_id: int | None = None, seen: int = 0
) -> Channel:
    """Add a channel, switched off, or change one; return it.

    ``seen`` is the version looked at. Raises Invalid naming the field, Conflict when somebody was
    faster, NotAllowed for anybody but a system administrator.
    """
    _may_keep(actor)
    channel = _locked(channel_id, seen) if channel_id else Channel(kind=kind)
    channel.name = fields.name.strip()
    channel.quiet_from, channel.quiet_until = fields.quiet_from, fields.quiet_until
    channel.options = dict(fields.options)
    if fields.address is not None:
        channel.address = fields.address.strip()
    kept = channel.secrets | {k: v for k, v in fields.secrets.items() if v is not None}
    channel.secrets = {name: value for name, value in kept.items() if value}
    _check(channel)
    channel.version += 1
    # What is set up anew is tried anew.
    channel.failures, channel.paused_until = 0, None
    try:
        with transaction.atomic():
            channel.save()
    except IntegrityError as error:
        raise Invalid(_("There is a channel of this name already."), field="name") from error
    _note(actor, "channel.saved", channel, kind=channel.kind, name=channel.name)
    return channel


def _check(channel: Channel) -> None:
    if not channel.name:
        raise Invalid(_("Please write something."), field="name")
    if (channel.quiet_from is None) != (channel.quiet_until is None):
        raise Invalid(_("Quiet hours need a beginning and an end."), field="quiet_until")
    if channel.quiet_from and channel.quiet_from == channel.quiet_until:
        raise Invalid(_("Beginning and end of the quiet hours are the same."), field="quiet_until")
    if channel.kind == Kind.MAIL:
        _check_mail(channel)
    elif channel.kind == Kind.SMS:
        wire.check_address(channel.address)
        if not channel.secrets.get("key"):
            raise Invalid(_("Without a key the gateway cannot know who sends."), field="key")
        for name in ("phone_field", "text_field", "key_field", "success_field"):
            written = channel.options.get(name)
            if written and not _FIELD_NAME.fullmatch(written):
                raise Invalid(_("Letters, digits, dot, dash and underscore only."), field=name)
    else:
        robots.token_of(channel.kind, channel.address)


def _check_mail(channel: Channel) -> None:
    host, options = channel.address, channel.options
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", host) or not wire.number_may_be_reached(host):
        raise Invalid(_("Write the mail server's name, such as smtp.example.cn."), field="address")
    if not 1 <= int(options.get("port") or 0) <= 65535:
        raise Invalid(_("A port is a number from 1 to 65535."), field="port")
    if options.get("security") == "insecure" and not wire.may_be_spoken_to_plainly(host):
        raise Invalid(
            _("Without encryption only hosts may be used that the installation names."),
            field="security",
        )
    if not _is_mail(options.get("sender", "")):
        raise Invalid(_("This is not an e-mail address."), field="sender")


@transaction.atomic
def switch(*, actor: User, channel_id: int, on: bool) -> Channel:
    """Switch a channel on or off; what waits for one that is off is dropped, and can be resent."""
    _may_keep(actor)
    channel = _locked(channel_id)
    if channel.active != on:
        channel.active, channel.failures, channel.paused_until = on, 0, None
        channel.save(update_fields=["active", "failures", "paused_until"])
        _note(actor, "channel.switched_on" if on else "channel.switched_off", channel)
    return channel


@transaction.atomic
def try_channel(*, actor: User, channel_id: int) -> None:
    """Send a trial by a channel, on or off: to the administrator, or into its group.

    Raises Invalid when there is nowhere to send it to.
    """
    _may_keep(actor)
    channel = _locked(channel_id)
    whom: dict[str, Any] = {"who": GROUP_CHAT}
    if channel.is_personal:
        whom = {"who": PERSON, "id": actor.pk}
        missing = missing_address(actor, channel.kind)
        if missing:
            raise Invalid(missing)
    Channel.objects.filter(pk=channel.pk).update(failures=0, paused_until=None)
    sending.post_trial(channel, whom)
    _note(actor, "channel.tried", channel)


def missing_address(user: User, kind: str) -> Any:
    """Return what keeps a person from being reached by a kind of channel, "" if nothing does."""
    # The session's account comes without the phone.
    stored = User.objects.get(pk=user.pk)
    if kind == Kind.SMS and not MOBILE.fullmatch(stored.phone):
        return _("Your mobile number is not on the roster. The town's administrator can enter it.")
    if kind == Kind.MAIL:
        own = MessageSettings.objects.filter(user=stored).first()
        if not (stored.email or (own and own.email)):
            return _("Enter your e-mail address under “My account · Messages” first.")
    return ""


@transaction.atomic
def add_group(
    *,
    actor: User,
    channel_id: int,
    groups: Collection[str],
    role: str = "",
    area: Area | None = None,
    department: Department | None = None,
) -> None:
    """Let a robot tell its group what the bell tells a role in an area, or a department."""
    _may_keep(actor)
    channel = _locked(channel_id)
    if channel.is_personal:
        raise Invalid(_("On this channel people choose for themselves."))
    if not groups or not set(groups) <= set(Group.values):
        raise Invalid(_("Choose at least one kind of message."), field="groups")
    if department is None and (area is None or role not in Role.values):
        raise Invalid(_("Choose a role and an area, or a department."), field="role")
    if department is not None:
        role, area = "", None
    for group in groups:
        Subscription.objects.get_or_create(
            channel=channel, group=group, role=role, area=area, department=department, user=None
        )
    whose = {"department": department.pk} if department else {"role": role, "area": area.code}  # type: ignore[union-attr]
    _note(actor, "channel.group_added", channel, groups=sorted(groups), **whose)


@transaction.atomic
def remove_group(*, actor: User, channel_id: int, subscription_id: int) -> None:
    """Take away one line of what a robot tells its group."""
    _may_keep(actor)
    channel = _locked(channel_id)
    lines = Subscription.objects.filter(pk=subscription_id, channel=channel, user=None)
    if lines.delete()[0]:
        _note(actor, "channel.group_removed", channel)


@transaction.atomic
def put_template(
    *, actor: User, kind: str, language: str, subject: str, text: str, seen: int = 0
) -> MessageTemplate:
    """Put words in place of the shipped ones. Raises Invalid, Conflict, NotAllowed."""
    _may_keep(actor)
    subject, text = wording.check(events.event(kind), subject=subject, text=text)
    own = MessageTemplate.objects.select_for_update().filter(kind=kind, language=language).first()
    if (own.version if own else 0) != seen:
        raise Conflict(CHANGED_MEANWHILE)
    own = own or MessageTemplate(kind=kind, language=language)
    own.subject, own.text, own.version = subject, text, seen + 1
    try:
        with transaction.atomic():
            own.save()
    except IntegrityError as error:
        raise Conflict(CHANGED_MEANWHILE) from error
    audit.record(
        actor=actor,
        action="template.saved",
        subject_type="template",
        subject_id=own.pk,
        data={"event": kind, "language": language},
    )
    return own


@transaction.atomic
def drop_template(*, actor: User, kind: str, language: str) -> None:
    """Go back to the shipped words."""
    _may_keep(actor)
    if MessageTemplate.objects.filter(kind=kind, language=language).delete()[0]:
        audit.record(
            actor=actor,
            action="template.dropped",
            subject_type="template",
            data={"event": kind, "language": language},
        )


def resend(*, actor: User, ids: Collection[int]) -> int:
    """Send dead or dropped messages again; return how many were."""
    _may_keep(actor)
    return outbox.resend(actor=actor, messages=ids)


def resend_all(*, actor: User, state: str, channel_id: int | None, event: str, up_to: int) -> int:
    """Send all dead or dropped messages of a filter again that the page knew of (≤ ``up_to``)."""
    _may_keep(actor)
    found = OutboxMessage.objects.filter(state=state, pk__lte=up_to)
    if channel_id:
        found = found.filter(channel_id=channel_id)
    if event:
        found = found.filter(event=event)
    asked = {"state": state, "channel": channel_id, "event": event, "up_to": up_to}
    return outbox.resend(actor=actor, messages=found, asked=asked)


@transaction.atomic
def choose(*, actor: User, language: str, email: str, wanted: Collection[tuple[int, str]]) -> None:
    """Set what a person is told by which channel: (channel id, group) of personal channels.

    Raises Invalid for a bad address, or a channel on which the person cannot be reached.
    """
    email = email.strip()
    if email and not _is_mail(email):
        raise Invalid(_("This is not an e-mail address."), field="email")
    if language and language not in wording.languages():
        raise Invalid(_("There is no such language."), field="language")
    MessageSettings.objects.update_or_create(
        user=actor, defaults={"language": language, "email": email}
    )
    channels = {c.pk: c for c in Channel.objects.filter(kind__in=Channel.PERSONAL, active=True)}
    chosen = {(c, g) for c, g in wanted if c in channels and g in Group.values}
    for pk in {channel_id for channel_id, _group in chosen}:
        missing = missing_address(actor, channels[pk].kind)
        if missing and channels[pk].kind == Kind.MAIL:
            raise Invalid(_("Enter the address that mail shall go to."), field="email")
        if missing:
            raise Invalid(missing, field="wanted")
    mine = Subscription.objects.select_for_update().filter(user=actor, channel__in=channels)
    held = {(one.channel_id, one.group): one.pk for one in mine}
    dropped = [pk for key, pk in held.items() if key not in chosen]
    Subscription.objects.filter(pk__in=dropped).delete()
    Subscription.objects.bulk_create(
        [Subscription(channel_id=c, group=g, user=actor) for c, g in chosen - held.keys()],
        ignore_conflicts=True,
    )
    audit.record(
        actor=actor,
        action="messages.chosen",
        subject_type="user",
        subject_id=actor.pk,
        data={"chosen": sorted(f"{c}:{g}" for c, g in chosen), "email": bool(email)},
    )


def _may_keep(actor: User) -> None:
    if not Scope.for_user(actor).has(Role.SYSTEM_ADMIN):
        raise NotAllowed


def _locked(channel_id: int, seen: int | None = None) -> Channel:
    channel = Channel.objects.select_for_update().filter(pk=channel_id).first()
    if channel is None or (seen is not None and channel.version != seen):
        raise Conflict(CHANGED_MEANWHILE)
    return channel


def _note(actor: User, action: str, channel: Channel, **data: Any) -> None:
    audit.record(
        actor=actor, action=action, subject_type="channel", subject_id=channel.pk, data=data
    )


def _is_mail(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254
