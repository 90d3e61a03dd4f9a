"""The small county of a fault run: its people, deadlines of seconds, and channels that tell.

What lives here: what is there before anything is killed. What must not: killing, judging.

Usage: python -m benchmarks.faults.seed SMS_PORT MAIL_PORT OUT.json, with the settings of a run.
"""

import json
import sys
from pathlib import Path

import django

django.setup()

from django.middleware.csrf import CSRF_SECRET_LENGTH  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils.crypto import get_random_string  # noqa: E402

from core.channels.events import Group  # noqa: E402
from core.models import Channel  # noqa: E402
from grids.factories import person  # noqa: E402
from grids.models import MessageSettings, Role, Subscription, User  # noqa: E402
from incidents.factories import World, deadlines, ladder  # noqa: E402
from incidents.models import Stage  # noqa: E402

# In hours, which last a second each.
HOURS = {
    Stage.TRIAGE: 3,
    Stage.ACCEPT: 3,
    Stage.ARRIVE: 3,
    Stage.RESPOND: 4,
    Stage.RESOLVE: 8,
    Stage.VERIFY: 3,
    Stage.CALLBACK: 6,
}
RUNGS = ("CHIEF", "VILLAGE", "TOWN", "COMMAND", "LEADER")


def main() -> None:
    sms_port, mail_port, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    world = World()
    deadlines(None, {stage: (n, "calendar_hours") for stage, n in HOURS.items()}, version=2)
    short = {"amount": 3, "unit": "calendar_hours"}
    ladder(version=2, **{name.lower(): short for name in RUNGS})
    handlers = [world.city_handler, person(Role.DEPARTMENT_HANDLER, world.city)]
    sms = _channel(Channel.Kind.SMS, f"http://127.0.0.1:{sms_port}/", {})
    mail = _channel(
        Channel.Kind.MAIL,
        "127.0.0.1",
        {"port": mail_port, "sender": "geshi@example.test", "security": "insecure"},
    )
    for channel, user in ((sms, handlers[0]), (mail, world.command)):
        _tell(user, channel)
    longitude, latitude = world.places.point_in(world.grid)
    out.write_text(
        json.dumps(
            {
                "people": {
                    "command": [_signed_in(world.command)],
                    "handler": [_signed_in(user) for user in handlers],
                },
                "category": world.rubbish.pk,
                "department": world.city.pk,
                "lat": latitude,
                "lon": longitude,
                "told": {
                    f"department:{world.city.pk}": f":c{sms.pk}:u{handlers[0].pk}",
                    f"command:{world.county.pk}": f":c{mail.pk}:u{world.command.pk}",
                },
            }
        )
    )


def _channel(kind: str, address: str, options: dict) -> Channel:
    channel = Channel(name=kind, kind=kind, active=True, address=address, options=options)
    channel.secrets = {"key": "k"} if kind == Channel.Kind.SMS else {}
    channel.save()
    return channel


def _tell(user: User, channel: Channel) -> None:
    User.objects.filter(pk=user.pk).update(phone="19900001234")
    MessageSettings.objects.create(user=user, email="somebody@example.test")
    Subscription.objects.bulk_create(
        Subscription(channel=channel, group=group, user=user) for group in Group.values
    )


def _signed_in(user: User) -> dict[str, str]:
    """Return the headers of a browser in which the person is signed in."""
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user, backend="grids.backends.PostingBackend")
    token = get_random_string(CSRF_SECRET_LENGTH)
    session = client.cookies["sessionid"].value
    return {"Cookie": f"sessionid={session}; csrftoken={token}", "X-CSRFToken": token}


if __name__ == "__main__":
    main()
