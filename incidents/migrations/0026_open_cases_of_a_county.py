"""Open cases of a county in order of arrival; what is late, counted without reading it."""

from django.db import migrations, models

# Nearly all cases of most states are open: taken as chance, one in fifty of them would be. The
# planner gathered all that wait for a check to show the newest fifty.
STATE_OF_OPEN = """
    CREATE STATISTICS incident_state_of_open (mcv) ON state, ended_at FROM incidents_incident
"""


class Migration(migrations.Migration):
    dependencies = [
        ("incidents", "0025_leaner_indexes"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="incident", name="open_overdue"),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", True)),
                fields=["county", "-reported_at", "-id"],
                name="open_county_new",
            ),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", True), ("overdue_at__isnull", False)),
                fields=["county", "town", "state"],
                include=("parent",),
                name="open_overdue",
            ),
        ),
        migrations.RunSQL(STATE_OF_OPEN, "DROP STATISTICS incident_state_of_open"),
    ]
