import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

UNITS = [
    ("calendar_hours", "hours"),
    ("calendar_days", "days"),
    ("working_days", "working days"),
    ("working_hours", "working hours"),
]


class Migration(migrations.Migration):
    dependencies = [("incidents", "0007_figure_shifts")]

    operations = [
        migrations.CreateModel(
            name="Ladder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "tier",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("ai", "Simple, by AI"),
                            ("local", "Ordinary, on the spot"),
                            ("whistle", "Complex, by whistle"),
                        ],
                        max_length=10,
                        verbose_name="tier",
                    ),
                ),
                ("version", models.PositiveIntegerField(verbose_name="version")),
                (
                    "valid_from",
                    models.DateField(default=django.utils.timezone.localdate, verbose_name="from"),
                ),
                (
                    "category",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="ladders",
                        to="incidents.category",
                        verbose_name="category",
                    ),
                ),
            ],
            options={
                "verbose_name": "escalation ladder",
                "verbose_name_plural": "escalation ladders",
                "ordering": ["category", "tier", "-version"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("category", "tier", "version"),
                        name="ladder_version_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LadderRung",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "rung",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (1, "Grid chief"),
                            (2, "Village or community office"),
                            (3, "Town admin"),
                            (4, "Command centre"),
                            (5, "County leader"),
                        ],
                        verbose_name="rung",
                    ),
                ),
                ("amount", models.PositiveIntegerField(default=1, verbose_name="amount")),
                (
                    "unit",
                    models.CharField(
                        choices=UNITS, default="working_days", max_length=15, verbose_name="unit"
                    ),
                ),
                (
                    "takes_over",
                    models.BooleanField(default=False, verbose_name="takes the case over"),
                ),
                (
                    "ladder",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rungs",
                        to="incidents.ladder",
                    ),
                ),
            ],
            options={
                "verbose_name": "rung",
                "verbose_name_plural": "rungs",
                "ordering": ["rung"],
                "constraints": [
                    models.UniqueConstraint(fields=("ladder", "rung"), name="ladder_rung_once"),
                    models.CheckConstraint(
                        condition=models.Q(("rung__in", [1, 2, 3, 4, 5])),
                        name="ladder_rung_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="ladder_rung_waits"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("takes_over", False), ("rung__lt", 5), _connector="OR"
                        ),
                        name="ladder_leader_is_only_told",
                    ),
                ],
            },
        ),
    ]
