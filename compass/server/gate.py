"""A client that sends slowly, stops, or is cut off must harm nobody but itself.

A body is waited for by a thread, and there are few of them, since more only take Python's lock
from one another. So all but one of them may wait for bodies. While they do, further bodies are
refused with a 503, and requests without one, which is what most keys send, go on as ever.

A body that ends too soon is refused as well: a form that was cut off says something else than
its sender did.

What is read with a key takes turns where the database is a file. It waits for nothing then, but
each question to SQLite lets go of Python's lock for a moment, and threads that snatch it from one
another in the middle of their requests make all of them slower.
"""

import threading
import time
from collections.abc import Iterable
from contextlib import nullcontext
from io import BytesIO
from typing import TYPE_CHECKING, Any

from compass.server.requests import REFUSED, is_key_door

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# A body usually comes in one piece, at once. Who has been reading one for longer than this is
# behind a slow client, and is not waited for.
PATIENCE_SECONDS = 0.1


class Gate:
    """WSGI middleware that reads bodies of at most `longest` bytes before the application runs,
    `readers` of them at once."""

    def __init__(self, app: "WSGIApplication", readers: int, longest: int, in_turns: bool = False):
        self._app = app
        self._turn = threading.Lock() if in_turns else nullcontext()
        self._longest = longest
        self._readers = threading.Semaphore(readers)
        self._last_start = 0.0

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if _has_body(environ):
            if _is_longer(environ.get("CONTENT_LENGTH") or "", self._longest):
                start_response = _closing(start_response)
            status = self._take(environ)
            if status is not None:
                environ[REFUSED] = status
        elif environ["REQUEST_METHOD"] == "GET" and is_key_door(environ.get("PATH_INFO", "")):
            with self._turn:
                return self._app(environ, start_response)
        return self._app(environ, start_response)

    def _take(self, environ: "WSGIEnvironment") -> int | None:
        """Reads the body, or says with which status to refuse it."""
        declared = environ.get("CONTENT_LENGTH") or ""
        if not declared and not is_key_door(environ.get("PATH_INFO", "")):
            # Of a form in chunks nobody could tell whether it was cut off.
            return 411
        if _is_longer(declared, self._longest):
            # Left unread: the application refuses it by its length.
            return None
        patience = self._last_start + PATIENCE_SECONDS - time.monotonic()
        if not self._readers.acquire(timeout=max(0, patience)):
            return 503
        try:
            self._last_start = time.monotonic()
            # Of a body without a length, so much that the application can see it is too long.
            body = environ["wsgi.input"].read(int(declared) if declared else self._longest + 1)
        finally:
            self._readers.release()
        environ["wsgi.input"] = BytesIO(body)
        # RFC 9112, section 7.1.3: chunks that were put together have a length.
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return 400 if declared and len(body) < int(declared) else None


def _has_body(environ: "WSGIEnvironment") -> bool:
    return environ.get("CONTENT_LENGTH", "") not in {"", "0"} or bool(
        environ.get("HTTP_TRANSFER_ENCODING")
    )


def _is_longer(declared: str, longest: int) -> bool:
    return declared.isdigit() and int(declared) > longest


def _closing(start_response: "StartResponse") -> "StartResponse":
    """With what was left unread still on its way, the connection is of no more use."""

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        return start_response(status, [*headers, ("Connection", "close")], *more)

    return start
