from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("incidents", "0009_ladders_of_deadlines")]

    operations = [
        migrations.RemoveConstraint(
            model_name="deadlineversion", name="deadline_version_climbs"
        ),
        migrations.RemoveField(model_name="deadlineversion", name="escalate_amount"),
        migrations.RemoveField(model_name="deadlineversion", name="escalate_unit"),
    ]
