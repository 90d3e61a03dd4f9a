"""No text reaches a screen untranslated."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.utils.translation import override

ROOT = Path(settings.BASE_DIR)
SOURCES = ["core", "grids", "incidents", "mediation", "governance", "templates", "static"]
CATALOGUES = {"django": "html,txt,py", "djangojs": "js"}


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with their texts merged into the catalogues, as makemessages does."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).exists():
            shutil.copytree(
                ROOT / name, copy / name, ignore=shutil.ignore_patterns("tests", "__pycache__")
            )
    shutil.copytree(ROOT / "locale", copy / "locale", ignore=shutil.ignore_patterns("*.mo"))
    environment = {
        key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"
    }
    for domain, extensions in CATALOGUES.items():
        subprocess.run(
            [sys.executable, "-m", "django", "makemessages", "--locale", "zh_Hans"]
            + ["--domain", domain, "--extension", extensions, "--no-obsolete", "--verbosity", "0"],
            cwd=copy,
            env=environment,
            check=True,
        )
    return copy / "locale/zh_Hans/LC_MESSAGES"


@pytest.mark.parametrize("domain", CATALOGUES)
def test_every_text_has_a_chinese_translation(extracted, domain):
    path = extracted / f"{domain}.po"
    catalogue = polib.pofile(str(path)) if path.exists() else []
    missing = [
        f"{entry.msgid!r} at {', '.join(':'.join(place) for place in entry.occurrences[:2])}"
        for entry in catalogue
        if entry.fuzzy or not entry.translated()
    ]
    assert missing == []


def test_no_translation_is_only_a_guess():
    guesses = [
        entry.msgid
        for path in (ROOT / "locale").rglob("*.po")
        for entry in polib.pofile(str(path))
        if entry.fuzzy
    ]
    assert guesses == []


def shown_names(model, model_admin):
    """Everything the administration calls a table by: heading, names, columns and fields."""
    yield from (model._meta.app_config.verbose_name, model._meta.verbose_name)
    yield model._meta.verbose_name_plural
    for column in model_admin.list_display:
        yield label_for_field(column, model, model_admin)
    hidden = {*(model_admin.exclude or ()), "id", "path", "depth", "numchild"}
    for field in model._meta.concrete_fields:
        if field.editable and field.name not in hidden:
            yield field.verbose_name


def test_the_administration_names_every_table_and_column_in_chinese():
    with override("zh-hans"):
        english = [
            f"{model._meta.label}: {name}"
            for model, model_admin in admin.site._registry.items()
            for name in map(str, shown_names(model, model_admin))
            if name != "ID" and not re.search("[\u4e00-\u9fff]", name)
        ]
    assert english == []
