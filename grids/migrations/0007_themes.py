"""The networks usually merged into one grid, as a county begins; each may be renamed or closed."""

from django.db import migrations

THEMES = [
    ("party", "党建", "Party building"),
    ("order", "综治", "Public order"),
    ("petition", "信访", "Petitions"),
    ("emergency", "应急", "Emergency"),
    ("farmland", "田长", "Farmland"),
    ("river", "河长", "Rivers"),
    ("fire", "消防", "Fire safety"),
    ("environment", "环保", "Environment"),
    ("civil", "民政", "Civil affairs"),
]


def add(apps, schema_editor):
    theme = apps.get_model("grids", "GridTheme")
    for position, (code, name, name_en) in enumerate(THEMES, 1):
        theme.objects.get_or_create(
            code=code, defaults={"name": name, "name_en": name_en, "position": position * 10}
        )


class Migration(migrations.Migration):
    dependencies = [("grids", "0006_alliances_themes_and_a_sound_tree")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
