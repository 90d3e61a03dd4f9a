"""What people may be told, as the floors above register it at start-up.

What lives here: the registry of events and of addressees. What must not: any event itself, except
the trial that an administrator sends to see whether a channel works.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models import Channel

Facts = Mapping[str, Any]
# Facts of a message → {placeholder: text}, in the language in force; raises NoLongerNeeded.
Values = Callable[[Facts], Mapping[str, str]]
# (whom, channel) → the address; raises NoLongerNeeded or Refused.
FindAddress = Callable[[Facts, Channel], "Address"]


class Group(models.TextChoices):
    """Kinds of events a person chooses among; a line each on the page of choices."""

    ALARM = "alarm", _("Emergencies and alarms")
    WORK = "work", _("New work for me")
    DEADLINE = "deadline", _("Deadlines, overdue cases and supervision")
    ANSWER = "answer", _("Answers to what I asked for")
    INFO = "info", _("For information")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a letter goes; "" for a robot, which has one place only. ``name`` is for the page."""

    to: str
    language: str = ""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that is told.

    ``subject`` and ``text`` are the shipped words, lazy, with ``{name}`` where a value stands;
    ``placeholders`` says what each name means, and ``examples`` what a preview puts there.
    An urgent event does not wait for the morning.
    """

    kind: str
    label: Any
    text: Any
    subject: Any
    placeholders: Mapping[str, Any]
    examples: Mapping[str, Any] = field(default_factory=dict)
    group: str = Group.WORK
    urgent: bool = False
    to_residents: bool = False
    values: Values = dict


_events: dict[str, Event] = {}
_sources: list[Callable[[], Iterable[Event]]] = []
_addresses: dict[str, FindAddress] = {}
TRIAL = "trial"


def register(event: Event) -> None:
    """Add an event; a second one of the same kind replaces the first."""
    _events[event.kind] = event


def register_source(source: Callable[[], Iterable[Event]]) -> None:
    """Let events be asked of a floor when first one is wanted, after all floors are ready."""
    _sources.append(source)


def register_addressees(name: str, find: FindAddress) -> None:
    """Say how addressees called ``name`` in ``{"to": {"who": name, …}}`` are found."""
    _addresses[name] = find


def event(kind: str) -> Event:
    """Return an event. Raises KeyError."""
    return _all()[kind]


def events() -> list[Event]:
    """Return all events, residents' first, each group together."""
    order = {group: place for place, group in enumerate(Group.values)}
    return sorted(
        _all().values(), key=lambda one: (not one.to_residents, order.get(one.group, 9), one.kind)
    )


def _all() -> dict[str, Event]:
    while _sources:
        for one in _sources.pop()():
            register(one)
    return _events


def address(whom: Facts, channel: Channel) -> Address:
    """Return where a letter to ``whom`` goes. Raises NoLongerNeeded or Refused."""
    return _addresses[whom["who"]](whom, channel)


def _group_chat(whom: Facts, channel: Channel) -> Address:
    return Address("")


register_addressees("group_chat", _group_chat)
register(
    Event(
        kind=TRIAL,
        label=_("Trial message"),
        text=_("This is a trial message of the grid platform. The channel works."),
        subject=_("Trial message of the grid platform"),
        placeholders={},
        group=Group.INFO,
        urgent=True,
    )
)
