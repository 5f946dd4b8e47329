"""An http step: its request, the redirects that stay within the origin, and what came back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from compass.server.core import http_request
from compass.server.core.definitions import DEFAULT_TIMEOUT
from compass.server.core.http_answer import as_result
from compass.server.core.http_pool import Exchange
from compass.server.core.http_wire import Answer, Request, send
from compass.server.core.step_error import Json, StepError

MOST_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_PORTS = {"http": 80, "https": 443}

Members = dict[str, Any]


def prepare(
    step: Members, config: Members, credentials: Members, context: Json
) -> tuple[Json, Callable[[str], Json]]:
    """What is asked, and how to carry it out. Raises StepError, ExpressionError."""
    asked = http_request.build(step, config, credentials, context)
    seconds = step.get("timeout", DEFAULT_TIMEOUT)
    return asked.shown, lambda key: _perform(asked.request, seconds, key)


def _perform(request: Request, seconds: float, idempotency_key: str) -> Json:
    """Raises StepError, UnreachableError."""
    request = replace(request, headers=[*request.headers, ("idempotency-key", idempotency_key)])
    asked = f"{request.method} {request.target.partition('?')[0][:200]}"
    try:
        answer = _follow(request, Exchange(seconds))
    except StepError as error:
        raise StepError(error.code, f"{asked}: {error}", answered=error.answered) from None
    result = as_result(answer)
    if answer.status >= 400:
        raise StepError(
            "http_status",
            f"{asked} was answered with HTTP {answer.status}. {_advice(answer.status)}",
            answered=result,
        )
    return result


def _follow(request: Request, exchange: Exchange) -> Answer:
    for _ in range(MOST_REDIRECTS + 1):
        answer = send(request, exchange)
        location = next((v for name, v in answer.headers if name.lower() == "location"), None)
        if answer.status not in _REDIRECTS or location is None:
            return answer
        request = _redirected(request, answer, location)
    raise StepError(
        "redirect_refused",
        f"It redirects more than {MOST_REDIRECTS} times.",
        answered=as_result(answer),
    )


def _redirected(request: Request, answer: Answer, location: str) -> Request:
    """Of where it leads, path and query alone are taken: host and port stay the connection's."""
    base = request.base
    try:
        there = urlsplit(urljoin(f"{base.scheme}://{base.netloc}{request.target}", location))
        leaves = _origin(there) != _origin(base)
    except ValueError:
        leaves = True
    if leaves:
        raise StepError(
            "redirect_refused",
            # All of it: what is cut before it is scrubbed may end in half a secret.
            "It redirects to another origin, where the connection's credentials do not go. If that "
            f"is its place now, change the connection's base_url: {location}",
            answered=as_result(answer),
        )
    # A header's bytes were read as Latin-1.
    target = quote(there.path.encode("latin-1") or b"/", safe=http_request.IN_PATH)
    if there.query:
        target += "?" + quote(there.query.encode("latin-1"), safe=f"{http_request.IN_PATH}?")
    # As browsers and httpx do (RFC 9110, section 15.4, allows it).
    status, method = answer.status, request.method
    if (status in {302, 303} and method != "HEAD") or (status == 301 and method == "POST"):
        kept = [each for each in request.headers if each[0] != "content-type"]
        return replace(request, method="GET", target=target, headers=kept, body=None)
    return replace(request, target=target)


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    """RFC 6454, section 4."""
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)


def _advice(status: int) -> str:
    if status in {401, 403}:
        return "It refuses the connection's credentials: a project admin can replace them."
    if status in {404, 405, 410}:
        return "Check the step's method and path, and the connection's base_url."
    if status == 429:
        return "It is asked too much: run this again later."
    if status >= 500:
        return "That is an error of its own: run this again when it is well."
    return "What it says about it is in the step's answer."
