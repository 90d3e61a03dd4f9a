"""manage.py reset_account USERNAME"""

from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core.errors import Invalid
from grids.services.accounts import reset_at_server


class Command(BaseCommand):
    """Ask for a first password twice; take away second factors, locks and sessions."""

    help = "Resets an account nobody else may reset: an administrator's. Asks for a first password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        password = getpass(_("Password: "))
        if getpass(_("Password again: ")) != password:
            raise CommandError(_("The two passwords differ."))
        try:
            person = reset_at_server(username=options["username"], password=password)
        except Invalid as error:
            lines = [" ".join(map(str, why)) for why in error.errors.values()]
            raise CommandError("\n".join(lines or [str(error)])) from error
        self.stdout.write(
            _("“%(username)s” can sign in now and changes the password first.")
            % {"username": person.username}
        )
