"""What a backup is worth: all that the database itself guards comes back with it."""

import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

pytestmark = pytest.mark.django_db

GUARDS = """
    SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexname FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'pgtrigger%'
"""


def address(name: str) -> str:
    """The database of this name beside the one under test, as PostgreSQL's own programs take it."""
    server = connection.settings_dict
    parts = {"host": server["HOST"], "port": server["PORT"], "user": server["USER"]}
    parts |= {"password": server["PASSWORD"], "dbname": name}
    return psycopg.conninfo.make_conninfo(**{key: value for key, value in parts.items() if value})


@pytest.fixture
def empty_database() -> Iterator[str]:
    name = f"{connection.settings_dict['NAME']}_restored"
    with psycopg.connect(address("postgres"), autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')
        server.execute(f'CREATE DATABASE "{name}"')
        yield name
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def guards(name: str) -> list[str]:
    with psycopg.connect(address(name)) as database:
        return sorted(row[0] for row in database.execute(GUARDS))


def test_every_trigger_and_constraint_survives_a_restore(empty_database, tmp_path):
    dump = tmp_path / "geshi.dump"
    ours = connection.settings_dict["NAME"]
    subprocess.run(
        ["pg_dump", "--format=custom", "--schema-only", f"--file={dump}", address(ours)],
        check=True,
    )
    restored = subprocess.run(
        [
            "pg_restore",
            "--no-owner",
            "--exit-on-error",
            f"--dbname={address(empty_database)}",
            dump,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert restored.returncode == 0, restored.stderr
    assert guards(empty_database) == guards(ours)
