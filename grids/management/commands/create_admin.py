"""manage.py create_admin USERNAME [--name NAME] [--role ROLE]"""

from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core.errors import Invalid
from grids.models import Role
from grids.models.posting import KEEPERS
from grids.services.people import create_administrator


class Command(BaseCommand):
    """Ask for a password twice and make one of the three administrators."""

    help = "Creates a system, audit or security administrator; asks for the first password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", help="name shown to colleagues")
        parser.add_argument("--role", choices=sorted(KEEPERS), default=Role.SYSTEM_ADMIN)

    def handle(self, *args: Any, **options: Any) -> None:
        password = getpass(_("Password: "))
        if getpass(_("Password again: ")) != password:
            raise CommandError(_("The two passwords differ."))
        username = options["username"]
        try:
            user = create_administrator(
                username=username,
                password=password,
                display_name=options["name"] or username,
                actor=None,
                role=options["role"],
            )
        except Invalid as error:
            lines = [f"{field}: {' '.join(map(str, why))}" for field, why in error.errors.items()]
            raise CommandError("\n".join(lines or [str(error)])) from error
        self.stdout.write(
            _("%(role)s “%(username)s” can sign in now and changes the password first.")
            % {"role": Role(options["role"]).label, "username": user.username}
        )
