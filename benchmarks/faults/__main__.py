"""Runs the product under fire and prints what the oracle says; see docs/faults.md.

What lives here: the order of things. Called by script/faults.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "script"))

import psycopg  # noqa: E402

from benchmarks.faults import clock, lag, oracle  # noqa: E402
from benchmarks.faults.house import House  # noqa: E402
from benchmarks.faults.killer import Killer  # noqa: E402

SETTINGS = {"product": "benchmarks.faults.settings", "naive": "benchmarks.faults.naive_settings"}
# How long deliveries of a dead process are waited for (core.services.outbox), and a little more.
STUCK = 6 * 60
DRAINED_WITHIN = 150
SHOWN = 8


class Stop(Exception):
    """Somebody asked to stop."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/faults")
    parser.add_argument("--seconds", type=float, default=90, help="how long things are killed")
    parser.add_argument("--least", type=int, default=0, help="go on until so many faults")
    parser.add_argument("--calm", type=float, default=15, help="seconds before the first kill")
    parser.add_argument("--gap", type=float, default=2, help="seconds between two faults, about")
    parser.add_argument("--away", type=float, default=8, help="seconds both beats stay away")
    parser.add_argument("--rate", type=float, default=5, help="reports a second")
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("--only", default="", help="only these faults, separated by commas")
    parser.add_argument("--naive", action="store_true", help="break the naive variant instead")
    parser.add_argument("--dump", type=Path, help="SQL that makes the tables")
    parser.add_argument("--var", type=Path, default=ROOT / "var/faults")
    options = parser.parse_args()
    options.seed = options.seed or random.SystemRandom().randrange(1, 10_000)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, stop)
    var = options.var.resolve()
    shutil.rmtree(var / "out", ignore_errors=True)
    (var / "log").mkdir(parents=True, exist_ok=True)
    (var / "out").mkdir()
    set_environment(var, naive=options.naive)
    run = Run(var, options)
    try:
        return run.whole()
    except Stop:
        return 130
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        run.end()


def stop(number: int, frame: object) -> None:
    raise Stop


def set_environment(var: Path, *, naive: bool) -> None:
    """Let every process of the run, and nothing else, see this house."""
    for name in [n for n in os.environ if n.startswith(("GESHI_", "DATABASE_URL", "REDIS_URL"))]:
        del os.environ[name]
    os.environ |= {
        "GESHI_VAR": str(var),
        "GESHI_SECRET_KEY": "only-for-fault-runs",
        "GESHI_HOSTS": "127.0.0.1",
        "GESHI_TWO_FACTOR": "offered",
        "GESHI_RATE_REPORT": "1000000000",
        "GESHI_LOG_LEVEL": "WARNING",
        "GESHI_OUTBOUND_PLAIN_HOSTS": "127.0.0.1",
        "GESHI_OUTBOUND_NETWORKS": "127.0.0.0/8",
        "DJANGO_SETTINGS_MODULE": SETTINGS["naive" if naive else "product"],
    }


def say(words: str) -> None:
    print(f"  … {words}", flush=True)


class Run:
    """One run from an empty database to the table."""

    def __init__(self, var: Path, options: argparse.Namespace) -> None:
        self.var, self.options = var, options
        self.house = House(var, free_port())
        self.dsn = f"host={(var / 'run').resolve()} user=geshi dbname=geshi"
        self.others: list[subprocess.Popen] = []

    def whole(self) -> int:
        options = self.options
        say(f"services and the small county (seed {options.seed})")
        self.house.services.start()
        self.make_afresh()
        receiver = self.beside("receiver", str(self.out("receiver.log")), piped=True)
        assert receiver.stdout is not None
        ports = json.loads(receiver.stdout.readline())
        seed = self.beside(
            "seed", str(ports["sms"]), str(ports["mail"]), str(self.out("seed.json"))
        )
        if seed.wait():
            raise SystemExit(f"the county could not be made; see {self.var / 'log/seed.log'}")
        seeded = json.loads(self.out("seed.json").read_text())
        say("web, two workers, two beats")
        self.house.start()
        self.wait_for_sweeps()
        order = seeded | {"port": self.house.port, "seed": options.seed, "rate": options.rate}
        self.out("order.json").write_text(json.dumps(order | {"reporters": 3, "workers": 4}))
        self.out("clients.log").touch()
        clients = self.beside("clients", str(self.out("order.json")), str(self.out("clients.log")))
        begun = time.time()
        time.sleep(options.calm)
        killing = time.time()
        say(f"kills for {options.seconds:.0f} s")
        only = frozenset(filter(None, options.only.split(",")))
        killer = Killer(
            house=self.house,
            seed=options.seed,
            gap=options.gap,
            away=options.away,
            dsn=self.dsn,
            received=self.out("receiver.log"),
            only=only,
        )
        killer.run(options.seconds, least=options.least)
        ended = time.time()
        say("peace: what is open is brought to its end")
        self.house.wait_for_web()
        clients.send_signal(signal.SIGTERM)
        clients.wait()
        self.drain()
        self.house.stop()
        stretches = self.stretches(begun, killing, killer.done)
        late = lag.lags(self.dsn, lag.RealTime(clock.settings), stretches, until=ended)
        findings = oracle.judge(
            self.dsn,
            clients=self.out("clients.log"),
            receiver=self.out("receiver.log"),
            told=seeded["told"],
        )
        self.tell(killer.done, findings, late)
        return 1 if any(finding.broken for finding in findings) else 0

    def out(self, name: str) -> Path:
        return self.var / "out" / name

    def beside(self, name: str, *arguments: str, piped: bool = False) -> subprocess.Popen:
        """Start a module of this package in a process of its own."""
        with (self.var / "log" / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m"]
                + [f"benchmarks.faults.{name}", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else log,
                stderr=log,
            )
        self.others.append(process)
        return process

    def make_afresh(self) -> None:
        """Have a database with empty tables, an empty Redis and the right time."""
        made = hashlib.sha256()
        for path in sorted(ROOT.glob("*/migrations/0*.py")):
            made.update(path.read_bytes())
        stamp = self.var / "migrated"
        server = psycopg.connect(self.dsn.replace("=geshi dbname=geshi", "=geshi dbname=postgres"))
        server.autocommit = True
        with server:
            server.execute("DROP DATABASE IF EXISTS geshi WITH (FORCE)")
            if not stamp.exists() or stamp.read_text() != made.hexdigest():
                stamp.unlink(missing_ok=True)
                server.execute("DROP DATABASE IF EXISTS migrated WITH (FORCE)")
                server.execute("CREATE DATABASE geshi")
                self.migrate()
                server.execute("ALTER DATABASE geshi RENAME TO migrated")
                stamp.write_text(made.hexdigest())
            server.execute("CREATE DATABASE geshi TEMPLATE migrated")
        self.house.flush_redis()
        clock.set_offset(0)

    def migrate(self) -> None:
        """Make the tables: from a dump where one is given, which is quicker than the migrations."""
        if self.options.dump:
            command = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.dsn]
            command += ["-f", str(self.options.dump)]
        else:
            command = [sys.executable, "manage.py", "migrate", "--no-input", "-v", "0"]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)

    def wait_for_sweeps(self) -> None:
        """Return once a worker has shown that it works."""
        deadline = time.monotonic() + 120
        with psycopg.connect(self.dsn, autocommit=True) as database:
            while not database.execute("SELECT 1 FROM core_heartbeat LIMIT 1").fetchone():
                if time.monotonic() > deadline:
                    raise SystemExit(f"no worker works; see {self.var / 'log'}")
                time.sleep(0.1)

    def drain(self) -> None:
        """Let everything that is due be done, letters of dead processes too.

        Redis is emptied once more: the turn of a process that was killed while sending lies there.
        """
        self.house.flush_redis()
        deadline = time.monotonic() + DRAINED_WITHIN
        for n in range(2):
            clock.set_offset(clock.offset() + STUCK)
            time.sleep(1 + n)
            while (left := self.left()) and time.monotonic() < deadline:
                time.sleep(0.2)
        if left:
            say(f"not everything was done within {DRAINED_WITHIN} s: {left} left")

    def left(self) -> int:
        """Return how much is due and not done."""
        with psycopg.connect(self.dsn) as database:
            row = database.execute(
                "SELECT (SELECT count(*) FROM core_timer"
                " WHERE fired_at IS NULL AND due_at <= %(now)s)"
                " + (SELECT count(*) FROM core_outboxmessage WHERE state IN ('queued', 'in_flight')"
                " OR (state = 'awaiting_retry' AND next_attempt_at <= %(now)s))"
                " + (SELECT count(*) FROM incidents_incident WHERE triage_tried_at IS NULL)",
                {"now": clock.now()},
            ).fetchone()
            return row[0] if row else 0

    def stretches(
        self, begun: float, killing: float, done: list[dict[str, Any]]
    ) -> list[tuple[str, float]]:
        """Return when it was calm, when things were killed, and when nothing could wake a sweep."""
        found = [("calm", begun), ("while things are killed", killing)]
        for fault in done:
            if fault["fault"] == "beats away":
                found.append((f"both beats away for {self.options.away:.0f} s", fault["at"]))
                found.append(("while things are killed", fault["at"] + fault["took"]))
        return sorted(found, key=lambda stretch: stretch[1])

    def tell(
        self,
        done: list[dict[str, Any]],
        findings: list[oracle.Finding],
        late: dict[str, dict[str, float]],
    ) -> None:
        said = [json.loads(line) for line in self.out("clients.log").open()]
        answers = Counter(str(line["status"]) for line in said)
        came, again = oracle.repeats(self.out("receiver.log"))
        print(f"\nFaults: {len(done)}; " + ", ".join(
            f"{name} {n}" for name, n in sorted(Counter(f["fault"] for f in done).items())
        ))  # fmt: skip
        print(f"Answers by status (0: a broken line): {dict(sorted(answers.items()))}")
        print(f"Letters at the other side: {came}, {again} of them more than once")
        for name, spread in late.items():
            print(f"Timers due {name}: {spread['n']}, late p50 {spread['p50']} s,"
                  f" p99 {spread['p99']} s, most {spread['max']} s")  # fmt: skip
        width = max(len(finding.name) for finding in findings)
        print()
        for finding in findings:
            print(
                f"{finding.name:{width}}  {finding.checked:6} looked at"
                f"  {len(finding.broken):4} broken"
            )
            for words in finding.broken[:SHOWN]:
                print(f"    {words}")
        self.out("found.json").write_text(
            json.dumps(
                {
                    "seed": self.options.seed,
                    "faults": done,
                    "answers": answers,
                    "letters": came,
                    "again": again,
                    "late": late,
                    "found": [
                        {"name": f.name, "checked": f.checked, "broken": f.broken} for f in findings
                    ],
                },
                ensure_ascii=False,
                indent=1,
            )
        )

    def end(self) -> None:
        """Leave nothing running."""
        self.house.stop()
        for process in self.others:
            process.kill()
            process.wait()
        self.house.services.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
