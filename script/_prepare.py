"""Brings the database and the static files up to date before script/server starts.

What lives here: migrations, static files, the demonstration county of an empty database.
What must not: anything a deployment would not also run by hand (see docs/deploy.md).
"""

import hashlib
import os
import signal
import sys
from multiprocessing import Process
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.chdir(ROOT)
os.environ.setdefault("GESHI_LOG_LEVEL", "WARNING")

import django  # noqa: E402
import psycopg  # noqa: E402
from django.apps import apps  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.staticfiles import finders  # noqa: E402
from django.core.management import CommandError, call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402


def start_over_if_half_loaded(mark: Path) -> None:
    """Make the private database anew when loading the county was interrupted."""
    if not mark.exists():
        return
    if os.environ.get("DATABASE_URL"):
        sys.exit(
            "Loading the demonstration county was interrupted. Give an empty database, "
            f"then remove {mark}."
        )
    print("  … starting over, because loading the county was interrupted", flush=True)
    with psycopg.connect(
        host=str(settings.SOCKETS), user="geshi", dbname="postgres", autocommit=True
    ) as server:
        server.execute("DROP DATABASE IF EXISTS geshi WITH (FORCE)")
        server.execute("CREATE DATABASE geshi")
    mark.unlink()


def migrate() -> None:
    """Apply what is missing."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        print("  … database", flush=True)
        call_command("migrate", interactive=False, verbosity=0)


def collect_static() -> None:
    """Collect when a file came, went or changed since the last time."""
    # Who interrupts wants no traceback of this process beside the other's.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    known = hashlib.sha256(str(ROOT).encode())
    for finder in finders.get_finders():
        for name, storage in finder.list(["CVS", ".*", "*~"]):
            path = storage.path(name)
            found = os.stat(path)
            known.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    stamp = Path(settings.STATIC_ROOT) / ".stamp"
    if stamp.exists() and stamp.read_text() == known.hexdigest():
        return
    print("  … static files", flush=True)
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(known.hexdigest())


def load_demo(mark: Path) -> None:
    """Fill an empty database with the invented county."""
    if not settings.DEMO or apps.get_model("grids", "Area").objects.exists():
        return
    print("  … the demonstration county; this is done once", flush=True)
    mark.touch()
    call_command("demo_county")
    mark.unlink()


def main() -> None:
    mark = Path(settings.VAR_DIR) / "demo-unfinished"
    start_over_if_half_loaded(mark)
    django.setup()
    # In a process of its own, begun before this one has connections to the database.
    static = Process(target=collect_static, daemon=True)
    static.start()
    migrate()
    try:
        load_demo(mark)
    except CommandError as error:
        sys.exit(f"The demonstration county could not be loaded: {error}")
    static.join()
    if static.exitcode:
        sys.exit("The static files could not be collected; the reason stands above.")
    if settings.DEMO:
        call_command("demo_accounts")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
