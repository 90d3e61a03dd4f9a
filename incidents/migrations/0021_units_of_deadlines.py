"""Open cases learn in which unit their nearest deadline is counted."""

from django.db import migrations

FILL = """
    UPDATE incidents_incident i SET due_unit = nearest.unit
      FROM (SELECT DISTINCT ON (incident_id) incident_id, unit FROM incidents_stageclock
             WHERE finished_at IS NULL AND due_at IS NOT NULL
             ORDER BY incident_id, due_at, id) nearest
     WHERE nearest.incident_id = i.id AND i.ended_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0020_tasks_standing_orders_more_time")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop, elidable=True)]
