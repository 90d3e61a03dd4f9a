"""The people of a fault run: they report, and take cases on, whatever is down just now.

What lives here: requests over HTTP, asked again until they are answered, and a log of every answer.
What must not: Django, or any look into the database. A report keeps its own UUID however often it
is sent; a step whose answer was lost is looked up before the next one is taken.

Usage: python -m benchmarks.faults.clients ORDER.json LOG. Ends on SIGTERM once nothing is open.
"""

import http.client
import json
import queue
import random
import signal
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# Which step follows on which state, who takes it, and what is filled in.
ROAD = {
    "reported": ("triage", "command"),
    "pending": ("dispatch", "command"),
    "dispatched": ("accept", "handler"),
    "accepted": ("arrive", "handler"),
    "arrived": ("respond", "handler"),
    "responded": ("verify_pass", "command"),
}
PAUSE = 0.2
PATIENCE = 10
# How long answers are still waited for once nothing new is begun.
LAST_SECONDS = 60


class People:
    """All clients of a run; ``log`` gets a line for each answer."""

    def __init__(self, order: dict[str, Any], log: Any) -> None:
        self.order, self.log = order, log
        self.over = threading.Event()
        self.give_up_at = float("inf")
        self.cases: queue.Queue[str] = queue.Queue()
        self.turn = threading.Lock()
        self.bodies = {
            "triage": {"category": order["category"]},
            "dispatch": {"owner": f"d{order['department']}"},
            "respond": {"result": "已清运完毕"},
        }

    def note(self, **facts: Any) -> None:
        with self.turn:
            self.log.write(json.dumps({"at": time.time(), **facts}) + "\n")

    def report_on(self, seed: int) -> None:
        """Send reports at the asked pace, each until it is answered."""
        rng = random.Random(seed)
        line = Line(self.order["port"])
        gap = self.order["reporters"] / self.order["rate"]
        while not self.over.is_set():
            body = {
                "text": f"村口垃圾堆了{rng.randint(2, 9)}天没人清",
                "lat": self.order["lat"] + rng.uniform(-0.002, 0.002),
                "lon": self.order["lon"] + rng.uniform(-0.002, 0.002),
                "name": "测试",
                "phone": f"1990000{rng.randrange(10_000):04}",
                "report_key": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            }
            code = self._report(line, body)
            if code and rng.random() < 0.1:
                self._report(line, body)  # pressed twice
            if code:
                self.cases.put(code)
            self.over.wait(rng.uniform(0.5, 1.5) * gap)

    def _report(self, line: "Line", body: dict[str, Any]) -> str | None:
        while time.monotonic() < self.give_up_at:
            status, answer = line.ask("POST", "/api/v1/reports/", body)
            code = answer.get("tracking_code")
            self.note(kind="report", key=body["report_key"], status=status, code=code)
            if status in (200, 201):
                return code
            time.sleep(PAUSE)
        return None

    def work_on(self, seed: int) -> None:
        """Take cases on, some of them to the end, some only a step or two."""
        rng = random.Random(seed)
        line = Line(self.order["port"])
        with ThreadPoolExecutor(2) as pair:
            while not self.over.is_set():
                try:
                    code = self.cases.get(timeout=PAUSE)
                except queue.Empty:
                    continue
                self._go_on(code, line, pair, far=rng.randint(1, 6))

    def _go_on(self, code: str, line: "Line", pair: ThreadPoolExecutor, *, far: int) -> None:
        command = self.order["people"]["command"][0]
        for _n in range(far):
            case = self._look(code, line, command)
            if case is None or case["state"] not in ROAD:
                return
            action, role = ROAD[case["state"]]
            people = self.order["people"][role]
            body = {**self.bodies.get(action, {}), "seen": case["version"]}
            # Colleagues press the same button at once.
            list(pair.map(lambda who: self._step(code, action, who, body), people))  # noqa: B023

    def _look(self, code: str, line: "Line", who: dict[str, str]) -> dict[str, Any] | None:
        while time.monotonic() < self.give_up_at:
            status, answer = line.ask("GET", f"/api/v1/incidents/{code}/", who=who)
            if status == 200:
                return answer
            time.sleep(PAUSE)
        return None

    def _step(self, code: str, action: str, who: dict[str, str], body: dict[str, Any]) -> None:
        line = Line(self.order["port"])
        status, answer = line.ask("POST", f"/api/v1/incidents/{code}/{action}/", body, who=who)
        line.close()
        self.note(
            kind="step", code=code, action=action, seen=body["seen"], status=status,
            error=answer.get("error") or answer.get("detail"),
        )  # fmt: skip


class Line:
    """One kept connection; a broken one is status 0 and made anew by the next request."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.wire: http.client.HTTPConnection | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        who: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Return the status and the JSON of the answer."""
        headers = {"Content-Type": "application/json", **(who or {})}
        if self.wire is None:
            self.wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            self.wire.request(method, path, json.dumps(body) if body else None, headers)
            answer = self.wire.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, {}
        try:
            found = json.loads(text)
        except ValueError:
            found = {}
        return answer.status, found if isinstance(found, dict) else {}

    def close(self) -> None:
        if self.wire is not None:
            self.wire.close()
            self.wire = None


def main() -> None:
    order = json.loads(Path(sys.argv[1]).read_text())
    with Path(sys.argv[2]).open("a", buffering=1) as log:
        people = People(order, log)

        def stop(*_why: object) -> None:
            people.give_up_at = time.monotonic() + LAST_SECONDS
            people.over.set()

        signal.signal(signal.SIGTERM, stop)
        works = [(people.report_on, n) for n in range(order["reporters"])]
        works += [(people.work_on, 100 + n) for n in range(order["workers"])]
        threads = [
            threading.Thread(target=work, args=(order["seed"] * 1000 + n,)) for work, n in works
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
