"""A real HTTP server on loopback that misbehaves on request."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Target:
    """`calls` is all that it was asked. What it does is in the path's query:

    `status`, `fail` (that often with `status`, then 200), `location`, `slow` (seconds), `size`
    (bytes), `type`, `hang_up`, `echo` (its headers, as the body).
    """

    url: str
    calls: list[Call] = field(default_factory=list)
    fails: dict[str, int] = field(default_factory=dict)
    # Where every answer sends on to, if anywhere: what has no query can ask for this alone.
    sends_on_to: str = ""
    # Set when slow answers are to be given up.
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def a_target() -> Iterator[Target]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, self.path, headers, self.rfile.read(length))
            target.calls.append(call)
            asked = {key: each[0] for key, each in parse_qs(urlsplit(self.path).query).items()}
            if "hang_up" in asked:
                self.close_connection = True
                return
            if "slow" in asked:
                target.released.wait(float(asked["slow"]))
            if target.sends_on_to:
                asked = {"status": "302", "location": target.sends_on_to}
            status = int(asked.get("status", 200))
            if "fail" in asked:
                failed = target.fails.get(self.path, 0)
                target.fails[self.path] = failed + 1
                status = status if failed < int(asked["fail"]) else 200
            body = json.dumps({"method": self.command, "path": self.path}).encode()
            if "echo" in asked:
                body = json.dumps(headers).encode()
            if "size" in asked:
                body = b'"' + b"x" * (int(asked["size"]) - 2) + b'"'
            self.send_response(status)
            self.send_header("Content-Type", asked.get("type", "application/json"))
            self.send_header("Content-Length", str(len(body)))
            if "location" in asked:
                self.send_header("Location", asked["location"])
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    target = Target(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield target
    target.released.set()
    server.shutdown()
    thread.join()
    server.server_close()
