from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("incidents", "0011_connected_systems")]

    operations = [
        migrations.AddField(
            model_name="reportercontact",
            name="wants_sms",
            field=models.BooleanField(default=False, verbose_name="wants SMS"),
        ),
    ]
