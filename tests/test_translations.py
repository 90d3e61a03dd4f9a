"""No text reaches a screen untranslated."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest
from django.conf import settings

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
