from django.db import migrations

# Each item's newest climb becomes its ladder, unless it is the county's own.
LADDERS = """
    WITH newest AS (
        SELECT DISTINCT ON (category_id) category_id, escalate_amount, escalate_unit
          FROM incidents_deadlineversion ORDER BY category_id, version DESC
    ), county AS (SELECT * FROM newest WHERE category_id IS NULL
    ), made AS (
        INSERT INTO incidents_ladder (category_id, tier, version, valid_from)
        SELECT category_id, '', 1, '2020-01-01' FROM newest
         WHERE category_id IS NULL OR NOT EXISTS (
               SELECT FROM county WHERE county.escalate_amount = newest.escalate_amount
                   AND county.escalate_unit = newest.escalate_unit)
        RETURNING id, category_id
    )
    INSERT INTO incidents_ladderrung (ladder_id, rung, amount, unit, takes_over)
    SELECT made.id, rung, newest.escalate_amount, newest.escalate_unit, false
      FROM made JOIN newest ON newest.category_id IS NOT DISTINCT FROM made.category_id,
           generate_series(1, 5) AS rung
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0008_ladders")]

    operations = [migrations.RunSQL(LADDERS, migrations.RunSQL.noop)]
