"""A sheet may wait for its columns to be matched."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0005_papers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="sheetupload",
            name="sheet_state_known",
        ),
        migrations.AddField(
            model_name="sheetupload",
            name="settings",
            field=models.JSONField(default=dict),
        ),
        migrations.AlterField(
            model_name="sheetupload",
            name="state",
            field=models.CharField(
                choices=[
                    ("matching", "Columns to be matched"),
                    ("waiting", "Waiting to be read"),
                    ("reading", "Being read"),
                    ("ready", "Ready to confirm"),
                    ("unreadable", "Not readable"),
                    ("confirmed", "Being saved"),
                    ("stale", "Overtaken"),
                    ("saved", "Saved"),
                ],
                default="waiting",
                max_length=10,
                verbose_name="state",
            ),
        ),
        migrations.AddConstraint(
            model_name="sheetupload",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "matching",
                            "waiting",
                            "reading",
                            "ready",
                            "unreadable",
                            "confirmed",
                            "stale",
                            "saved",
                        ],
                    )
                ),
                name="sheet_state_known",
            ),
        ),
    ]
