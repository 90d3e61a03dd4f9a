"""The other side of the channels: takes messages by HTTP and mail and writes down each key.

What lives here: two servers in a process of their own, a little slow, so that a kill finds letters
between sending and recording. What must not: Django, or any knowledge of the product.

Usage: python -m benchmarks.faults.receiver LOG. Prints both ports as JSON, then serves.
"""

import json
import socketserver
import sys
import threading
import time
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECONDS = 0.05
_turn = threading.Lock()


def main() -> None:
    log = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115  as long as the process lives

    def note(way: str, key: str) -> None:
        with _turn:
            log.write(json.dumps({"at": time.time(), "way": way, "key": key}) + "\n")
        time.sleep(SECONDS)

    class Gateway(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            note("sms", self.headers["Idempotency-Key"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_words: object) -> None:
            pass

    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = list(iter(self.rfile.readline, b".\r\n"))
                    note("mail", message_from_bytes(b"".join(lines))["X-Geshi-Key"])
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 well\r\n")
                if verb == b"QUIT":
                    return

    class Servers(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_what: object) -> None:
            pass  # whoever asked was killed

    class Gateways(ThreadingHTTPServer):
        handle_error = Servers.handle_error

    gateways, mails = Gateways(("127.0.0.1", 0), Gateway), Servers(("127.0.0.1", 0), Mail)
    threading.Thread(target=mails.serve_forever, daemon=True).start()
    print(json.dumps({"sms": gateways.server_port, "mail": mails.server_address[1]}), flush=True)
    gateways.serve_forever()


if __name__ == "__main__":
    main()
