"""manage.py load_catalogue"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from grids.queries import the_county
from incidents.services.catalogue import load_catalogue


class Command(BaseCommand):
    """Load the shipped catalogue; again, it brings changed items and deadlines in."""

    help = "Loads departments, categories, deadlines, articles, examples and routing rules."

    def handle(self, *args: Any, **options: Any) -> None:
        county = the_county()
        if county is None:
            raise CommandError(_("The county is not set up yet: its areas must be imported first."))
        loaded = load_catalogue(county=county)
        self.stdout.write(
            _(
                "%(departments)s departments, %(categories)s categories "
                "(%(new_versions)s new deadline versions), %(articles)s articles, "
                "%(examples)s examples, %(rules)s routing rules."
            )
            % vars(loaded)
        )
