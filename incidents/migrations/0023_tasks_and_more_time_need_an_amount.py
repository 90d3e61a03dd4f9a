"""A task and a cap on extensions without an amount are refused: NULL passes a check."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("grids", "0016_boundary_import_forgets_done"),
        ("incidents", "0022_rules_and_their_tables"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="deadlineversion",
            name="deadline_more_time_has_a_unit",
        ),
        migrations.RemoveConstraint(
            model_name="incident",
            name="incident_task_has_a_case_and_a_time",
        ),
        migrations.AddConstraint(
            model_name="deadlineversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("more_amount__isnull", True), ("more_unit", "")),
                    models.Q(
                        ("more_amount__gt", 0),
                        ("more_amount__isnull", False),
                        models.Q(("more_unit", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="deadline_more_time_has_a_unit",
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("parent__isnull", False),
                        ("source", "split"),
                        ("task_count", 0),
                        ("task_amount__gt", 0),
                        ("task_amount__isnull", False),
                        models.Q(("task_unit", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(("source", "split"), _negated=True),
                        ("parent__isnull", True),
                        ("task_amount__isnull", True),
                        ("task_unit", ""),
                    ),
                    _connector="OR",
                ),
                name="incident_task_has_a_case_and_a_time",
            ),
        ),
    ]
