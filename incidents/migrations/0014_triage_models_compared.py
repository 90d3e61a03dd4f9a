import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("incidents", "0013_cases_that_trail"),
    ]

    operations = [
        migrations.AddField(
            model_name="triagemodel",
            name="learnt",
            field=models.BinaryField(default=b"", editable=False),
        ),
        migrations.AddField(
            model_name="triagemodel",
            name="comparison",
            field=models.JSONField(default=dict, editable=False),
        ),
        migrations.AddField(
            model_name="triagemodel",
            name="activated_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="put in force at"),
        ),
        migrations.AddField(
            model_name="triagemodel",
            name="activated_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
