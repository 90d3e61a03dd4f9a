"""Runs the whole product on one machine: services, web, worker and beat.

What lives here: starting in order, watching, stopping in reverse. What must not: what a
deployment does instead, which is in deploy/. Called by script/server after script/setup.
"""

import argparse
import contextlib
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from _services import ROOT, ServiceError, Services, tail

BIN = ROOT / ".venv/bin"
# A process that ends this often within a minute is not worth another try.
MOST_RESTARTS = 3
STOP_SECONDS = 15


class Stop(Exception):
    """Somebody asked to stop."""


class Failed(Exception):
    """The product cannot run; the message is for the person at the terminal."""


@dataclass
class Part:
    """One process of the product, restarted when it ends by itself."""

    name: str
    command: list[str]
    log: Path
    process: subprocess.Popen | None = None
    ends: list[float] = field(default_factory=list)

    def start(self) -> None:
        # The kernel ends it when this supervisor is killed and cannot clean up.
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                start_new_session=True,
            )

    def watch(self) -> None:
        """Restart if it ended; raises Failed when that happens again and again."""
        if self.process is None or self.process.poll() is None:
            return
        now = time.monotonic()
        self.ends = [moment for moment in self.ends if now - moment < 60] + [now]
        if len(self.ends) > MOST_RESTARTS:
            raise Failed(f"{self.name} keeps ending.\n{tail(self.log)}")
        print(f"  {self.name} ended with status {self.process.returncode}; starting it again.")
        kill_group(self.process.pid, signal.SIGKILL)
        self.start()

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def make_sure_stopped(self, deadline: float) -> None:
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.1, deadline - time.monotonic()))
        kill_group(self.process.pid, signal.SIGKILL)
        self.process.wait()


def kill_group(pid: int, number: signal.Signals) -> None:
    """Signal a process and its children; fine when none is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def only_one(var: Path) -> TextIO:
    """Hold a lock for as long as this process lives; raises Failed if another holds it."""
    lock = (var / "server.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failed("script/server already runs in this checkout.") from None
    return lock


def check_port(host: str, port: int) -> None:
    """Raise Failed when somebody else listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Failed(
                f"port {port} on {host} cannot be used ({error.strerror}). "
                f"Choose another: PORT={port + 1} script/server"
            ) from None


def choose_settings(demo: bool, var: Path) -> None:
    """Fill in what a first start lacks; the environment always wins."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")
    os.environ["GESHI_VAR"] = str(var)
    os.environ["GESHI_DEMO"] = "1" if demo else "0"
    os.environ["PATH"] = f"{BIN}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    if demo:
        return
    os.environ.setdefault("GESHI_HOSTS", "localhost,127.0.0.1,[::1]")
    if not os.environ.get("GESHI_SECRET_KEY"):
        kept = var / "secret_key"
        if not kept.exists():
            kept.touch(mode=0o600)
            kept.write_text(secrets.token_urlsafe(50))
        os.environ["GESHI_SECRET_KEY"] = kept.read_text().strip()


def parts(host: str, port: int, var: Path) -> list[Part]:
    """Return web, worker and beat in the order they start."""
    log = var / "log"
    celery = [str(BIN / "celery"), "-A", "governance.celery"]
    return [
        Part(
            "web",
            [str(BIN / "granian"), "--interface", "wsgi", "--host", host, "--port", str(port)]
            + ["--workers", "2", "--blocking-threads", "3", "--no-ws"]
            + ["--workers-kill-timeout", "5", "governance.wsgi:application"],
            log / "web.log",
        ),
        Part(
            "worker",
            [*celery, "worker", "--concurrency", "2", "--without-gossip", "--without-mingle"],
            log / "worker.log",
        ),
        Part(
            "beat",
            [*celery, "beat", "--schedule", str(var / "beat-schedule"), "--pidfile", ""],
            log / "beat.log",
        ),
    ]


def address_of(host: str, port: int) -> str:
    """Return what a browser on this machine opens."""
    shown = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"


def first_page(address: str) -> int:
    """Return the status the start page answers with, 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"{address}/", timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def run(demo: bool) -> None:
    """Start everything, wait for the first page, and watch until asked to stop."""
    begun = time.monotonic()
    host = os.environ.get("HOST") or "127.0.0.1"
    try:
        port = int(os.environ.get("PORT") or 8000)
    except ValueError:
        raise Failed(f"PORT must be a number, not {os.environ['PORT']!r}.") from None
    var = Path(os.environ.get("GESHI_VAR") or ROOT / "var")
    (var / "log").mkdir(parents=True, exist_ok=True)
    lock = only_one(var)
    check_port(host, port)
    choose_settings(demo, var)
    services = Services(var)
    running: list[Part] = []
    try:
        if services.wants_postgres or services.wants_redis:
            print("  … PostgreSQL and Redis", flush=True)
        services.start()
        prepared = subprocess.run([BIN / "python", ROOT / "script/_prepare.py"], cwd=ROOT)
        if prepared.returncode:
            raise Failed("the database could not be prepared; the reason stands above.")
        web, *others = parts(host, port, var)
        running.append(web)
        web.start()
        print("  … web, worker and beat", flush=True)
        address = address_of(host, port)
        while not (status := first_page(address)):
            web.watch()
            if time.monotonic() - begun > 600:
                raise Failed(f"no page came within ten minutes.\n{tail(web.log)}")
            time.sleep(0.1)
        waited = time.monotonic() - begun
        if status >= 500:
            raise Failed(f"the start page answers with error {status}.\n{tail(web.log)}")
        for part in others:
            running.append(part)
            part.start()
        print(f"\nGeshi answers at {address}/   (started in {waited:.1f} s)")
        if demo:
            print("The demonstration accounts stand above and on its login page.")
        print(f"Logs are in {var / 'log'}. Ctrl-C stops everything.", flush=True)
        while True:
            for part in running:
                part.watch()
            time.sleep(0.5)
    finally:
        # A second Ctrl-C must not leave anything behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("\nStopping…", flush=True)
        for part in reversed(running):
            part.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for part in reversed(running):
            part.make_sure_stopped(deadline)
        services.stop()
        lock.close()
        print("Everything is stopped.", flush=True)


def stop(number: int, frame: object) -> None:
    raise Stop


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/server")
    parser.add_argument("--no-demo", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        run(demo=not options.no_demo)
    except Stop:
        return 0
    except (Failed, ServiceError, subprocess.CalledProcessError) as error:
        print(f"\nStopped: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
