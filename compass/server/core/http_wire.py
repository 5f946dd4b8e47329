"""A request to a target and its answer, bounded in time and size. Nothing is followed here, and no
cookies are kept."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult

import httpcore

from compass.server.core.http_pool import Exchange, pool
from compass.server.core.step_error import MOST_BYTES, StepError

# On a connection that was kept goes what may be asked twice (RFC 9110, section 9.2.2), since it may
# turn out to be closed; and not HEAD, whose answer some servers give a body that would be taken for
# the next answer.
_ON_KEPT = {"GET", "PUT", "DELETE"}

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


def send(request: Request, exchange: Exchange, *, reads_body: bool = True) -> Answer:
    """Asks again where a kept connection has been closed before a byte came back.

    Raises StepError, UnreachableError.
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
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            if not exchange.is_fresh and not exchange.was_heard:
                continue
            raise StepError("unreachable", _reason(error)) from None


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
    keeps = request.method in _ON_KEPT
    if not keeps:
        headers.append(("Connection", "close"))
    on_the_clock = dict.fromkeys(("connect", "read", "write"), exchange)
    asked = httpcore.Request(
        request.method,
        url,
        headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers],
        content=request.body,
        extensions={"timeout": {**on_the_clock, "pool": exchange.left()}},
    )
    response = pool(keeps=keeps).handle_request(asked)
    try:
        yield response
    finally:
        response.close()


def _read(response: httpcore.Response, reads_body: bool) -> Answer:
    headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers]
    if not reads_body:
        return Answer(response.status, headers, b"")
    unpack = _unpacker(", ".join(v for n, v in headers if n.lower() == "content-encoding"))
    body, received = bytearray(), 0
    for chunk in response.iter_stream():
        received += len(chunk)
        body += unpack(chunk)
        if max(len(body), received) > MOST_BYTES:
            raise StepError("too_large", f"The answer has more than {MOST_BYTES} bytes.")
    return Answer(response.status, headers, bytes(body))


def _unpacker(encoding: str) -> Callable[[bytes], bytes]:
    """Of no chunk does it give much more than MOST_BYTES. Raises StepError."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return bytes
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise StepError(
            "bad_answer", f"The answer is packed as {encoding[:40]}, which was not asked for."
        )
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def unpack(chunk: bytes) -> bytes:
        try:
            return unpacking.decompress(chunk, MOST_BYTES + 1)
        except zlib.error:
            raise StepError("bad_answer", "The answer can't be unpacked.") from None

    return unpack


def _reason(error: Exception) -> str:
    # What a protocol error quotes is the target's, and may be anything.
    if isinstance(error, httpcore.ProtocolError):
        return "It hung up, or what it says is not HTTP."
    return f"It can't be reached: {error}."
