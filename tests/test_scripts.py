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


def processes_starting(text: str) -> list[str]:
    return [line for line in processes_naming(text) if line.startswith(text)]


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


@pytest.mark.parametrize(
    "name",
    ["script/_lib.sh", "script/setup", "script/server", "script/services", "script/test"]
    + [
        "script/manage",
        "script/bench",
        "script/faults",
        "script/pictures",
        ".ci/run",
        "deploy/geshi-manage",
    ],
)
def test_script_is_correct_shell(name):
    subprocess.run(["sh", "-n", ROOT / name], check=True)


def shell(home: Path, lines: str) -> list:
    """A command that runs shell lines on the scripts' common ground, with its logs in home."""
    return ["sh", "-euc", f"ROOT='{home}'; . '{SCRIPT}/_lib.sh'\n{lines}"]


def test_steps_side_by_side_all_finish_and_the_failed_one_says_why(tmp_path):
    lines = """
        fails() { step "Failing" "$LOGS/1.log" sh -c 'echo why; exit 3' || die "it failed"; }
        works() { step "Working" "$LOGS/2.log" true; }
        together fails works || die "not everything worked"
        echo never said
    """
    done = subprocess.run(shell(tmp_path, lines), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "✗ Failing" in done.stdout
    assert "| why" in done.stdout
    assert "✓ Working" in done.stdout
    assert "it failed" in done.stderr
    assert "not everything worked" in done.stderr
    assert "never said" not in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_steps_with_all_they_started(tmp_path, number):
    lines = f"""
        trap 'echo tidied up' EXIT
        both='tail -f "$0" & tail -f "$0"'
        long() {{ step "Long" "$LOGS/long.log" sh -c "$both" '{tmp_path}/x'; }}
        together long
    """
    (tmp_path / "x").touch()
    output = tmp_path / "output"
    with output.open("wb") as stream:
        script = subprocess.Popen(shell(tmp_path, lines), stdout=stream, stderr=stream)
    running = f"tail -f {tmp_path}/x"
    wait_for(lambda: len(processes_starting(running)) == 2, script, output)
    script.send_signal(number)
    assert script.wait(30) == 128 + number
    assert processes_starting(running) == []
    assert "tidied up" in output.read_text()


def checkout_that_tells(home: Path, script: str) -> Path:
    """A checkout with this script, and a Python that prints what it was called with."""
    told = home / script
    for path in (told, home / "script/_lib.sh"):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path.relative_to(home), path)
    python = home / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nenv\nprintf '<%s>' \"$@\"\n")
    python.chmod(0o755)
    for path in (home, *home.rglob("*")):
        path.chmod(path.stat().st_mode | 0o755)
    return told


def test_commands_of_a_deployment_take_the_settings_as_they_stand(tmp_path):
    command = checkout_that_tells(tmp_path, "deploy/geshi-manage")
    link = tmp_path / "sbin-geshi-manage"
    link.symlink_to(command)
    # Only root becomes somebody else, and nobody else may look into this test's directory.
    setpriv = tmp_path / "bin/setpriv"
    setpriv.parent.mkdir()
    setpriv.write_text(
        '#!/bin/sh\necho "$1"\nwhile [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n'
    )
    setpriv.chmod(0o755)
    env = tmp_path / "geshi.env"
    odd = "postgis://geshi:a&b$HOME'\"#c d@db/geshi"
    env.write_text(f"# a word\n\nDATABASE_URL={odd}\nGESHI_HTTPS=1\nlower=no\nREDIS_URL=last")
    done = subprocess.run(
        [link, "migrate", "two words"],
        env=clean_environment(GESHI_ENV=str(env), PATH=f"{setpriv.parent}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert ("--reuid=geshi" in lines) == (os.geteuid() == 0)
    assert {f"DATABASE_URL={odd}", "GESHI_HTTPS=1", "REDIS_URL=last"} <= set(lines)
    assert "lower=no" not in lines
    assert lines[-1] == "<manage.py><migrate><two words>"


@pytest.mark.parametrize("own_county", [True, False])
def test_commands_of_a_checkout_take_the_key_of_its_county(tmp_path, own_county):
    command = checkout_that_tells(tmp_path, "script/manage")
    (tmp_path / "var").mkdir(exist_ok=True)
    if own_county:
        (tmp_path / "var/secret_key").write_text("its own")
    done = subprocess.run(
        [command, "create_admin", "wang"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert ("GESHI_SECRET_KEY=its own" in lines) == own_county
    assert f"GESHI_DEMO={0 if own_county else 1}" in lines
    assert lines[-1].endswith("manage.py><create_admin><wang>")


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


def test_deleting_the_directory_starts_afresh_wherever_its_data_lie(tmp_path):
    tmp_path.chmod(0o700)
    home = tmp_path / "var"
    home.mkdir()
    try:
        services("start", home)
        services("stop", home)
        elsewhere = [link.resolve() for link in home.iterdir() if link.is_symlink()]
        left = (home / "data").resolve() / "postgres/left-behind"
        left.touch()
        shutil.rmtree(home)
        home.mkdir()
        services("start", home)
        assert not left.exists()
    finally:
        services("stop", home)
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
