"""Telling people and groups by the channels they chose, what the bell tells them anyway.

What must not live here: the bell, what is told (the floors above), and the sending (core).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.channels import events
from core.channels.events import Address
from core.channels.letters import NoLongerNeeded, Refused
from core.models import Channel
from core.services import sending
from grids.models import Area, Leave, MessageSettings, Posting, Subscription, User
from grids.moves import Areas, only_merged

MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
PERSON, GROUP_CHAT = "person", "group_chat"


@dataclass(frozen=True, kw_only=True, slots=True)
class Addressed:
    """Who is told, as a notice says it: one person, a role at an area, or a department."""

    user_id: int | None = None
    role: str = ""
    area_id: int | None = None
    department_id: int | None = None


class Listeners:
    """Who chose a channel for what, each address looked up once: for things told together."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Addressed], list[Subscription]] = {}

    def of(self, group: str, addressed: Addressed) -> list[Subscription]:
        """Return the lines that hear of a group of events (1 query, 2 for a role, or none)."""
        key = (group, addressed)
        if key not in self._found:
            self._found[key] = list(_subscriptions(group, addressed))
        return self._found[key]


def letters(
    *,
    event: str,
    key: str,
    facts: Mapping[str, Any],
    addressed: Addressed,
    urgent: bool = False,
    channels: Collection[str] = (),
    listeners: Listeners,
) -> list[sending.Told]:
    """Return letters of an event, not queued yet, to whoever chose a channel for it.

    ``channels`` are kinds a rule names instead: then everybody addressed is told by those, and a
    group chat that hears of this post at all.

    ``key`` (≤ 120 characters) names the fact, so telling it twice sends it once. Costs what
    ``listeners`` do, up to 4 queries by a rule.
    """
    group = events.event(event).group
    reached = {
        "role": addressed.role,
        "area": addressed.area_id,
        "department": addressed.department_id,
    }
    whom: list[tuple[Channel, int | None]]
    if channels:
        whom = _by_rule(channels, addressed)
    else:
        whom = [(line.channel, line.user_id) for line in listeners.of(group, addressed)]
        reached["group"] = group
    return [
        sending.Told(
            channel=channel,
            event=event,
            key=f"{key}:c{channel.pk}:" + (f"u{user_id}" if user_id else "g"),
            whom={"who": PERSON, "id": user_id, **reached} if user_id else {"who": GROUP_CHAT},
            facts=facts,
            urgent=urgent,
        )
        for channel, user_id in whom
    ]


def _by_rule(kinds: Collection[str], addressed: Addressed) -> list[tuple[Channel, int | None]]:
    """Return each channel of the kinds with each person addressed, robots once with nobody.

    Costs ≤ 4 queries.
    """
    wanted = list(Channel.objects.filter(kind__in=kinds, active=True).order_by("pk"))
    posts = _posts(addressed)
    people = {addressed.user_id} if addressed.user_id else set()
    if posts is not None:
        people |= set(posts.values_list("user_id", flat=True))
    found: list[tuple[Channel, int | None]] = [
        (channel, person) for channel in wanted if channel.is_personal for person in sorted(people)
    ]
    robots = {channel.pk: channel for channel in wanted if not channel.is_personal}
    lines = _heard(addressed) if robots else Q()
    if lines:
        heard = Subscription.objects.filter(lines, channel__in=robots)
        told = set(heard.values_list("channel_id", flat=True))
        found += [(robots[pk], None) for pk in sorted(told)]
    return found


def _heard(addressed: Addressed) -> Q:
    """Return which lines of group chats hear of a post or a department (1 query for a post)."""
    whose = Q()
    if addressed.role and addressed.area_id:
        path = Area.objects.values_list("path", flat=True).get(pk=addressed.area_id)
        above = [path[:end] for end in range(Area.steplen, len(path) + 1, Area.steplen)]
        whose |= Q(user__isnull=True, role=addressed.role, area__path__in=above)
    if addressed.department_id:
        whose |= Q(user__isnull=True, department_id=addressed.department_id)
    return whose


def _subscriptions(group: str, addressed: Addressed) -> QuerySet[Subscription]:
    whose = Q(user_id=addressed.user_id) if addressed.user_id else Q()
    whose |= _heard(addressed)
    posts = _posts(addressed)
    if posts is not None:
        whose |= Q(user_id__in=posts.values("user_id"))
    found = Subscription.objects.filter(whose, group=group, channel__active=True)
    return found.select_related("channel") if whose else found.none()


def _posts(addressed: Addressed) -> QuerySet[Posting] | None:
    """Return today's postings that are addressed; None when no post is.

    Not of those on leave: their substitute holds a posting of the same role meanwhile.
    """
    away = Leave.objects.on(timezone.localdate()).filter(posting=OuterRef("pk"))
    here = Posting.objects.current().filter(~Exists(away))
    if addressed.role and addressed.area_id:
        return here.filter(role=addressed.role, area_id=addressed.area_id)
    if addressed.department_id:
        return here.filter(department_id=addressed.department_id)
    return None


def find_person(whom: Mapping[str, Any], channel: Channel) -> Address:
    """Return a person's address on a channel (≤ 5 queries).

    Asked when the letter goes, which may be long after it was queued: raises NoLongerNeeded when
    the person left the post it was addressed to, or does not want it any more.
    """
    user = User.objects.filter(pk=whom["id"], is_active=True).first()
    if user is None:
        raise NoLongerNeeded("left")
    posts = _posts(
        Addressed(
            role=whom.get("role", ""),
            area_id=whom.get("area"),
            department_id=whom.get("department"),
        )
    )
    if posts is not None and not posts.filter(user=user).exists():
        raise NoLongerNeeded("left")
    choices = Subscription.objects.filter(user=user, channel=channel)
    if "group" in whom and not choices.filter(group=whom["group"]).exists():
        raise NoLongerNeeded("not_wanted")
    chosen = MessageSettings.objects.filter(user=user).first() or MessageSettings(user=user)
    if channel.kind == Channel.Kind.SMS:
        if not MOBILE.fullmatch(user.phone):
            raise Refused("no_phone")
        return Address(user.phone, chosen.language)
    address = chosen.email or user.email
    if not address:
        raise Refused("no_mail")
    return Address(address, chosen.language)


FOLLOWED: Mapping[str, Any] = {"group_chats": _("What group chats are told")}


def count_followers(areas: Areas) -> dict[str, int]:
    """Return how many lines of group chats name areas that would be merged (1 query)."""
    return {"group_chats": Subscription.objects.filter(area__in=only_merged(areas)).count()}


def follow_areas(areas: Areas, *, on: date, actor: User | None) -> dict[str, int]:
    """Let group chats hear of the area that took theirs in, each line once."""
    found = count_followers(areas)
    for old, new in only_merged(areas).items():
        for line in Subscription.objects.select_for_update().filter(area=old):
            there = Subscription.objects.filter(
                channel=line.channel_id, group=line.group, role=line.role, area=new
            )
            if there.exists():
                line.delete()
            else:
                Subscription.objects.filter(pk=line.pk).update(area=new)
    return found
