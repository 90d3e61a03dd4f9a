import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import core.models.paper


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_channels_and_letters"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Paper",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=30, verbose_name="kind")),
                ("title", models.CharField(max_length=200, verbose_name="title")),
                ("order", models.JSONField(default=dict)),
                ("language", models.CharField(max_length=10, verbose_name="language")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting for its turn"),
                            ("drawing", "Being drawn"),
                            ("ready", "Ready to print"),
                            ("failed", "Not printed"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("problem", models.TextField(blank=True, default="", verbose_name="problem")),
                ("total", models.IntegerField(default=0)),
                ("done", models.IntegerField(default=0)),
                ("attempts", models.IntegerField(default=0, verbose_name="attempts")),
                (
                    "claimed_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="claimed at"),
                ),
                ("made_at", models.DateTimeField(auto_now_add=True, verbose_name="made at")),
                ("file", models.FileField(blank=True, upload_to=core.models.paper.stored_name)),
                (
                    "expires_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="kept until"),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "paper",
                "verbose_name_plural": "papers",
                "indexes": [
                    models.Index(fields=["owner", "kind", "-made_at"], name="paper_owner"),
                    models.Index(
                        condition=models.Q(("state__in", ["waiting", "drawing"])),
                        fields=["made_at"],
                        name="paper_to_do",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("expires_at__isnull", False),
                                ("state", "ready"),
                                models.Q(("file", ""), _negated=True),
                            ),
                            models.Q(
                                ("expires_at__isnull", True),
                                ("file", ""),
                                ("state__in", ["waiting", "drawing", "failed"]),
                            ),
                            _connector="OR",
                        ),
                        name="paper_ready_with_a_file_for_a_time",
                    )
                ],
            },
        ),
    ]
