"""The product's processes and services, to be started, killed and started again.

What lives here: PostgreSQL, Redis, web, two workers and two beats of one directory. What must not:
when what is killed (killer.py). The web server, workers and beats are those of script/server.
"""

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

import redis
from _server import Part, first_page, kill_group, parts
from _services import Services, alive, running_pid

STARTED_WITHIN = 120
LOOK_EVERY = 0.2


class House:
    """Everything that runs; what dies by itself or by a kill is started again at once."""

    def __init__(self, var: Path, port: int) -> None:
        self.var, self.port = var, port
        self.services = Services(var)
        web, worker, beat = parts("127.0.0.1", port, var)
        self.parts = {
            "web": web,
            **{f"worker-{n}": _another(worker, n, ["--hostname", f"worker{n}@%h"]) for n in (1, 2)},
            **{
                f"beat-{n}": _another(beat, n, ["--schedule", str(var / f"beat-schedule-{n}")])
                for n in (1, 2)
            },
        }
        self.resting: set[str] = set()
        self.turn = threading.RLock()
        self._over = threading.Event()
        self._watch: threading.Thread | None = None

    def start(self) -> None:
        """Start web, workers and beats and keep them running; returns when the web answers."""
        for part in self.parts.values():
            part.start()
        self._over.clear()
        self._watch = threading.Thread(target=self._keep_running, daemon=True)
        self._watch.start()
        self.wait_for_web()

    def wait_for_web(self) -> None:
        """Return once the first page comes."""
        deadline = time.monotonic() + STARTED_WITHIN
        while not 0 < first_page(f"http://127.0.0.1:{self.port}") < 500:
            if time.monotonic() > deadline:
                raise SystemExit(f"no page came; see {self.var / 'log'}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End web, workers and beats; the services go on."""
        self._over.set()
        if self._watch is not None:
            self._watch.join()
        for part in self.parts.values():
            if part.process is not None:
                kill_group(part.process.pid, signal.SIGKILL)
                part.process.wait()
                part.process = None

    def _keep_running(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            with self.turn:
                for name, part in self.parts.items():
                    if name in self.resting or part.process is None:
                        continue
                    if part.process.poll() is not None:
                        kill_group(part.process.pid, signal.SIGKILL)
                        part.start()

    def kill(self, name: str) -> None:
        """Kill a part and all its children with no chance to tidy up."""
        with self.turn:
            process = self.parts[name].process
            assert process is not None
            kill_group(process.pid, signal.SIGKILL)
            process.wait()

    def kill_child(self, name: str, rng: random.Random) -> None:
        """Kill one process of a part that does the work, not the one that watches over it."""
        process = self.parts[name].process
        found = children(process.pid) if process else []
        if found:
            _kill(rng.choice(found))

    def kill_postgres(self) -> None:
        """Kill PostgreSQL whole and start it again, which reads its log back in."""
        pid = running_pid(self.var / "data/postgres/postmaster.pid")
        assert pid is not None
        family = [pid, *children(pid)]
        for one in family:
            _kill(one)
        _bury(family)
        self.services.start()

    def kill_backend(self, rng: random.Random) -> None:
        """Kill one connection of PostgreSQL, upon which it ends all others and recovers."""
        pid = running_pid(self.var / "data/postgres/postmaster.pid")
        found = [one for one in children(pid or 0) if b"geshi geshi" in _command(one)]
        if found:
            _kill(rng.choice(found))

    def kill_redis(self) -> None:
        """Kill Redis and start it again."""
        pid = running_pid(self.var / "data/redis/redis.pid")
        assert pid is not None
        _kill(pid)
        _bury([pid])
        self.services.start()

    def flush_redis(self) -> None:
        """Empty Redis: queue, cache and turns."""
        address = str((self.var / "run/redis.sock").resolve())
        with redis.Redis(unix_socket_path=address) as server:
            server.flushall()


def children(pid: int) -> list[int]:
    """Return the living children of a process."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            fields = place.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(place.parent.name))
    return found


def _another(part: Part, number: int, options: list[str]) -> Part:
    log = part.log.with_name(f"{part.name}-{number}.log")
    return Part(f"{part.name}-{number}", [*part.command, *options], log)


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _bury(pids: list[int]) -> None:
    """Wait until killed processes are gone; a dead one nobody waited for still holds its number."""
    for pid in pids:
        while alive(pid):
            time.sleep(0.01)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
