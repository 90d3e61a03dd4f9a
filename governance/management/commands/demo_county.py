"""``manage.py demo_county``: an invented county at true size, to look at and to try things on."""

import gc
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from core.errors import GeshiError
from governance.demo import stories
from governance.demo.build import build
from incidents.services import training

# Enough for sound suggestions, few enough to be learnt in some seconds.
TAUGHT_CASES = 600


class Command(BaseCommand):
    help = "Fill an empty database with an invented county at true size."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--incidents", type=int, default=stories.COUNT)

    def handle(self, *args: Any, incidents: int, **options: Any) -> None:
        bars: list[tqdm] = []

        def phase(label: str, total: int) -> Any:
            for bar in bars:
                bar.close()
            bars.append(tqdm(desc=label, total=total, file=sys.stderr, unit=""))
            return bars[-1].update

        # Some 200,000 rows live until they are written: looking for garbage among them again
        # and again would take a fifth of the time.
        gc.disable()
        try:
            build(phase=phase, incidents=incidents)
            done = phase("AI triage", 1)
            training.train(cases=TAUGHT_CASES)
            done(1)
        except GeshiError as error:
            raise CommandError(str(error)) from error
        finally:
            gc.enable()
            for bar in bars:
                bar.close()
