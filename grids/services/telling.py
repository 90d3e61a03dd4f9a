"""Telling people and groups by the channels they chose, what the bell tells them anyway.

What must not live here: the bell, what is told (the floors above), and the sending (core).
"""

import re
from collections.abc import Collection, Mapping
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


def tell(
    *,
    event: str,
    key: str,
    facts: Mapping[str, Any],
    user_id: int | None = None,
    role: str = "",
    area_id: int | None = None,
    department_id: int | None = None,
    urgent: bool = False,
    channels: Collection[str] = (),
) -> int:
    """Queue letters of an event for whoever chose a channel for it; return how many.

    ``channels`` are kinds a rule names instead: then everybody addressed is told by those, and a
    group chat that hears of this post at all.

    It is addressed as a notice is: to one person, to a role at an area, or to a department. Runs in
    the caller's transaction; ``key`` (≤ 120 characters) names the fact, so telling it twice sends
    it once. Costs 1 query, 2 for a role, and one more when somebody is told.
    """
    if channels:
        chosen = _by_rule(
            channels, user_id=user_id, role=role, area_id=area_id, department_id=department_id
        )
        sending.post(
            sending.Told(
                channel=channel,
                event=event,
                key=f"{key}:c{channel.pk}:u{whom['id']}"
                if "id" in whom
                else f"{key}:c{channel.pk}:g",
                whom=whom,
                facts=facts,
                urgent=urgent,
            )
            for channel, whom in chosen
        )
        return len(chosen)
    group = events.event(event).group
    wanted = _subscriptions(
        group,
        user_id=user_id,
        role=role,
        area_id=area_id,
        department_id=department_id,
    )
    reached = {"role": role, "area": area_id, "department": department_id, "group": group}
    letters = []
    for subscription in wanted:
        whose = f"u{subscription.user_id}" if subscription.user_id else "g"
        letters.append(
            sending.Told(
                channel=subscription.channel,
                event=event,
                key=f"{key}:c{subscription.channel_id}:{whose}",
                whom={"who": PERSON, "id": subscription.user_id, **reached}
                if subscription.user_id
                else {"who": GROUP_CHAT},
                facts=facts,
                urgent=urgent,
            )
        )
    sending.post(letters)
    return len(letters)


def _by_rule(
    kinds: Collection[str],
    *,
    user_id: int | None,
    role: str,
    area_id: int | None,
    department_id: int | None,
) -> list[tuple[Channel, dict[str, Any]]]:
    """Return each channel of the kinds with each person addressed, robots once (≤ 4 queries)."""
    wanted = list(Channel.objects.filter(kind__in=kinds, active=True).order_by("pk"))
    posts = _posts(role=role, area_id=area_id, department_id=department_id)
    people = {user_id} if user_id else set()
    if posts is not None:
        people |= set(posts.values_list("user_id", flat=True))
    reached = {"role": role, "area": area_id, "department": department_id}
    found: list[tuple[Channel, dict[str, Any]]] = [
        (channel, {"who": PERSON, "id": person, **reached})
        for channel in wanted
        if channel.is_personal
        for person in sorted(people)
    ]
    robots = {channel.pk: channel for channel in wanted if not channel.is_personal}
    lines = _heard(role=role, area_id=area_id, department_id=department_id) if robots else Q()
    if lines:
        heard = Subscription.objects.filter(lines, channel__in=robots)
        told = set(heard.values_list("channel_id", flat=True))
        found += [(robots[pk], {"who": GROUP_CHAT}) for pk in sorted(told)]
    return found


def _heard(*, role: str, area_id: int | None, department_id: int | None) -> Q:
    """Return which lines of group chats hear of a post or a department (1 query for a post)."""
    whose = Q()
    if role and area_id:
        path = Area.objects.values_list("path", flat=True).get(pk=area_id)
        above = [path[:end] for end in range(Area.steplen, len(path) + 1, Area.steplen)]
        whose |= Q(user__isnull=True, role=role, area__path__in=above)
    if department_id:
        whose |= Q(user__isnull=True, department_id=department_id)
    return whose


def _subscriptions(
    group: str,
    *,
    user_id: int | None,
    role: str,
    area_id: int | None,
    department_id: int | None,
) -> QuerySet[Subscription]:
    whose = Q(user_id=user_id) if user_id else Q()
    whose |= _heard(role=role, area_id=area_id, department_id=department_id)
    posts = _posts(role=role, area_id=area_id, department_id=department_id)
    if posts is not None:
        whose |= Q(user_id__in=posts.values("user_id"))
    found = Subscription.objects.filter(whose, group=group, channel__active=True)
    return found.select_related("channel") if whose else found.none()


def _posts(
    *, role: str, area_id: int | None, department_id: int | None
) -> QuerySet[Posting] | None:
    """Return today's postings that are addressed; None when no post is.

    Not of those on leave: their substitute holds a posting of the same role meanwhile.
    """
    away = Leave.objects.on(timezone.localdate()).filter(posting=OuterRef("pk"))
    here = Posting.objects.current().filter(~Exists(away))
    if role and area_id:
        return here.filter(role=role, area_id=area_id)
    if department_id:
        return here.filter(department_id=department_id)
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
        role=whom.get("role", ""),
        area_id=whom.get("area"),
        department_id=whom.get("department"),
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
