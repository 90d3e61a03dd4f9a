"""The fault runs of docs/faults.md, short: the product passes, and a naive variant does not."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from benchmarks.faults.lag import RealTime

pytestmark = pytest.mark.stack
ALWAYS = ("--calm", "0", "--seed", "4", "--away", "2")
# Kinds of promises by the number the oracle gives them.
TIMERS, MESSAGES = "23"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A house both runs share, so that the tables are made once."""
    return tmp_path_factory.mktemp("faults")


@pytest.fixture
def turn(tmp_path_factory) -> Iterator[None]:
    """One run at a time on a machine: each starts a dozen processes and waits for their clocks."""
    with (tmp_path_factory.getbasetemp().parent / "faults.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def run(db, place, turn):
    """Run the harness in a process of its own; returns its exit status and what it found."""
    dump = place / "tables.sql"
    if not dump.exists():
        database = connection.settings_dict
        command = ["pg_dump", "--schema-only", "--no-owner", "-U", database["USER"]]
        command += ["-h", database["HOST"], "-f", str(dump), database["NAME"]]
        subprocess.run(command, check=True)

    def start(*options: str) -> tuple[int, dict[str, Any]]:
        done = subprocess.run(
            # The kernel asks it to tidy up if the test run itself is killed.
            ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "benchmarks.faults"]
            + ["--var", str(place), "--dump", str(dump), *ALWAYS, *options],
            cwd=settings.BASE_DIR,
            env={key: value for key, value in os.environ.items() if not key.startswith("DJANGO_")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.returncode, json.loads((place / "out/found.json").read_text())

    return start


def broken(found: dict[str, Any]) -> set[str]:
    return {finding["name"][0] for finding in found["found"] if finding["broken"]}


def test_nothing_is_lost_or_doubled_whatever_is_killed(run):
    status, found = run("--seconds", "12", "--least", "6", "--gap", "1", "--rate", "3")
    assert broken(found) == set(), found["found"]
    assert status == 0
    assert len(found["faults"]) >= 6
    assert all(finding["checked"] for finding in found["found"]), found["found"]


def test_what_a_naive_design_loses_is_found(run):
    deck = "in a sweep,in a delivery,flush"
    run_options = ("--naive", "--only", deck, "--gap", "0.5", "--seconds", "8", "--least", "3")
    status, found = run(*run_options, "--rate", "4")
    assert status == 1
    assert broken(found) & {TIMERS, MESSAGES}, found["found"]


def test_lateness_is_counted_in_real_seconds_whatever_the_clock_was_set_to():
    """The clock is put back by 20 s after 100 s, and 10 s later on by 70."""
    time = RealTime([(0, 0), (100, -20), (110, 50)])
    # Set before the clock went back, or when it showed the same for the second time.
    assert time.reached(95, since=90) == 95
    assert time.reached(85, since=101) == 105
    # Skipped when the clock was put on: due at that moment.
    assert time.reached(120, since=105) == 110
    assert time.of(165, since=110) == 115
    # Shown twice, so nobody can say.
    assert time.of(85, since=80) is None
