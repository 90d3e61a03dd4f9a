"""Other sides for tests of channels: a real HTTP server and a real mail server on this machine.

What lives here: what they answer and what they remember. What must not: expectations.
"""

import json
import socketserver
import threading
from collections import Counter
from dataclasses import dataclass, field
from email import message_from_string
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """One request as it came in."""

    path: str
    headers: Any
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Gateway:
    """Answers every POST with ``status`` and ``body``; while ``hold`` is closed it only listens."""

    status: int = 200
    body: bytes = b'{"code": 0, "errcode": 0}'
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    # One status for each of the next requests, before ``status`` holds again.
    next: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hold = threading.Event()
        self.hold.set()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                gateway.asked.append(Asked(self.path, self.headers, self.rfile.read(size)))
                status = gateway.next.pop(0) if gateway.next else gateway.status
                gateway.hold.wait(60)
                try:
                    self.send_response(status)
                    for name, value in gateway.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(gateway.body)))
                    self.end_headers()
                    self.wfile.write(gateway.body)
                except OSError:
                    pass  # whoever asked was killed meanwhile

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # with the usual 5 a busy machine refuses some of many at once

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def keys(self) -> Counter[str]:
        """How often each key came."""
        return Counter(asked.headers["Idempotency-Key"] for asked in list(self.asked))

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


@dataclass
class MailServer:
    """Takes mail for everybody but ``refused``."""

    mails: list[Any] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.say("220 here")
                while line := self.rfile.readline().decode().strip():
                    verb = line.upper()
                    if verb.startswith("RCPT") and any(one in line for one in server.refused):
                        self.say("450 not now")
                    elif verb == "DATA":
                        self.say("354 go on")
                        server.mails.append(message_from_string(self.read_data()))
                        self.say("250 taken")
                    elif verb == "QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 well")

            def read_data(self) -> str:
                lines: list[str] = []
                while (line := self.rfile.readline().decode()) != ".\r\n":
                    lines.append(line)
                return "".join(lines)

            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
