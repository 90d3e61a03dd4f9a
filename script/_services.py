"""The project's own PostgreSQL and Redis, on unix sockets, as an ordinary user.

What lives here: creating, starting and stopping both under one directory (``var/``
or ``var/test``). What must not: anything about the tables inside. Standard library
only. Neither is started when DATABASE_URL or REDIS_URL names a server elsewhere.

Usage: _services.py start|stop|status [--dir DIR] [--throwaway]
"""

import argparse
import hashlib
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVICE_USER = "geshi"
# sockaddr_un holds 108 bytes with the closing zero; PostgreSQL's lock file has the longest name.
LONGEST_SOCKET = 107 - len("/.s.PGSQL.5432.lock")
IS_ROOT = os.geteuid() == 0


class ServiceError(Exception):
    """A service cannot run; the message says which one and what to look at."""


class Services:
    """PostgreSQL and Redis of one directory; ``throwaway`` trades safety for speed (tests)."""

    def __init__(self, home: Path, *, throwaway: bool = False) -> None:
        self.home = home.resolve()
        self.throwaway = throwaway
        self.log = self.home / "log"
        self.wants_postgres = not os.environ.get("DATABASE_URL")
        self.wants_redis = not os.environ.get("REDIS_URL")

    def start(self) -> None:
        """Bring up what is not up yet; raises ServiceError with the end of the log."""
        if not (self.wants_postgres or self.wants_redis):
            return
        self.log.mkdir(parents=True, exist_ok=True)
        if IS_ROOT:
            ensure_service_user()
        self.data = self._place("data", longest=4096)
        self.run = self._place("run", longest=LONGEST_SOCKET)
        if self.wants_postgres:
            self._start_postgres()
        if self.wants_redis:
            self._start_redis()

    def stop(self) -> None:
        """Stop both and wait until they are gone; fine when they are not running."""
        for pid_file, stop_signal in (
            (self.home / "data/postgres/postmaster.pid", signal.SIGINT),
            (self.home / "data/redis/redis.pid", signal.SIGTERM),
        ):
            stop_process(running_pid(pid_file), stop_signal)

    def status(self) -> dict[str, bool]:
        """Return which of the two answer now."""
        return {
            "postgresql": answers(self.home / "run/.s.PGSQL.5432"),
            "redis": answers(self.home / "run/redis.sock"),
        }

    def _place(self, name: str, *, longest: int) -> Path:
        """Return a private directory the service user reaches, linked from ``home/name``."""
        link = self.home / name
        place = link.resolve()
        if not link.exists() and (len(os.fsencode(place)) > longest or not reachable(self.home)):
            place = elsewhere(link)
            if link.is_symlink():
                link.unlink()
            elif place.exists():
                # The directory of links was deleted to start afresh.
                shutil.rmtree(place, ignore_errors=True)
            link.symlink_to(place)
        place.mkdir(parents=True, exist_ok=True)
        give_to_service_user(place)
        return place

    def _start_postgres(self) -> None:
        data = self.data / "postgres"
        binaries = postgres_binaries(data)
        log = self.log / "postgresql.log"
        if not (data / "PG_VERSION").exists():
            run_as_service(
                [f"{binaries}/initdb", "-D", data, "-U", "geshi", "-A", "trust", "-E", "UTF8"]
                + ["--locale=C.UTF-8", *(["--no-sync"] if self.throwaway else [])],
                log,
            )
        if answers(self.run / ".s.PGSQL.5432"):
            return
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.run),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": f"{shared_buffers_mb()}MB",
            "work_mem": "16MB",
            "jit": "off",
            "synchronous_commit": "on",
        }
        if self.throwaway:
            options |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        command = [f"{binaries}/postgres", "-D", str(data)]
        for key, value in options.items():
            command += ["-c", f"{key}={value}"]
        process = launch(command, log)
        ready = [f"{binaries}/pg_isready", "-q", "-h", str(self.run), "-U", "geshi"]
        wait_until("PostgreSQL", process, log, lambda: quiet(ready) == 0)
        found = subprocess.run(
            [f"{binaries}/psql", "-h", str(self.run), "-U", "geshi", "-d", "postgres", "-Atc"]
            + ["SELECT 1 FROM pg_database WHERE datname = 'geshi'"],
            capture_output=True,
            text=True,
            check=True,
        )
        if not found.stdout.strip():
            subprocess.run(
                [f"{binaries}/createdb", "-h", str(self.run), "-U", "geshi", "geshi"], check=True
            )

    def _start_redis(self) -> None:
        socket_path = self.run / "redis.sock"
        if answers(socket_path):
            return
        binary = shutil.which("redis-server")
        if binary is None:
            raise ServiceError("redis-server is not installed; run script/setup.")
        data = self.data / "redis"
        data.mkdir(exist_ok=True)
        give_to_service_user(data)
        log = self.log / "redis.log"
        process = launch(
            [binary, "--port", "0", "--unixsocket", str(socket_path), "--unixsocketperm", "700"]
            + ["--dir", str(data), "--pidfile", str(data / "redis.pid"), "--databases", "64"]
            + ["--save", "", "--appendonly", "no" if self.throwaway else "yes"]
            + ["--daemonize", "no"],
            log,
        )
        wait_until("Redis", process, log, lambda: redis_ready(socket_path))


def ensure_service_user() -> None:
    """Create the system user PostgreSQL runs as, for it refuses to run as root."""
    try:
        pwd.getpwnam(SERVICE_USER)
    except KeyError:
        subprocess.run(
            ["/usr/sbin/useradd", "--system", "--user-group", "--no-create-home"]
            + ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", SERVICE_USER],
            check=True,
        )


def as_service(command: list) -> list[str]:
    """Return the command as the service user would run it; unchanged for an ordinary user."""
    drop = ["setpriv", f"--reuid={SERVICE_USER}", f"--regid={SERVICE_USER}", "--init-groups"]
    return [*(drop if IS_ROOT else []), *map(str, command)]


def run_as_service(command: list, log: Path) -> None:
    """Run to its end with the output in ``log``; raises ServiceError when it fails."""
    with log.open("ab") as output:
        result = subprocess.run(as_service(command), stdout=output, stderr=output, cwd="/")
    if result.returncode:
        raise ServiceError(f"{Path(command[0]).name} failed.\n{tail(log)}")


def launch(command: list[str], log: Path) -> subprocess.Popen:
    """Start in a session of its own, so that Ctrl-C reaches the caller first."""
    with log.open("ab") as output:
        return subprocess.Popen(
            as_service(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )


def give_to_service_user(place: Path) -> None:
    """Make ``place`` private to the user the services run as."""
    if IS_ROOT:
        shutil.chown(place, SERVICE_USER, SERVICE_USER)
    elif place.stat().st_uid != os.geteuid():
        raise ServiceError(f"{place} belongs to another user; start as that user, or remove it.")
    place.chmod(stat.S_IRWXU)


def reachable(place: Path) -> bool:
    """Return whether the service user may walk down to ``place``."""
    return quiet(as_service(["test", "-x", place])) == 0


def elsewhere(link: Path) -> Path:
    """Return a short place outside the checkout, the same for the same checkout."""
    name = hashlib.sha256(str(link).encode()).hexdigest()[:12]
    if IS_ROOT:
        return Path("/var/lib/geshi") / name
    if link.name == "run":
        return Path(tempfile.gettempdir()) / f"geshi-{os.geteuid()}-{name}"
    return Path.home() / ".local/share/geshi" / name


def postgres_binaries(data: Path) -> Path:
    """Return the directory of the PostgreSQL that made ``data``, else the newest with PostGIS."""
    versions = sorted(
        (
            int(found.group(1))
            for path in Path("/usr/share/postgresql").glob("*/extension/postgis.control")
            if (found := re.fullmatch(r"(\d+)", path.parts[4]))
        ),
        reverse=True,
    )
    if (data / "PG_VERSION").exists():
        made_by = int((data / "PG_VERSION").read_text())
        if made_by not in versions:
            raise ServiceError(
                f"{data} was made by PostgreSQL {made_by}, which is not installed with PostGIS."
            )
        versions = [made_by]
    if not versions:
        raise ServiceError("PostgreSQL with PostGIS is not installed; run script/setup.")
    return Path(f"/usr/lib/postgresql/{versions[0]}/bin")


def shared_buffers_mb() -> int:
    """Return an eighth of the memory, from 128 MB to 1 GB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return max(128, min(1024, memory // 8))


def answers(socket_path: Path) -> bool:
    """Return whether something listens on the socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(socket_path.resolve()))
        except OSError:
            return False
    return True


def redis_ready(socket_path: Path) -> bool:
    """Return whether Redis answers PING, which it refuses while it still loads its file."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(socket_path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def quiet(command: list) -> int:
    """Run without output and return the exit code."""
    return subprocess.run(
        command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ).returncode


def wait_until(name: str, process: subprocess.Popen, log: Path, ready: Callable[[], bool]) -> None:
    """Poll until ready; two minutes, because recovery after a crash reads its log again."""
    deadline = time.monotonic() + 120
    while not ready():
        if process.poll() is not None:
            raise ServiceError(f"{name} ended at once.\n{tail(log)}")
        if time.monotonic() > deadline:
            raise ServiceError(f"{name} did not answer within two minutes.\n{tail(log)}")
        time.sleep(0.05)


def running_pid(pid_file: Path) -> int | None:
    """Return the process named by the file if it lives."""
    try:
        pid = int(pid_file.read_text().split()[0])
        name = Path(f"/proc/{pid}/comm").read_text()
    except (OSError, ValueError, IndexError):
        return None
    return pid if name.startswith(("postgres", "redis")) else None


def stop_process(pid: int | None, stop_signal: signal.Signals) -> None:
    """Ask to stop, wait up to 30 s, then kill."""
    if pid is None:
        return
    deadline = time.monotonic() + 30
    os.kill(pid, stop_signal)
    while alive(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Return whether the process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def tail(log: Path, lines: int = 20) -> str:
    """Return the end of a log with its path."""
    try:
        end = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        end = []
    return "\n".join([f"The end of {log}:", *(f"  | {line}" for line in end)])


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/services")
    parser.add_argument("action", choices=["start", "stop", "status"])
    parser.add_argument("--dir", type=Path, default=ROOT / "var")
    parser.add_argument("--throwaway", action="store_true", help="fast, loses data in a crash")
    options = parser.parse_args()
    services = Services(options.dir, throwaway=options.throwaway)
    if options.action == "status":
        for name, up in services.status().items():
            print(f"{name}: {'answers' if up else 'does not answer'}")
        return 0
    try:
        services.start() if options.action == "start" else services.stop()
    except (ServiceError, subprocess.CalledProcessError) as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
