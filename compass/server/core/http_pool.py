"""A process's HTTP connections to targets: guarded, shared and on the clock.

They lead only to addresses that were looked at, and take nothing from the environment. What
httpcore calls a timeout is an Exchange here, which it hands through to the socket: so a deadline
holds even against one byte at a time.
"""

import os
import select
import socket
import ssl
from functools import cache
from threading import Lock
from typing import Any

import certifi
import httpcore

from compass.server.core.addresses import resolve
from compass.server.core.step_error import Deadline

MOST_CONNECTIONS, MOST_IDLE = 100, 20
# Shorter than servers wait before they hang up, so that it seldom happens half-way through asking.
KEPT_SECONDS = 1.0
# Linux alone has it.
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_making = Lock()


class Exchange(Deadline):
    """One request and its answer: when they must be over, and what became of them."""

    def __init__(self, seconds: float):
        super().__init__(seconds)
        self.start()

    def start(self) -> None:
        self.is_fresh = False
        self.was_heard = False


def pool(*, keeps: bool) -> httpcore.ConnectionPool:
    """One that keeps connections for the next request, or one that makes each anew."""
    with _making:
        return _pools()[keeps]


def close() -> None:
    """Hangs up what is kept; the next request starts anew."""
    with _making:
        for each in _pools():
            each.close()
        _pools.cache_clear()


@cache
def _pools() -> tuple[httpcore.ConnectionPool, httpcore.ConnectionPool]:
    # Its certificates take longer to read than a request takes.
    # The machine's own authorities, among which a company's may be, and those of the web.
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return _pool(context, 0), _pool(context, MOST_IDLE)


def _pool(context: ssl.SSLContext, most_idle: int) -> httpcore.ConnectionPool:
    return httpcore.ConnectionPool(
        ssl_context=context,
        max_connections=MOST_CONNECTIONS,
        max_keepalive_connections=most_idle,
        keepalive_expiry=KEPT_SECONDS,
        network_backend=_Guarded(),
    )


# A child must not speak on its parent's connections.
os.register_at_fork(after_in_child=_pools.cache_clear)


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
        addresses = resolve(host, port, exchange)
        failed: Exception = httpcore.ConnectError()
        for number, address in enumerate(addresses):
            try:
                share = exchange.left() / (len(addresses) - number)
                found = socket.create_connection((address, port), share)
            except TimeoutError:
                failed = httpcore.ConnectTimeout()
            except OSError as error:
                failed = httpcore.ConnectError(error.strerror or str(error))
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
            raise httpcore.ReadError(error.strerror or str(error)) from None
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
            raise httpcore.WriteError(error.strerror or str(error)) from None

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore.NetworkStream:
        exchange: Exchange = timeout
        try:
            self._socket.settimeout(exchange.left())
            return _Stream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname))
        except TimeoutError:
            failed: Exception = httpcore.ConnectTimeout()
        except ssl.SSLCertVerificationError as error:
            failed = httpcore.ConnectError(f"its certificate is refused: {error.verify_message}")
        except OSError as error:
            failed = httpcore.ConnectError(error.strerror or str(error))
        self.close()
        raise failed

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            # What is idle and has something to say has hung up.
            if self._socket.fileno() < 0:
                return True
            waiting = select.poll()
            waiting.register(self._socket, select.POLLIN)
            return bool(waiting.poll(0))
        return None
