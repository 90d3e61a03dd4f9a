"""The names of fields stand in 0001 now; others depend on this by its name."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('grids', '0001_territory_and_people'),
    ]

    operations = [
    ]
