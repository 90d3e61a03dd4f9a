"""The rules of the house hold: floors, rooms, and a word about itself in each module."""

import ast
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

APPS = ["core", "grids", "incidents", "mediation", "governance"]
ROOT = Path(settings.BASE_DIR)


def modules() -> list[Path]:
    return [
        path
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in path.parts and path.read_text().strip()
    ]


def test_imports_go_down_only():
    checked = subprocess.run(
        ["lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout


def test_every_module_says_what_lives_in_it():
    silent = [
        str(path.relative_to(ROOT))
        for path in modules()
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=1)


def test_migrations_are_named_by_meaning():
    unnamed = [
        path.name
        for app in APPS
        for path in (ROOT / app).glob("migrations/0*.py")
        if "_auto_" in path.name or path.stem.endswith("_initial")
    ]
    assert unnamed == []
