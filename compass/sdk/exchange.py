"""How a call goes, decided without doing any of it.

A flow is a generator that yields what it wants done, a `Request` or a `Pause`, is sent what came
of it, and returns its result; a stream also gives items on the way. Two drivers carry them out
(drivers.py), one of them asynchronous, and neither decides anything. So each call, and what is
tried again, is described once.
"""

import json
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from compass.sdk import answers, shapes
from compass.sdk.errors import CompassError, Unreachable
from compass.sdk.keys import PATTERN

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
# A server that wants more patience than this is given up on.
LONGEST_RETRY_AFTER = 60.0

PAGE = 100

_TRY_AGAIN = {429, 502, 503, 504}


class Repeat(Enum):
    """When a request may be sent a second time."""

    ALWAYS = "twice is as good as once"
    UNTAKEN = "only where it was surely not carried out"
    NEVER = "not even then"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str | int] = field(default_factory=dict)
    # Not shown: it may hold credentials.
    content: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    repeat: Repeat = Repeat.ALWAYS
    # Seconds, where there is less time than the client gives each attempt.
    timeout: float | None = None


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Give(Generic[T]):
    item: T


@dataclass(frozen=True)
class Lost:
    """No answer came. `sent` says whether the request may have."""

    words: str
    sent: bool


Reply: TypeAlias = "httpx.Response | Lost | None"
Flow: TypeAlias = Generator[Request | Pause, Reply, T]
Stream: TypeAlias = Generator[Request | Pause | Give[T], Reply, None]
Reader: TypeAlias = Callable[[Any], T]


def ask(request: Request, reader: Reader[T], max_retries: int) -> Flow[T]:
    """One call with its repetitions. Raises APIError and Unreachable."""
    attempt, was_lost = 0, False
    while True:
        reply = yield request
        assert reply is not None  # noqa: S101 (for the type checker: a driver answers requests)
        if not isinstance(reply, Lost) and reply.is_success:
            return _read(reply, reader)
        if was_lost and request.method == "DELETE" and _status(reply) == 404:
            # The answer to an earlier attempt was lost: it was this very call that deleted it.
            return reader(None)
        was_lost = was_lost or _may_have_been_taken(reply)
        wait = _wait(reply, attempt)
        if attempt >= max_retries or wait is None or not _may_repeat(request, reply):
            raise _error(request, reply)
        yield Pause(wait)
        attempt += 1


def _read(answer: "httpx.Response", reader: Reader[T]) -> T:
    body = answers.body_of(answer)
    try:
        return reader(body)
    except (TypeError, ValueError, KeyError):
        pass
    raise answers.unreadable(answer)


def _status(reply: "httpx.Response | Lost") -> int:
    return 0 if isinstance(reply, Lost) else reply.status_code


def _may_have_been_taken(reply: "httpx.Response | Lost") -> bool:
    return reply.sent if isinstance(reply, Lost) else reply.status_code in {502, 504}


def _may_repeat(request: Request, reply: "httpx.Response | Lost") -> bool:
    if isinstance(reply, Lost):
        untaken = not reply.sent
    elif reply.status_code not in _TRY_AGAIN:
        return False
    else:
        untaken = reply.status_code == 429
    return request.repeat is Repeat.ALWAYS or (request.repeat is Repeat.UNTAKEN and untaken)


def _wait(reply: "httpx.Response | Lost", attempt: int) -> float | None:
    """Seconds until the next attempt, spread so that many clients don't come back as one."""
    wait: float = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt) * random.uniform(0.5, 1)  # noqa: S311
    asked = None if isinstance(reply, Lost) else answers.retry_after(reply)
    if asked is None:
        return wait
    return asked + wait / 2 if asked <= LONGEST_RETRY_AFTER else None


def _error(request: Request, reply: "httpx.Response | Lost") -> CompassError:
    if not isinstance(reply, Lost):
        return answers.refusal(reply)
    words = reply.words
    if reply.sent and request.repeat is not Repeat.ALWAYS:
        words += " It may have been carried out all the same: look before you repeat it."
    return Unreachable(words)


def get(path: str, **query: str | int | None) -> Request:
    """What is None is left out of the query."""
    given = {name: value for name, value in query.items() if value is not None}
    _refuse_keys_in(*given.values())
    return Request("GET", path, given)


def send(
    method: str,
    path: str,
    members: Mapping[str, Any],
    repeat: Repeat = Repeat.ALWAYS,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """With a JSON body. Raises TypeError or ValueError for what JSON has no word for."""
    content = json.dumps(members, allow_nan=False, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", **(headers or {})}
    return Request(method, path, {}, content, headers, repeat)


def path_of(*steps: str) -> str:
    """An id is one step of a path, whatever is in it."""
    _refuse_keys_in(*steps)
    quoted = (quote(step, safe="") for step in steps)
    # Dots would be folders, and quote leaves them.
    return "/v1/" + "/".join(q.replace(".", "%2E") if set(q) == {"."} else q for q in quoted)


def _refuse_keys_in(*values: object) -> None:
    """A key in an address ends up in logs and histories (RFC 6750, section 5.3)."""
    if any(PATTERN.search(str(value)) for value in values):
        raise CompassError("A key was given where an id or a name belongs. It was not sent.")


def shape(kind: type[T]) -> Reader[T]:
    return lambda body: shapes.read(kind, body)


def nothing(_: Any) -> None:
    """The reader of answers that say no more than that it is done."""


def pages(path: str, kind: type[T], max_retries: int, **query: str | int | None) -> Stream[T]:
    """The items of a list, page by page, each page asked for when it is come to."""
    cursor: str | None = None
    while True:
        request = get(path, limit=PAGE, cursor=cursor, **query)
        items, cursor = yield from ask(request, _page(kind), max_retries)
        for item in items:
            yield Give(item)
        if cursor is None:
            return


def _page(kind: type[T]) -> Reader[tuple[list[T], str | None]]:
    def page(body: Any) -> tuple[list[T], str | None]:
        return [shapes.read(kind, item) for item in body["items"]], body.get("next_cursor")

    return page
