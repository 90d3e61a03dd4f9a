"""The names of fields stand in 0001 now; others depend on this by its name."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('grids', '0002_names_of_fields'),
        ('grids', '__first__'),
        ('incidents', '0001_the_incident'),
    ]

    operations = [
    ]
