"""From an answer to a value, or to the error that says what it means."""

import json
from time import time
from typing import TYPE_CHECKING, Any

from compass.sdk.errors import APIError, Unreachable, of_status
from compass.sdk.keys import mask

if TYPE_CHECKING:
    import httpx

_NOT_OURS = "Is there something else at that address? It comes from COMPASS_BASE_URL or base_url."


def body_of(answer: "httpx.Response") -> Any:
    """The JSON of a success, None for an empty one. Raises Unreachable for what isn't Compass's."""
    if not answer.content:
        return None
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        pass
    # Not in the handler: the parser's error holds the whole answer, which may hold a secret.
    raise unreadable(answer)


def unreadable(answer: "httpx.Response") -> Unreachable:
    return Unreachable(f"{_called(answer)} was answered, but not as Compass does. {_NOT_OURS}")


def refusal(answer: "httpx.Response") -> APIError:
    """The error for an answer that is no success: Compass's own problem, or somebody else's."""
    status, request_id = answer.status_code, answer.headers.get("X-Request-Id")
    problem = _problem(answer)
    if problem is None:
        detail = f"{_called(answer)} answered {status} {answer.reason_phrase}, and not as Compass "
        detail += f"does. {_NOT_OURS}"
        if 300 <= status < 400:
            where = mask(answer.headers.get("Location", "nowhere"))
            detail = f"{_called(answer)} leads elsewhere, to {where}. A key is not sent after that:"
            detail += " set COMPASS_BASE_URL to the address where Compass is."
        return of_status(status)(status, None, detail, request_id, None, retry_after(answer))
    return of_status(status)(
        status,
        problem["code"],
        mask(str(problem.get("detail") or problem.get("title") or answer.reason_phrase)),
        _text(problem.get("request_id")) or request_id,
        _errors(problem.get("errors")),
        retry_after(answer),
    )


def retry_after(answer: "httpx.Response") -> float | None:
    """Seconds (RFC 9110, section 10.2.3: a number of them, or a date)."""
    text = answer.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    if not text:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    except ValueError:
        return None


def _problem(answer: "httpx.Response") -> dict[str, Any] | None:
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return None
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
    # Those of others have no code.
    return body if isinstance(body, dict) and isinstance(body.get("code"), str) else None


def _text(given: Any) -> str | None:
    return given if isinstance(given, str) else None


def _errors(given: Any) -> dict[str, list[str]]:
    if not isinstance(given, dict):
        return {}
    lists = {place: texts if isinstance(texts, list) else [texts] for place, texts in given.items()}
    return {place: [mask(str(each)) for each in texts] for place, texts in lists.items()}


def _called(answer: "httpx.Response") -> str:
    return mask(f"{answer.request.method} {answer.request.url}")
