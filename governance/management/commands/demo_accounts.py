"""``manage.py demo_accounts``: who one can sign in as in demonstration mode."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from grids.queries import demo_accounts


class Command(BaseCommand):
    help = "List the demonstration accounts and their password; only in demonstration mode."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Demonstration mode is off (GESHI_DEMO).")
        for posting in demo_accounts():
            self.stdout.write(
                f"  {posting.user.username:12} {posting.get_role_display()} · {posting.place}"
            )
        self.stdout.write(f"  password of all: {settings.DEMO_PASSWORD}")
