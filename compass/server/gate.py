"""A client that never finishes sending must not stop the others.

A body is waited for by a thread, and there are few of them, since more only take Python's lock
from one another. So all but one of them may wait for bodies: when they do, further bodies are
refused with a 503, and requests without one, which is what most keys send, go on as ever.
"""

import threading
from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# A form arrives in one piece: who does not get its turn by then, is behind a slow client.
PATIENCE_SECONDS = 0.2

_BUSY = b"Too many clients are sending slowly. Try again in a moment.\n"


class Gate:
    """WSGI middleware that reads bodies of at most `longest` bytes before the application runs,
    `readers` of them at once."""

    def __init__(self, app: "WSGIApplication", readers: int, longest: int):
        self._app = app
        self._longest = longest
        self._readers = threading.Semaphore(readers)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if not _has_body(environ):
            return self._app(environ, start_response)
        if not self._readers.acquire(timeout=PATIENCE_SECONDS):
            headers = [("Content-Type", "text/plain"), ("Retry-After", "1")]
            start_response("503 Service Unavailable", headers)
            return [_BUSY]
        try:
            self._read(environ)
        finally:
            self._readers.release()
        return self._app(environ, start_response)

    def _read(self, environ: "WSGIEnvironment") -> None:
        """Of a body that is too long, so much that the application can see it is."""
        declared = environ.get("CONTENT_LENGTH") or ""
        if declared.isdigit() and int(declared) > self._longest:
            return
        body = environ["wsgi.input"].read(int(declared) if declared else self._longest + 1)
        environ["wsgi.input"] = BytesIO(body)
        # RFC 9112, section 7.1.3: chunks that were put together have a length.
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)


def _has_body(environ: "WSGIEnvironment") -> bool:
    return environ.get("CONTENT_LENGTH", "") not in {"", "0"} or bool(
        environ.get("HTTP_TRANSFER_ENCODING")
    )
