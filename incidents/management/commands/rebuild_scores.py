"""``manage.py rebuild_scores``: make the facts and sums of all scores again from the cases."""

import sys
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from incidents.models import Incident
from incidents.services import assessments, scores


class Command(BaseCommand):
    help = "Make all scores again from the cases; safe while people work, and to begin again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--assess", metavar="YYYY-MM", help="also write this month into the workers' files"
        )

    def handle(self, *args: Any, assess: str | None = None, **options: Any) -> None:
        month = _month(assess) if assess else None
        with tqdm(total=Incident.objects.count(), file=sys.stderr, unit="") as bar:
            done = scores.rebuild(progress=bar.update)
        self.stdout.write(f"{done} cases")
        if month:
            self.stdout.write(f"{assessments.assess(month=month)} people")


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise CommandError("Give the month as 2026-10.") from error
