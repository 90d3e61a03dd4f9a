"""Webhooks and their deliveries, quotas and bounds of connected systems, sheets of hotlines."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import core.fields


class Migration(migrations.Migration):
    dependencies = [
        ("grids", "0016_boundary_import_forgets_done"),
        ("incidents", "0017_ai_switches_and_calls"),
    ]

    operations = [
        migrations.CreateModel(
            name="HookAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="time")),
                ("status", models.PositiveSmallIntegerField(null=True, verbose_name="status")),
                ("ms", models.PositiveIntegerField(verbose_name="milliseconds")),
                ("problem", models.CharField(blank=True, max_length=200)),
                ("answer", models.CharField(blank=True, max_length=500, verbose_name="answer")),
            ],
            options={
                "verbose_name": "attempt",
                "verbose_name_plural": "attempts",
            },
        ),
        migrations.CreateModel(
            name="HookDelivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("event_id", models.UUIDField()),
                ("event", models.CharField(max_length=20, verbose_name="event")),
                ("seq", models.PositiveIntegerField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("in_flight", "In flight"),
                            ("awaiting_retry", "Awaiting retry"),
                            ("delivered", "Delivered"),
                            ("dead", "Dead"),
                            ("dropped", "No longer needed"),
                        ],
                        default="queued",
                        max_length=15,
                        verbose_name="state",
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                (
                    "next_attempt_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="next attempt at"
                    ),
                ),
                ("claimed_at", models.DateTimeField(null=True)),
                ("delivered_at", models.DateTimeField(null=True, verbose_name="delivered at")),
                (
                    "made_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="made at"),
                ),
            ],
            options={
                "verbose_name": "delivery",
                "verbose_name_plural": "deliveries",
            },
        ),
        migrations.CreateModel(
            name="HotlineMapping",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("headings", models.CharField(max_length=64)),
                ("columns", models.JSONField(default=dict)),
                ("used_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name": "mapping of columns",
                "verbose_name_plural": "mappings of columns",
            },
        ),
        migrations.CreateModel(
            name="Webhook",
            fields=[
                (
                    "system",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="webhook",
                        serialize=False,
                        to="incidents.system",
                        verbose_name="system",
                    ),
                ),
                ("address", core.fields.EncryptedTextField(verbose_name="address")),
                (
                    "events",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("case.reported", "Reported"),
                                ("case.state_changed", "State changed"),
                                ("case.closed", "Closed"),
                                ("case.rated", "Rated"),
                                ("case.reopened", "Opened again"),
                            ],
                            max_length=20,
                        ),
                        default=list,
                        size=None,
                    ),
                ),
                (
                    "own_only",
                    models.BooleanField(default=True, verbose_name="only cases it sent itself"),
                ),
                ("active", models.BooleanField(default=True, verbose_name="active")),
                ("secret", core.fields.EncryptedTextField(editable=False)),
                (
                    "old_secret",
                    core.fields.EncryptedTextField(blank=True, default="", editable=False),
                ),
                ("old_secret_until", models.DateTimeField(editable=False, null=True)),
                ("failures", models.PositiveIntegerField(default=0, editable=False)),
                ("paused_until", models.DateTimeField(editable=False, null=True)),
                ("stopped_at", models.DateTimeField(editable=False, null=True)),
                ("last_problem", models.CharField(blank=True, editable=False, max_length=200)),
                ("last_sent_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "verbose_name": "webhook",
                "verbose_name_plural": "webhooks",
            },
        ),
        migrations.RemoveConstraint(
            model_name="system",
            name="system_quota_positive",
        ),
        migrations.AddField(
            model_name="sentcase",
            name="called_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="called at"),
        ),
        migrations.AddField(
            model_name="sentcase",
            name="due_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="wanted by"),
        ),
        migrations.AddField(
            model_name="system",
            name="areas",
            field=models.ManyToManyField(
                blank=True, related_name="+", to="grids.area", verbose_name="areas"
            ),
        ),
        migrations.AddField(
            model_name="system",
            name="items",
            field=models.ManyToManyField(
                blank=True, related_name="+", to="incidents.category", verbose_name="items"
            ),
        ),
        migrations.AddField(
            model_name="system",
            name="minute_quota",
            field=models.PositiveIntegerField(default=600, verbose_name="calls a minute"),
        ),
        migrations.AlterField(
            model_name="system",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("report", "Send reports"),
                        ("update", "Send updates about its own reports"),
                        ("read_own", "Read what became of its own reports"),
                        ("read", "Read public cases of its areas and items"),
                    ],
                    max_length=10,
                ),
                blank=True,
                default=list,
                size=None,
                verbose_name="rights",
            ),
        ),
        migrations.AddConstraint(
            model_name="system",
            constraint=models.CheckConstraint(
                condition=models.Q(("daily_quota__gt", 0), ("minute_quota__gt", 0)),
                name="system_quota_positive",
            ),
        ),
        migrations.AddField(
            model_name="hookdelivery",
            name="incident",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="incidents.incident",
                verbose_name="incident",
            ),
        ),
        migrations.AddField(
            model_name="hookattempt",
            name="delivery",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="tries",
                to="incidents.hookdelivery",
            ),
        ),
        migrations.AddField(
            model_name="hotlinemapping",
            name="system",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="incidents.system",
            ),
        ),
        migrations.AddField(
            model_name="hookdelivery",
            name="webhook",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deliveries",
                to="incidents.webhook",
                verbose_name="webhook",
            ),
        ),
        migrations.AddConstraint(
            model_name="hotlinemapping",
            constraint=models.UniqueConstraint(
                fields=("system", "headings"), name="hotline_mapping_once"
            ),
        ),
        migrations.AddIndex(
            model_name="hookdelivery",
            index=models.Index(
                condition=models.Q(("state__in", ["queued", "awaiting_retry"])),
                fields=["webhook", "next_attempt_at", "id"],
                name="hook_delivery_due",
            ),
        ),
        migrations.AddIndex(
            model_name="hookdelivery",
            index=models.Index(
                condition=models.Q(("state", "in_flight")),
                fields=["claimed_at"],
                name="hook_delivery_in_flight",
            ),
        ),
        migrations.AddIndex(
            model_name="hookdelivery",
            index=models.Index(fields=["webhook", "-id"], name="hook_delivery_new"),
        ),
        migrations.AddIndex(
            model_name="hookdelivery",
            index=models.Index(fields=["webhook", "state", "-id"], name="hook_delivery_state"),
        ),
        migrations.AddIndex(
            model_name="hookdelivery",
            index=models.Index(fields=["made_at"], name="hook_delivery_made"),
        ),
        migrations.AddConstraint(
            model_name="hookdelivery",
            constraint=models.UniqueConstraint(
                fields=("webhook", "event_id"), name="hook_delivery_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="hookdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ["queued", "in_flight", "awaiting_retry", "delivered", "dead", "dropped"],
                    )
                ),
                name="hook_delivery_state_known",
            ),
        ),
    ]
