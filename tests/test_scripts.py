"""The scripts a newcomer runs: services where they can live, and a server that leaves nothing."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
SCRIPT = ROOT / "script"


def clean_environment(**values: str) -> dict[str, str]:
    """The environment without what would point a script at somebody else's servers."""
    ours = ("GESHI_", "DJANGO_", "DATABASE_URL", "REDIS_URL", "PYTEST_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return kept | values


def services(action: str, directory: Path) -> str:
    done = subprocess.run(
        [sys.executable, SCRIPT / "_services.py", action, "--dir", directory, "--throwaway"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def processes_naming(text: str) -> list[str]:
    """Command lines of the living processes that name ``text``, but not this test."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if text in line and int(entry.name) != os.getpid():
            found.append(line)
    return found


def wait_for(condition: Callable[[], bool], process: subprocess.Popen, output: Path) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.1)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


@pytest.mark.parametrize("name", ["script/setup", "script/server", "script/test", ".ci/run"])
def test_script_is_correct_shell(name):
    subprocess.run(["sh", "-n", ROOT / name], check=True)


def test_ci_runs_the_tests_and_nothing_else():
    lines = (ROOT / ".ci/run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert len(commands) == 1
    assert commands[0].endswith('script/test"')


@pytest.mark.parametrize("kind", ["long", "closed"])
def test_services_run_from_a_checkout_with_a_long_or_closed_path(tmp_path, kind):
    tmp_path.chmod(0o700 if kind == "closed" else 0o755)
    home = tmp_path / ("a" * 100 if kind == "long" else "var")
    home.mkdir()
    try:
        services("start", home)
        assert "does not answer" not in services("status", home)
        services("start", home)
    finally:
        services("stop", home)
        elsewhere = [link.resolve() for link in home.iterdir() if link.is_symlink()]
    assert services("status", home).count("does not answer") == 2
    for place in elsewhere:
        shutil.rmtree(place)


@pytest.mark.stack
def test_server_says_so_when_the_port_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = subprocess.run(
            [sys.executable, SCRIPT / "_server.py"],
            env=clean_environment(GESHI_VAR=str(tmp_path), PORT=port),
            capture_output=True,
            text=True,
            check=False,
        )
    assert refused.returncode == 1
    assert f"port {port}" in refused.stderr


@pytest.mark.stack
def test_server_answers_and_leaves_nothing_behind(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    output = tmp_path / "output"
    var = tmp_path / "var"
    with output.open("wb") as stream:
        server = subprocess.Popen(
            [sys.executable, SCRIPT / "_server.py", "--no-demo"],
            env=clean_environment(GESHI_VAR=str(var), PORT=str(port)),
            stdout=stream,
            stderr=stream,
        )
    try:
        wait_for(lambda: "Ctrl-C stops everything" in output.read_text(), server, output)
        assert answers(f"http://127.0.0.1:{port}/")
        assert processes_naming(str(var))
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0, output.read_text()
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait(60)
    assert not answers(f"http://127.0.0.1:{port}/")
    assert processes_naming(str(var)) == []
