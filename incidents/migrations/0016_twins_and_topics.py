"""Raters of merged cases; hot topics, early warnings, and the counts of days they are made of."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def area(empty: bool = False) -> models.ForeignKey:
    return models.ForeignKey(
        blank=empty,
        db_index=False,
        null=empty,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="grids.area",
    )


def category() -> models.ForeignKey:
    return models.ForeignKey(
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="incidents.category",
    )


def key() -> models.BigAutoField:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("grids", "0016_boundary_import_forgets_done"),
        ("incidents", "0015_scores"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="callback", name="callback_once_per_round"),
        migrations.AddField(
            model_name="callback",
            name="twin",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="asked_as_twin",
                to="incidents.incident",
            ),
        ),
        migrations.AddConstraint(
            model_name="callback",
            constraint=models.UniqueConstraint(
                fields=["incident", "round", "twin"],
                name="callback_once_per_round_and_reporter",
                nulls_distinct=False,
            ),
        ),
        migrations.CreateModel(
            name="ReportDay",
            fields=[
                ("id", key()),
                ("county_id", models.BigIntegerField()),
                ("town_id", models.BigIntegerField()),
                ("village_id", models.BigIntegerField(null=True)),
                ("category_id", models.BigIntegerField()),
                ("day", models.DateField()),
                ("n", models.IntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["day", "town_id", "village_id", "category_id"],
                        name="report_day_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HotTopic",
            fields=[
                ("id", key()),
                (
                    "words",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40),
                        size=None,
                        verbose_name="shared words",
                    ),
                ),
                ("heat", models.FloatField(verbose_name="heat")),
                (
                    "trend",
                    models.CharField(
                        choices=[
                            ("rising", "Rising"),
                            ("steady", "Steady"),
                            ("falling", "Falling"),
                        ],
                        max_length=8,
                        verbose_name="trend",
                    ),
                ),
                (
                    "days",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), size=None
                    ),
                ),
                (
                    "sample",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None
                    ),
                ),
                ("first_seen", models.DateTimeField(verbose_name="first seen")),
                ("last_seen", models.DateTimeField(verbose_name="last seen")),
                ("counted_on", models.DateField()),
                ("ended_on", models.DateField(blank=True, null=True)),
                ("category", category()),
                ("county", area()),
                ("town", area()),
                ("village", area(True)),
            ],
            options={
                "verbose_name": "hot topic",
                "verbose_name_plural": "hot topics",
                "indexes": [
                    models.Index(
                        condition=models.Q(("ended_on__isnull", True)),
                        fields=["county", "-heat", "id"],
                        name="topic_of_county",
                    ),
                    models.Index(
                        condition=models.Q(("ended_on__isnull", True)),
                        fields=["town", "village", "category"],
                        name="topic_of_place",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EarlyWarning",
            fields=[
                ("id", key()),
                ("raised_at", models.DateTimeField(verbose_name="raised at")),
                ("n", models.IntegerField(verbose_name="reports")),
                ("expected", models.FloatField(verbose_name="usual")),
                ("chance", models.FloatField()),
                ("last_over_on", models.DateField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                (
                    "word",
                    models.CharField(blank=True, max_length=300, verbose_name="what is being done"),
                ),
                (
                    "acknowledged_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                ("category", category()),
                ("county", area()),
                ("town", area()),
                ("village", area(True)),
            ],
            options={
                "verbose_name": "early warning",
                "verbose_name_plural": "early warnings",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["town", "village", "category"],
                        name="warning_once_per_surge",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("acknowledged_at__isnull", True),
                                ("acknowledged_by__isnull", True),
                                ("word", ""),
                            ),
                            models.Q(
                                ("acknowledged_at__isnull", False),
                                ("acknowledged_by__isnull", False),
                                models.Q(("word", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="warning_acknowledged_with_a_word",
                    ),
                ],
                "indexes": [
                    models.Index(fields=["county", "-raised_at", "-id"], name="warning_of_county")
                ],
            },
        ),
    ]
