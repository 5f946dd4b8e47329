# ruff: noqa: N818 (these are the names that users say)
"""What can go wrong, as exceptions whose text says what to do. None of them holds a key."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compass.sdk.shapes import Run


class CompassError(Exception):
    """Everything that this library raises by intent."""


class MissingKey(CompassError):
    """No key was given, nor is one in the environment. Raised before any call."""


class Unreachable(CompassError):
    """No answer of Compass's came. Whether it took what was sent is not known."""


class StillRunning(CompassError, TimeoutError):
    """`runs.wait` was given a timeout that has passed. The run goes on."""

    def __init__(self, message: str, run: "Run | None"):
        super().__init__(message, run)
        # As it was seen last; None where the server was away all the time.
        self.run = run

    def __str__(self) -> str:
        return str(self.args[0])


class APIError(CompassError):
    """Compass's refusal. Of its kind, the subclasses below are what is worth telling apart."""

    def __init__(
        self,
        status: int,
        code: str | None,
        detail: str,
        request_id: str | None = None,
        errors: Mapping[str, Sequence[str]] | None = None,
        retry_after: float | None = None,
    ):
        # All of them, so that it can be pickled: task queues send exceptions between processes.
        super().__init__(status, code, detail, request_id, errors, retry_after)
        self.status = status
        # The problem's code (`revoked_token`, `conflict`, …); None where a proxy answered.
        self.code = code
        self.detail = detail
        # Leads to the request in the server's log.
        self.request_id = request_id
        # What is wrong where: a JSON Pointer into the body and its messages. With 422 alone.
        self.errors = dict(errors or {})
        # Seconds, where the server names them.
        self.retry_after = retry_after

    def __str__(self) -> str:
        named = " ".join(str(each) for each in (self.status, self.code) if each)
        return f"{self.detail} ({', '.join(filter(None, (named, self.request_id)))})"


class AuthenticationError(APIError):
    """401: the key is unknown, revoked, expired or rotated out, or its owner is gone."""


class MalformedKey(AuthenticationError):
    """The key is mistyped or cut off, which is seen without asking. Raised before any call, with
    the status and code that the server would answer with."""

    def __init__(self, detail: str):
        super().__init__(401, "invalid_token", detail)
        self.args = (detail,)

    def __str__(self) -> str:
        return self.detail


class PermissionDenied(APIError):
    """403: the key's role does not reach; the text says which one would."""


class NotFound(APIError):
    """404: the key's project has nothing of this id or name."""


class Conflict(APIError):
    """409: the name is taken, the thing is in use, or the run has ended."""


class Invalid(APIError):
    """422: `errors` says what is wrong where."""


class RateLimited(APIError):
    """429, again and again. `retry_after` has the seconds to wait."""


class ServerError(APIError):
    """5xx: Compass, or a proxy before it, has failed."""


KINDS: Mapping[int, type[APIError]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    422: Invalid,
    429: RateLimited,
}


def of_status(status: int) -> type[APIError]:
    return ServerError if status >= 500 else KINDS.get(status, APIError)
