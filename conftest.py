"""Fixtures every app's tests may use: a clean cache, a real browser, real processes.

What lives here: starting and always ending what a test needs around it. What must not:
facts of the domain; those come from each app's factories.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

from core.audit_words import is_named, subject_types
from core.kept import forget_remembered
from core.models import AuditEntry
from incidents.queries import case, desks

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(autouse=True)
def clean_surroundings(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test starts with an empty cache (rate limits, sessions) and no uploads.

    What pages count every few seconds is counted once in a test, however slow the machine is.
    """
    cache.clear()
    forget_remembered()
    monkeypatch.setattr(case, "UNREAD_KEPT", 600)
    monkeypatch.setattr(desks, "COUNTS_KEPT", 600)
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture(scope="session", autouse=True)
def only_filled_tables_are_emptied() -> Iterator[None]:
    """Empty what a test committed, not all hundred tables, which takes a third of a second."""

    def sql_flush(self: Any, _style: Any, tables: list[str], **_options: Any) -> list[str]:
        names = [self.quote_name(table) for table in tables]
        asked = ", ".join(f"EXISTS (SELECT FROM {name})" for name in names)
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT {asked}")
            filled = [name for name, some in zip(names, cursor.fetchone(), strict=True) if some]
        # What only grows by the product's hand, and in whichever order keys allow.
        return ["SET LOCAL session_replication_role = replica"] + [
            f"DELETE FROM {name}" for name in filled
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(connection.ops), "sql_flush", sql_flush)
        yield


@pytest.fixture(autouse=True)
def every_recorded_act_has_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test passes that records an act the audit page could not name (core.audit_words)."""
    made = AuditEntry.__init__

    def checked(self: AuditEntry, *args: Any, **given: Any) -> None:
        action, kind = given.get("action", "case."), given.get("subject_type", "case")
        assert is_named(action) or action.startswith("case."), f"{action} has no words"
        assert kind in subject_types() or kind == "case", f"{kind} has no words"
        made(self, *args, **given)

    monkeypatch.setattr(AuditEntry, "__init__", checked)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this process; each page gets a context of its own."""
    # Playwright keeps an event loop in this thread, which Django would take for async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    chromium = shutil.which("chromium")
    assert chromium, "Chromium is missing; run script/setup --test"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield started
        started.close()


class Pages:
    """Opens pages as a reader of Chinese sees them and collects what the browser complains of."""

    def __init__(self, browser: Browser, base_url: str) -> None:
        self._browser = browser
        self._base_url = base_url
        self._contexts: list[Any] = []
        self._allowed: list[str] = []
        self._complaints: list[str] = []

    def __call__(self, width: int = 1440, **options: Any) -> Page:
        """Return a page of its own browser context, ``width`` pixels wide."""
        options = {
            "locale": "zh-CN",
            "timezone_id": "Asia/Shanghai",
            "viewport": {"width": width, "height": 844 if width < 800 else 900},
            "base_url": self._base_url,
        } | options
        context = self._browser.new_context(**options)
        self._contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._complaints.append(f"script error: {error}"))
        return page

    def allow(self, pattern: str) -> None:
        """Accept complaints matching this, e.g. ``status of 422`` where bad input is the test."""
        self._allowed.append(pattern)

    def sign_in(self, page: Page, user: Any) -> None:
        """Let the page's context be signed in as ``user``, without the login page."""
        client = Client()
        client.force_login(user, backend="grids.backends.PostingBackend")
        session = client.cookies["sessionid"].value
        cookie = {"name": "sessionid", "value": session, "url": f"{self._base_url}/"}
        page.context.add_cookies([cookie])

    @property
    def complaints(self) -> list[str]:
        """Console errors, broken rules of the content security policy and script errors."""
        return [
            complaint
            for complaint in self._complaints
            if not any(re.search(pattern, complaint) for pattern in self._allowed)
        ]

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self._complaints.append(f"{message.text} ({message.location.get('url', '')})")


@pytest.fixture
def page_zh(browser: Browser, live_server: Any) -> Iterator[Pages]:
    """A factory of pages, ``page_zh(390)``; the test fails if the browser complained."""
    pages = Pages(browser, live_server.url)
    yield pages
    pages.close()
    assert not pages.complaints, "the browser complained:\n" + "\n".join(pages.complaints)


class Stack:
    """Real Celery processes on this test's database and Redis."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._redis = redis.Redis.from_url(django_settings.REDIS_URL)
        self._environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "governance.settings_test",
            "GESHI_TEST_DATABASE": connection.settings_dict["NAME"],
        }

    def start(self, name: str) -> None:
        """Start ``worker`` or ``beat``; a name like ``beat-2`` is a second one beside it."""
        command = {
            "worker": ["worker", "--concurrency", "2", "--without-gossip", "--without-mingle"],
            "beat": ["beat", "--pidfile", "", "--schedule", str(self._directory / name)],
        }[name.partition("-")[0]]
        if name.startswith("worker"):
            command += ["--hostname", f"{name}@{os.getpid()}"]
        assert name not in self._running, f"{name} already runs"
        with self.log(name).open("ab") as output:
            self._running[name] = subprocess.Popen(
                # The kernel ends it too if the test run itself is killed.
                ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "celery"]
                + ["-A", "governance.celery", *command],
                env=self._environment,
                cwd=django_settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill9(self, name: str) -> None:
        """Kill the process and its children with no chance to tidy up."""
        process = self._running.pop(name)
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def flush_redis(self) -> None:
        """Lose the queue and the cache, as a broken Redis would."""
        self._redis.flushdb()

    def log(self, name: str) -> Path:
        """Return the file with what the process printed."""
        return self._directory / f"{name}.log"

    def wait_for(self, condition: Callable[[], Any], timeout: float = 60) -> Any:
        """Return the first truthy answer; fails with the ends of the logs after ``timeout`` s."""
        deadline = time.monotonic() + timeout
        while not (answer := condition()):
            for name, process in self._running.items():
                if process.poll() is not None:
                    pytest.fail(f"{name} ended by itself:\n{self._logs()}")
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout} s:\n{self._logs()}")
            time.sleep(0.05)
        return answer

    def close(self) -> None:
        for name in list(self._running):
            self.kill9(name)
        self._redis.flushdb()
        self._redis.close()

    def _logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}"
            for path in sorted(self._directory.glob("*.log"))
        )


@pytest.fixture
def stack(transactional_db: None, tmp_path: Path) -> Iterator[Stack]:
    """Real processes to ``start``, ``kill9`` and ``wait_for``; all are gone after the test."""
    directory = tmp_path / "stack"
    directory.mkdir()
    started = Stack(directory)
    started.flush_redis()
    yield started
    started.close()
