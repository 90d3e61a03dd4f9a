import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("grids", "0012_messages_by_channel")]

    operations = [
        migrations.RemoveIndex(model_name="reorganisation", name="reorganisation_to_settle"),
        migrations.RemoveField(model_name="reorganisation", name="settled_at"),
        migrations.CreateModel(
            name="TrailingArea",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("level", models.CharField(max_length=10)),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "act",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trailing",
                        to="grids.reorganisation",
                        verbose_name="act",
                    ),
                ),
                (
                    "area",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="grids.area",
                    ),
                ),
                (
                    "heir",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="grids.area",
                    ),
                ),
                (
                    "left",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="grids.area",
                    ),
                ),
            ],
            options={
                "verbose_name": "trailing area",
                "verbose_name_plural": "trailing areas",
            },
        ),
    ]
