"""The clients: a process of their own, each thread one connection that is kept.

What lives here: sending given requests and timing the answers. What must not: Django, or any
knowledge of the product. Reads one order as JSON from stdin and writes the times to stdout.
Plain sockets, because on two cores a comfortable client would take a third of one.
"""

import json
import socket
import sys
import threading
import time
from collections import Counter
from itertools import cycle
from typing import Any

BUFFER = 1 << 20


class Wire:
    """One connection to the server; HTTP/1.1 with Content-Length, as the product answers."""

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)
        self.connection: socket.socket | None = None

    def send(self, request: bytes) -> int:
        """Return the status of the answer, read whole. Raises OSError when the line breaks."""
        if self.connection is None:
            self.connection = socket.create_connection(self.address, timeout=60)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.connection.sendall(request)
            return self._answer()
        except OSError:
            self.close()
            raise

    def _answer(self) -> int:
        assert self.connection is not None
        got = b""
        while (end := got.find(b"\r\n\r\n")) < 0:
            got += self._more()
        head = got[:end].lower()
        status = int(got[9:12])
        place = head.find(b"\r\ncontent-length:")
        if place < 0:
            if status in (204, 304):
                return status
            raise OSError("an answer without its length")
        length = int(head[place + 17 :].split(b"\r\n", 1)[0])
        left = length - (len(got) - end - 4)
        while left > 0:
            left -= len(self._more())
        if b"\r\nconnection: close" in head:
            self.close()
        # A step answers with a way elsewhere too; the way to the login page is no answer.
        return 401 if b"/login/" in head else status

    def _more(self) -> bytes:
        assert self.connection is not None
        some = self.connection.recv(BUFFER)
        if not some:
            raise OSError("the server hung up")
        return some

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def as_bytes(request: dict[str, Any], host: str) -> bytes:
    """Return the request as it goes over the wire."""
    body = request.get("body", "").encode()
    lines = [f"{request.get('method', 'GET')} {request['path']} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.get("headers", {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Send for ``seconds`` after ``warm`` unmeasured ones; ends early when requests run out.

    ``order``: host, port, clients, seconds, warm, repeat, requests [{label, method, path,
    headers, body, expect}]. Returns {"seconds", "times": {label: [s]}, "wrong": {status: n},
    "answered", "cpu"}; status 0 is a broken line, ``answered`` counts the unmeasured ones too,
    ``cpu`` is what this process used.
    """
    host, port = order["host"], order["port"]
    ready = [
        (r["label"], as_bytes(r, host), frozenset(r.get("expect", [200])))
        for r in order["requests"]
    ]
    source = cycle(ready) if order["repeat"] else iter(ready)
    turn, told = threading.Lock(), threading.Lock()
    times: dict[str, list[float]] = {}
    wrong: Counter[int] = Counter()
    begin = time.perf_counter() + order["warm"]
    end = begin + order["seconds"]
    last, answered = begin, 0

    def client() -> None:
        nonlocal last, answered
        wire = Wire(host, port)
        mine: dict[str, list[float]] = {}
        bad: Counter[int] = Counter()
        done, count = begin, 0
        while time.perf_counter() < end:
            with turn:
                item = next(source, None)
            if item is None:
                break
            label, request, expect = item
            sent = time.perf_counter()
            try:
                status = wire.send(request)
            except OSError:
                status = 0
            done = time.perf_counter()
            count += 1
            if status not in expect:
                bad[status] += 1
            elif sent >= begin:
                mine.setdefault(label, []).append(done - sent)
        wire.close()
        with told:
            last = max(last, done)
            answered += count
            wrong.update(bad)
            for label, found in mine.items():
                times.setdefault(label, []).extend(found)

    threads = [threading.Thread(target=client) for _n in range(order["clients"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "seconds": max(last - begin, 1e-6),
        "times": times,
        "wrong": dict(wrong),
        "answered": answered,
        "cpu": time.process_time(),
    }


def summary(times: list[float], *, seconds: float, wrong: dict[int, int]) -> dict[str, Any]:
    """Return count, rate a second, and p50, p95, p99 and max in milliseconds."""
    ordered = sorted(times)

    def at(share: float) -> float:
        if not ordered:
            return float("nan")
        place = min(len(ordered) - 1, max(0, -(-int(share * len(ordered) * 1000) // 1000) - 1))
        return round(ordered[place] * 1000, 1)

    return {
        "n": len(ordered),
        "rate": round(len(ordered) / seconds, 1),
        "p50": at(0.50),
        "p95": at(0.95),
        "p99": at(0.99),
        "max": at(1.0),
        "wrong": wrong,
    }


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
