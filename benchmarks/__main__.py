"""Runs the benchmark: private services, the county, the real server, the rows, the table.

What lives here: the order of things. Called by script/bench, which sets the environment.
"""

import argparse
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "script"))
VAR = Path(os.environ["GESHI_VAR"])

import django  # noqa: E402
import psycopg  # noqa: E402
from _server import Part, first_page, parts  # noqa: E402
from _services import Services  # noqa: E402

django.setup()

from benchmarks import (  # noqa: E402
    articles,
    audit,
    county,
    cpu,
    report,
    roster,
    rows,
    scores,
    search,
    sweep,
    territory,
    visits,
)
from benchmarks.load import summary  # noqa: E402

CLIENTS = 8
WARM = 3.0
SLOW_MS = 50
ROWS = (
    "intake",
    "queue",
    "open",
    "transition",
    "dashboard",
    "search",
    "articles",
    "roster",
    "coverage",
    "point",
    "subtree",
    "scores",
    "visits",
    "audit",
    "sweep",
)
BUILT = VAR / "built.json"
LAST = VAR / "last.json"


class Stop(Exception):
    """Somebody asked to stop."""


def say(words: str) -> None:
    print(f"  … {words}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/bench")
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--grids", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--short-timelines", action="store_true", dest="short")
    parser.add_argument("--timers", type=int, default=100_000)
    options = parser.parse_args()
    wanted = options.rows.split(",")
    if unknown := set(wanted) - set(ROWS):
        parser.error(f"there is no row {', '.join(sorted(unknown))}; rows: {', '.join(ROWS)}")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, stop)
    logging.disable(logging.INFO)
    facts = report.machine()
    services = Services(VAR)
    try:
        services.start()
        prepare(options.incidents, options.grids, options.short)
        return measure(wanted, options, facts)
    except Stop:
        return 130
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        services.stop()


def stop(number: int, frame: object) -> None:
    raise Stop


def dsn(database: str = "geshi") -> str:
    return f"host={(VAR / 'run').resolve()} user=geshi dbname={database}"


def prepare(incidents: int, grids: int, short: bool) -> None:
    """Have the database filled for these sizes; what stands is kept when it fits."""
    made = stamp(incidents, grids, short)
    standing = json.loads(BUILT.read_text()) if BUILT.exists() else {}
    if standing != made:
        BUILT.unlink(missing_ok=True)
        with psycopg.connect(dsn("postgres"), autocommit=True) as server:
            server.execute("DROP DATABASE IF EXISTS geshi WITH (FORCE)")
            server.execute("CREATE DATABASE geshi")
    subprocess.run([sys.executable, ROOT / "script/_prepare.py"], cwd=ROOT, check=True)
    begun = time.monotonic()
    if standing != made:
        county.build(incidents=incidents, grids=grids, short=short, say=say)
        BUILT.write_text(json.dumps(made))
        say(f"the county stands ({time.monotonic() - begun:.0f} s)")
    with psycopg.connect(dsn("postgres"), autocommit=True) as server:
        server.execute(f"ALTER DATABASE geshi SET log_min_duration_statement = {SLOW_MS}")


def stamp(incidents: int, grids: int, short: bool) -> dict[str, Any]:
    """Return what the standing county was made from."""
    known = hashlib.sha256()
    sources = [*sorted(ROOT.glob("*/migrations/0*.py")), ROOT / "benchmarks/sql.py"]
    for path in [*sources, ROOT / "benchmarks/county.py"]:
        known.update(path.read_bytes())
    sizes = {"incidents": incidents, "grids": grids, "short": short}
    return {**sizes, "made_by": known.hexdigest()}


class Servers:
    """The product's web server and the floor's, both as script/server starts its own."""

    def __init__(self) -> None:
        self.port = int(os.environ.get("PORT") or 8010)
        web = parts("127.0.0.1", self.port, VAR)[0]
        command = parts("127.0.0.1", self.port + 1, VAR)[0].command
        floor = Part(
            "floor", [*command[:-1], "benchmarks.floor_wsgi:application"], VAR / "log/floor.log"
        )
        os.environ["BENCH_DSN"] = dsn()
        self.running = [web, floor]

    def __enter__(self) -> "Servers":
        for part in self.running:
            part.log.unlink(missing_ok=True)
            part.start()
        deadline = time.monotonic() + 120
        for port in (self.port, self.port + 1):
            while not first_page(f"http://127.0.0.1:{port}"):
                if time.monotonic() > deadline:
                    raise SystemExit(f"no answer on port {port}; see {VAR / 'log'}")
                time.sleep(0.1)
        return self

    def __exit__(self, *_why: object) -> None:
        for part in self.running:
            part.ask_to_stop()
        for part in self.running:
            part.make_sure_stopped(time.monotonic() + 15)

    @contextmanager
    def background(self) -> Iterator[datetime]:
        """Run one worker and one beat beside the web server; yields when they were started."""
        begun = datetime.now(UTC)
        beside = parts("127.0.0.1", self.port, VAR)[1:]
        for part in beside:
            part.start()
        try:
            yield begun
        finally:
            for part in beside:
                part.ask_to_stop()
            for part in beside:
                part.make_sure_stopped(time.monotonic() + 15)


class Bench:
    """Sends requests through the clients' process and keeps what came of them."""

    def __init__(self, servers: Servers, seconds: float, timers: int) -> None:
        self.servers, self.seconds, self.timers = servers, seconds, timers
        self.failures = 0
        self.results: dict[str, Any] = {}

    def ask(
        self,
        name: str,
        requests: list[dict[str, Any]],
        *,
        clients: int = CLIENTS,
        repeat: bool = True,
        floor: bool = False,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """Return the summary of all answers, and of each label under "labels"."""
        if not requests:
            raise SystemExit(f"{name}: there is nothing to ask for")
        order = {
            "host": "127.0.0.1",
            "port": self.servers.port + floor,
            "clients": clients,
            "seconds": seconds or self.seconds,
            "warm": WARM if repeat else 1.0,
            "repeat": repeat,
            "requests": requests,
        }
        web = [part.process.pid for part in self.servers.running if part.process]
        database = [int((VAR / "data/postgres/postmaster.pid").read_text().split()[0])]
        before = cpu.spent(web), cpu.spent(database), cpu.busy()
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.load"],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )
        answer = json.loads(done.stdout)
        wrong = {int(status): n for status, n in answer["wrong"].items()}
        everything = [t for times in answer["times"].values() for t in times]
        found = summary(everything, seconds=answer["seconds"], wrong=wrong)
        found["labels"] = {
            label: summary(times, seconds=answer["seconds"], wrong={})
            for label, times in sorted(answer["times"].items())
        }
        after = cpu.spent(web), cpu.spent(database), cpu.busy()
        in_web, in_database, everybody = (b - a for a, b in zip(before, after, strict=True))
        machine = (time.monotonic() - begun) * (os.cpu_count() or 1)
        answered = answer["answered"] or 1
        found["cpu_ms"] = [round(x / answered * 1000, 1) for x in (in_web, in_database)]
        others = everybody - in_web - in_database - answer["cpu"]
        found["others"] = round(max(0.0, others) / machine, 2)
        self.failures += sum(wrong.values())
        self.results[name] = found
        cost = "{} + {} ms".format(*found["cpu_ms"])
        tail = f", WRONG ANSWERS {wrong}" if wrong else ""
        say(
            f"{name}: {found['rate']:,.0f}/s, p50 {found['p50']} ms, p95 {found['p95']} ms,"
            f" max {found['max']} ms ({found['n']:,} answers), processor {cost} each;"
            f" others took {found['others']:.0%} of the machine{tail}"
        )
        return found

    def floor(self, name: str, path: str, ids: list[int] | None = None) -> dict[str, Any]:
        """Measure one address of the floor."""
        asked = [{"label": path, "path": f"{path}?n={n}"} for n in ids or [1]]
        return self.ask(name, asked, floor=True, seconds=min(self.seconds, 8))


def measure(wanted: list[str], options: argparse.Namespace, facts: dict[str, Any]) -> int:
    """Measure the rows asked for and print the table; 1 when an answer was wrong."""
    log = VAR / "log/postgresql.log"
    table = [["row", "measured", "CPU each", "others", "target", "met", "floor", "ratio"]]
    with psycopg.connect(dsn()) as server:
        facts["postgresql"] = server.execute("SHOW server_version").fetchone()[0]
        facts["incidents"] = server.execute("SELECT count(*) FROM incidents_incident").fetchone()[0]
    with Servers() as servers:
        bench = Bench(servers, options.seconds, options.timers)
        rows.make_ready(wanted, options.seconds, say)
        offset = log.stat().st_size
        measured: dict[str, Callable[[Bench], list[list[str]]]] = {
            "intake": rows.intake,
            "queue": rows.queue,
            "open": rows.open_case,
            "transition": rows.transition,
            "dashboard": rows.dashboard,
            "search": search.measure_search,
            "articles": articles.measure_articles,
            "roster": roster.roster,
            "coverage": territory.measure_coverage,
            "point": territory.point,
            "subtree": territory.subtree,
            "scores": scores.measure_scores,
            "visits": visits.measure_visits,
            "audit": audit.measure_audit,
            "sweep": sweep.measure_sweep,
        }
        for name in ROWS:
            if name in wanted:
                table += measured[name](bench)
    facts["load_after"] = report.machine()["load"]
    slow = report.slow_statements(log, offset)
    print()
    print(
        f"{facts['incidents']:,} incidents; {facts['cores']} cores, {facts['memory_gb']} GB,"
        f" load {facts['load']} before and {facts['load_after']} after;"
        f" PostgreSQL {facts['postgresql']}, fsync and synchronous_commit on;"
        f" {CLIENTS} clients at once"
    )
    print()
    print(report.table(table))
    print(f"\nStatements slower than {SLOW_MS} ms while measuring: {sum(s['times'] for s in slow)}")
    for row in slow[:12]:
        print(f"  {row['times']:5} × up to {row['slowest']:7.1f} ms  {row['shape'][:300]}")
    print(f"\nWrong answers: {bench.failures}")
    LAST.write_text(
        json.dumps(
            {"machine": facts, "table": table, "results": bench.results, "slow": slow},
            indent=1,
            ensure_ascii=False,
        )
    )
    print(f"Everything is in {LAST.relative_to(ROOT)}.")
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
