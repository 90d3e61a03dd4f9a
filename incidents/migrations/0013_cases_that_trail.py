import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("incidents", "0012_reporters_want_sms")]

    operations = [
        migrations.CreateModel(
            name="TrailingCase",
            fields=[
                (
                    "incident",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="incidents.incident",
                    ),
                ),
                ("town_id", models.BigIntegerField(null=True)),
            ],
            options={
                "verbose_name": "trailing case",
                "verbose_name_plural": "trailing cases",
            },
        ),
    ]
