"""manage.py check_rules: try every example of the routing rules in force."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from incidents.queries.rules import in_force, notes
from incidents.services.rule_trials import try_examples


class Command(BaseCommand):
    help = "Try every example of the routing rules in force; end with an error if one fails."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each example, and for what is odd about a rule."""
        rules = in_force()
        tried, said = try_examples(rules), notes(rules)
        failed = 0
        for rule in rules:
            self.stdout.write(f"{rule.position}. {rule.name}")
            for one in tried[rule.key]:
                failed += rule.active and not one.passed
                mark = "✓" if one.passed else "✗"
                self.stdout.write(f"   {mark} {one.example['text']} {one.why}".rstrip())
            for line in said[rule.key]:
                self.stdout.write(f"   ! {line}")
        if failed:
            raise CommandError(_("%(n)s examples fail.") % {"n": failed})
