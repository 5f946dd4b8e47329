"""A real proxy on loopback before the real app, which drops, delays and refuses when told to."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

from flask import Flask
from werkzeug.test import TestResponse

HOP_BY_HOP = {"connection", "content-length", "date", "server", "transfer-encoding"}


class Misbehaviour:
    """What is done with one request instead of passing it on."""

    def __init__(self, do: "Callable[[_Handler], None]"):
        self.do = do


def answering(status: int, body: str = "", **headers: str) -> Misbehaviour:
    """An answer of the proxy's own, as one gives whose server is away."""

    def do(handler: "_Handler") -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.answer(status, {"Content-Type": "text/html", **named}, body.encode())

    return Misbehaviour(do)


def _drop(handler: "_Handler") -> None:
    handler.close_connection = True


def _take_and_drop(handler: "_Handler") -> None:
    handler.ask_the_app()
    handler.close_connection = True


def _take_and_answer_502(handler: "_Handler") -> None:
    handler.ask_the_app()
    handler.answer(502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>")


# The connection breaks before the app has seen the request.
DROP = Misbehaviour(_drop)
# The app carries the request out, and its answer is lost.
TAKE_AND_DROP = Misbehaviour(_take_and_drop)
TAKE_AND_502 = Misbehaviour(_take_and_answer_502)


class Proxy:
    """`next` says how the coming requests fare, in their order; after that all are passed on."""

    def __init__(self, app: Flask):
        self.app = app
        self.next: list[Misbehaviour] = []
        # Of each request: method, path, headers.
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.__dict__["proxy"] = self
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def calls(self) -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.seen]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def ask_the_app(self) -> TestResponse:
        headers = {name: value for name, value in self.headers.items() if name != "Connection"}
        with self._proxy.app.test_client() as client:
            return client.open(self.path, method=self.command, headers=headers, data=self._body)

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _handle(self) -> None:
        self._body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._proxy.seen.append((self.command, self.path, dict(self.headers)))
        if self._proxy.next:
            self._proxy.next.pop(0).do(self)
            return
        passed = self.ask_the_app()
        headers = {name: v for name, v in passed.headers if name.lower() not in HOP_BY_HOP}
        self.answer(passed.status_code, headers, passed.data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    @property
    def _proxy(self) -> Proxy:
        proxy = self.server.__dict__["proxy"]
        assert isinstance(proxy, Proxy)
        return proxy

    def log_message(self, *_: object) -> None:
        pass


def problem(status: int, code: str) -> str:
    return json.dumps({"status": status, "code": code, "title": code, "detail": code})
