"""HTTP to a connection's target: one pool of a process's connections, guarded and on the clock.

Connects only to addresses that were looked at, takes nothing from the environment, keeps no
cookies, follows nothing. What httpcore calls a timeout is an Exchange here, which it hands through
to the socket: so a deadline is kept even against one byte at a time.
"""

import os
import select
import socket
import ssl
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import SplitResult

import httpcore
import httpx

from compass.server.core.addresses import resolve
from compass.server.core.step_error import MOST_BYTES, Deadline, StepError

MOST_CONNECTIONS = 100
# Shorter than servers wait before they hang up, so that it is seldom done on us half-way.
KEPT_SECONDS = 1.0
# Linux has it.
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
# RFC 9110, section 9.2.2.
_IDEMPOTENT = {"GET", "HEAD", "PUT", "DELETE"}

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """`base` says where to, and nothing else does; `target` is path and query."""

    method: str
    base: SplitResult
    target: str
    headers: Headers
    body: bytes | None


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes


class Exchange(Deadline):
    """One request on the clock."""

    def __init__(self, seconds: float):
        super().__init__(seconds)
        self.start()

    def start(self) -> None:
        self.is_fresh = False
        self.was_heard = False


def send(request: Request, exchange: Exchange, *, reads_body: bool = True) -> Answer:
    """Raises StepError, UnreachableError.

    Where a kept connection turns out to be closed before a byte has come back, what may be asked
    twice is asked again, on another.
    """
    while True:
        exchange.start()
        try:
            with _stream(request, exchange) as response:
                return _read(response, reads_body)
        except (TimeoutError, httpcore.TimeoutException):
            raise StepError(
                "timeout", f"There was no whole answer within {exchange.seconds:g} seconds."
            ) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
            is_stale = not exchange.is_fresh and not exchange.was_heard
            if is_stale and request.method in _IDEMPOTENT:
                continue
            raise StepError("unreachable", f"It can't be reached: {error}") from None


@contextmanager
def _stream(request: Request, exchange: Exchange) -> Iterator[httpcore.Response]:
    base = request.base
    url = httpcore.URL(
        scheme=base.scheme.encode(),
        host=(base.hostname or "").encode(),
        port=base.port,
        target=request.target.encode(),
    )
    headers = [("Host", base.netloc), *request.headers]
    if request.body is not None or request.method in {"POST", "PUT", "PATCH"}:
        headers.append(("Content-Length", str(len(request.body or b""))))
    if request.method == "HEAD":
        # A body that comes back nevertheless must not be taken for the next answer.
        headers.append(("Connection", "close"))
    timeouts = dict.fromkeys(("connect", "read", "write"), exchange)
    asked = httpcore.Request(
        request.method,
        url,
        headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers],
        content=request.body,
        extensions={"timeout": {**timeouts, "pool": exchange.left()}},
    )
    response = _pool().handle_request(asked)
    try:
        yield response
    finally:
        response.close()


def _read(response: httpcore.Response, reads_body: bool) -> Answer:
    headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers]
    if not reads_body:
        return Answer(response.status, headers, b"")
    encoding = ", ".join(v for n, v in headers if n.lower() == "content-encoding").strip().lower()
    body, coded = bytearray(), 0
    inflate = _inflater(encoding)
    for chunk in response.iter_stream():
        coded += len(chunk)
        body += inflate(chunk) if inflate else chunk
        if max(len(body), coded) > MOST_BYTES:
            raise StepError("too_large", f"The answer has more than {MOST_BYTES} bytes.")
    return Answer(response.status, headers, bytes(body))


def _inflater(encoding: str) -> Any:
    """None where there is nothing to unpack. Never gives much more than MOST_BYTES."""
    if encoding in {"", "identity"}:
        return None
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise StepError(
            "bad_answer", f"The answer is packed as {encoding[:40]}, which was not asked for."
        )
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def inflate(chunk: bytes) -> bytes:
        try:
            return unpacking.decompress(chunk, MOST_BYTES + 1)
        except zlib.error:
            raise StepError("bad_answer", "The answer can't be unpacked.") from None

    return inflate


@cache
def _pool() -> httpcore.ConnectionPool:
    return httpcore.ConnectionPool(
        ssl_context=httpx.create_ssl_context(trust_env=False),
        max_connections=MOST_CONNECTIONS,
        keepalive_expiry=KEPT_SECONDS,
        network_backend=_Guarded(),
    )


# A child must not speak on its parent's connections.
os.register_at_fork(after_in_child=_pool.cache_clear)


class _Guarded(httpcore.NetworkBackend):
    """Connects to an address that was looked at, whatever the name says a moment later."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        exchange: Exchange = timeout
        exchange.is_fresh = True
        addresses = resolve(host, port)
        for number, address in enumerate(addresses):
            try:
                share = exchange.left() / (len(addresses) - number)
                found = socket.create_connection((address, port), share)
            except TimeoutError:
                failed: Exception = httpcore.ConnectTimeout()
            except OSError as error:
                failed = httpcore.ConnectError(os.strerror(error.errno or 0))
            else:
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Stream(found)
        raise failed


class _Stream(httpcore.NetworkStream):
    """A socket, each use of which ends by the exchange's deadline."""

    def __init__(self, connected: socket.socket):
        self._socket = connected

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        exchange: Exchange = timeout
        try:
            if _QUICKACK is not None:
                # A server that writes headers and body apart waits for this before the second.
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            self._socket.settimeout(exchange.left())
            heard = self._socket.recv(max_bytes)
        except TimeoutError:
            raise httpcore.ReadTimeout from None
        except OSError as error:
            raise httpcore.ReadError(str(error)) from None
        exchange.was_heard = exchange.was_heard or bool(heard)
        return heard

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        exchange: Exchange = timeout
        unsent = memoryview(buffer)
        try:
            while unsent:
                self._socket.settimeout(exchange.left())
                unsent = unsent[self._socket.send(unsent) :]
        except TimeoutError:
            raise httpcore.WriteTimeout from None
        except OSError as error:
            raise httpcore.WriteError(str(error)) from None

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore.NetworkStream:
        exchange: Exchange = timeout
        try:
            self._socket.settimeout(exchange.left())
            return _Stream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname))
        except TimeoutError:
            self.close()
            raise httpcore.ConnectTimeout from None
        except OSError as error:
            self.close()
            raise httpcore.ConnectError(str(error)) from None

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        if info == "is_readable":
            if self._socket.fileno() < 0:
                return True
            waiting = select.poll()
            waiting.register(self._socket, select.POLLIN)
            return bool(waiting.poll(0))
        return None
