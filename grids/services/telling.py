"""Telling people and groups by the channels they chose, what the bell tells them anyway.

What must not live here: the bell, what is told (the floors above), and the sending (core).
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
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
    """Who hears of things told together, and by what they chose (≤ 3 queries, however many)."""

    def __init__(self, addressed: Iterable[Addressed]) -> None:
        self._people = _people(set(addressed))
        everybody = {user_id for people in self._people.values() for user_id in people}
        self._chosen: defaultdict[tuple[str, int], list[Channel]] = defaultdict(list)
        self._chats: list[Subscription] = []
        lines = Subscription.objects.filter(
            Q(user__in=everybody) | Q(user__isnull=True), channel__active=True
        )
        for line in lines.select_related("channel").order_by("pk"):
            if line.user_id:
                self._chosen[line.group, line.user_id].append(line.channel)
            else:
                self._chats.append(line)
        areas = {line.area_id for line in self._chats} | {one.area_id for one in self._people}
        paths = Area.objects.filter(pk__in=areas if self._chats else ())
        self._paths: dict[int | None, str] = dict(paths.values_list("pk", "path"))

    def people(self, addressed: Addressed) -> list[int]:
        """Return the users addressed, without those who are on leave."""
        return sorted(self._people[addressed])

    def chats(self, addressed: Addressed, *, group: str = "") -> list[Channel]:
        """Return the group chats that hear of the address: of a group of events, or at all."""
        here = self._paths.get(addressed.area_id, "")
        heard = {
            line.channel_id: line.channel
            for line in self._chats
            if line.group == (group or line.group)
            and (
                (
                    line.role
                    and line.role == addressed.role
                    and here.startswith(self._paths[line.area_id])
                )
                or (line.department_id and line.department_id == addressed.department_id)
            )
        }
        return list(heard.values())

    def of(self, group: str, addressed: Addressed) -> list[tuple[Channel, int | None]]:
        """Return the channels that carry a group of events, with whom: a user, or None a chat."""
        found: list[tuple[Channel, int | None]] = [
            (channel, user_id)
            for user_id in self.people(addressed)
            for channel in self._chosen[group, user_id]
        ]
        return found + [(channel, None) for channel in self.chats(addressed, group=group)]


def _people(addressed: Collection[Addressed]) -> dict[Addressed, set[int]]:
    """Return who is meant by each address (1 query)."""
    areas = {one.area_id for one in addressed if one.role}
    departments = {one.department_id for one in addressed}
    at_posts: defaultdict[tuple[str, int | None], set[int]] = defaultdict(set)
    in_departments: defaultdict[int | None, set[int]] = defaultdict(set)
    held = _held().filter(Q(area__in=areas) | Q(department__in=departments))
    for user_id, role, area_id, department_id in held.values_list(
        "user_id", "role", "area_id", "department_id"
    ):
        at_posts[role, area_id].add(user_id)
        in_departments[department_id].add(user_id)
    found = {}
    for one in addressed:
        people = {one.user_id} if one.user_id else set()
        if one.role and one.area_id:
            people |= at_posts[one.role, one.area_id]
        elif one.department_id:
            people |= in_departments[one.department_id]
        found[one] = people
    return found


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

    ``key`` (≤ 120 characters) names the fact, so telling it twice sends it once. ``listeners``
    must know the address. Costs nothing, a query by a rule.
    """
    group = events.event(event).group
    reached: dict[str, Any] = {
        "role": addressed.role,
        "area": addressed.area_id,
        "department": addressed.department_id,
    }
    whom: list[tuple[Channel, int | None]]
    if channels:
        whom = _by_rule(channels, addressed, listeners)
    else:
        whom = listeners.of(group, addressed)
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


def _by_rule(
    kinds: Collection[str], addressed: Addressed, listeners: Listeners
) -> list[tuple[Channel, int | None]]:
    """Return each channel of the kinds with each person addressed, robots once (1 query)."""
    wanted = list(Channel.objects.filter(kind__in=kinds, active=True).order_by("pk"))
    heard = {channel.pk for channel in listeners.chats(addressed)}
    found: list[tuple[Channel, int | None]] = []
    for channel in wanted:
        if channel.is_personal:
            found += [(channel, person) for person in listeners.people(addressed)]
        elif channel.pk in heard:
            found.append((channel, None))
    return found


def _held() -> QuerySet[Posting]:
    """Return today's postings, without those of people on leave.

    Their substitute holds a posting of the same role meanwhile.
    """
    away = Leave.objects.on(timezone.localdate()).filter(posting=OuterRef("pk"))
    return Posting.objects.current().filter(~Exists(away))


def find_person(whom: Mapping[str, Any], channel: Channel) -> Address:
    """Return a person's address on a channel (≤ 5 queries).

    Asked when the letter goes, which may be long after it was queued: raises NoLongerNeeded when
    the person left the post it was addressed to, or does not want it any more.
    """
    user = User.objects.filter(pk=whom["id"], is_active=True).first()
    if user is None:
        raise NoLongerNeeded("left")
    if not _is_still_there(user, whom):
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


def _is_still_there(user: User, whom: Mapping[str, Any]) -> bool:
    """Return whether a person holds the post a letter was addressed to, if it was to one."""
    posts = _held().filter(user=user)
    if whom.get("role") and whom.get("area"):
        return posts.filter(role=whom["role"], area=whom["area"]).exists()
    if whom.get("department"):
        return posts.filter(department=whom["department"]).exists()
    return True


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
