"""What messages by channels put into the registries of this floor, at start-up.

What must not live here: any of the work itself.
"""

from collections.abc import Mapping

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core.audit_words import name_actions, name_subject
from core.channels import events
from core.models import Channel
from grids import moves
from grids.desks import Desk, register
from grids.models import Role
from grids.services import telling

ACTIONS = {
    "channel.saved": _("Channel set up"),
    "channel.switched_on": _("Channel switched on"),
    "channel.switched_off": _("Channel switched off"),
    "channel.tried": _("Channel tried"),
    "channel.group_added": _("Group chat told of more"),
    "channel.group_removed": _("Group chat told of less"),
    "template.saved": _("Words of a message changed"),
    "template.dropped": _("Words of a message put back"),
    "messages.chosen": _("Own messages chosen"),
}


def connect() -> None:
    """Register the desk, how people are reached, and the words of the audit trail."""
    register(Desk("messages", _("Messages sent"), "send", frozenset({Role.SYSTEM_ADMIN}), 80))
    events.register_addressees(telling.PERSON, telling.find_person)
    moves.register(
        "messages",
        labels=telling.FOLLOWED,
        count=telling.count_followers,
        follow=telling.follow_areas,
    )
    name_actions(ACTIONS)
    name_subject("channel", _("Channel"), _channels)
    name_subject("template", _("Words of messages"))


def _channels(ids: list[int]) -> Mapping[int, tuple[str, str]]:
    rows = Channel.objects.filter(pk__in=ids).values_list("pk", "name")
    return {pk: (name, reverse("channel", args=[pk])) for pk, name in rows}
