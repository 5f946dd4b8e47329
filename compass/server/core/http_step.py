"""An http step: a request under its connection's base, and what came back.

Where the request goes is the connection's alone to say: its expressions are filled into the path
each by itself encoded, and the whole is looked at again; of a redirect only the path is taken.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from compass.server.core import definitions, targets
from compass.server.core.connection_shapes import HEADERS_NOT_TO_SET
from compass.server.core.expressions import as_text, render, render_text
from compass.server.core.http_answer import as_result
from compass.server.core.http_wire import Answer, Exchange, Request, send
from compass.server.core.scrubbing import MASK
from compass.server.core.step_error import Json, StepError

MOST_REDIRECTS = 5
LONGEST = 8000

Members = dict[str, Any]


def prepare(
    step: Members, config: Members, credentials: Members, context: Json
) -> tuple[Json, Callable[[str], Json]]:
    """What is asked, and how to carry it out. Raises StepError, ExpressionError."""
    base = urlsplit(config["base_url"])
    path, query = _path(step["path"], context), _query(step.get("query", {}), context)
    target = base.path + path + (f"?{query}" if query else "")
    if len(target) > LONGEST:
        raise _invalid(f"The path and query have more than {LONGEST} characters.")
    shown, body, kind = _body(step, context)
    open_ = {**_own_headers(kind), **_lower(config["headers"]), **_rendered(step, context)}
    secret = _lower(targets.credential_headers(credentials))
    request = Request(step["method"], base, target, list({**open_, **secret}.items()), body)
    asked = {
        "method": request.method,
        "url": f"{base.scheme}://{base.netloc}{target}",
        "headers": {**open_, **dict.fromkeys(secret, MASK)},
        **shown,
    }
    seconds = step.get("timeout", definitions.DEFAULT_TIMEOUT)
    return asked, lambda key: _perform(request, seconds, key)


def _perform(request: Request, seconds: float, idempotency_key: str) -> Json:
    exchange = Exchange(seconds)
    request = replace(request, headers=[*request.headers, ("idempotency-key", idempotency_key)])
    asked = f"{request.method} {request.target[:200]}"
    try:
        answer = _follow(request, exchange)
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
    """Follows redirects within the origin."""
    for _ in range(MOST_REDIRECTS + 1):
        answer = send(request, exchange)
        location = next((v for name, v in answer.headers if name.lower() == "location"), None)
        if answer.status not in {301, 302, 303, 307, 308} or location is None:
            return answer
        request = _redirected(request, answer, location)
    raise StepError(
        "redirect_refused",
        f"It redirects more than {MOST_REDIRECTS} times.",
        answered=as_result(answer),
    )


def _redirected(request: Request, answer: Answer, location: str) -> Request:
    base = request.base
    here = f"{base.scheme}://{base.netloc}{request.target}"
    try:
        there = urlsplit(urljoin(here, location))
        is_ours = _origin(there) == _origin(base)
    except ValueError:
        is_ours = False
    if not is_ours:
        raise StepError(
            "redirect_refused",
            f"It redirects to another origin ({location[:200]}), where the connection's "
            "credentials do not go. If that is where it is now, change the connection's base_url.",
            answered=as_result(answer),
        )
    # As it is, but for what can't be in a request line.
    target = quote(there.path or "/", safe="/%:@!$&'()*+,;=~") + (
        f"?{quote(there.query, safe='/?%:@!$&()*+,;=~')}" if there.query else ""
    )
    status, method = answer.status, request.method
    if (status in {302, 303} and method != "HEAD") or (status == 301 and method == "POST"):
        kept = [each for each in request.headers if each[0] != "content-type"]
        return replace(request, method="GET", target=target, headers=kept, body=None)
    return replace(request, target=target)


def _origin(url: Any) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _path(template: str, context: Json) -> str:
    path = render_text(template, context, _in_path)
    if reason := definitions.what_leaves(path):
        raise _invalid(f"What was filled into the path would leave the connection's base. {reason}")
    return quote(path, safe="/%:@!$&'()*+,;=~")


def _in_path(value: Json) -> str:
    if value is None or value == "" or isinstance(value, dict | list):
        raise _invalid("An expression in the path gives nothing, or no text.")
    text = as_text(value)
    if text.startswith("@"):
        raise _invalid("What is filled into a path can't begin with @.")
    return _encoded(text)


def _encoded(text: str) -> str:
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise _invalid("There is half a character (a lone surrogate) in the text.") from None


def _query(template: Members, context: Json) -> str:
    pairs = []
    for name, value in render(template, context).items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict | list):
                raise _invalid(f"{name} in the query gives an object or a list in a list.")
            if each is not None:
                pairs.append((name, as_text(each)))
    try:
        return urlencode(pairs, quote_via=quote, safe="")
    except UnicodeEncodeError:
        raise _invalid("There is half a character (a lone surrogate) in the query.") from None


def _rendered(step: Members, context: Json) -> dict[str, str]:
    given = render(step.get("headers", {}), context)
    headers = {n.lower(): as_text(value).strip() for n, value in given.items() if value is not None}
    for name, value in headers.items():
        if name in HEADERS_NOT_TO_SET:
            raise _invalid(f"The header {name} can't be set by a step.")
        if any(ord(char) < 32 or 127 <= ord(char) < 160 or ord(char) > 255 for char in value):
            raise _invalid(
                f"The header {name} would have a line break, a control character or one that is "
                "not Latin-1."
            )
        if len(value) > LONGEST:
            raise _invalid(f"The header {name} has more than {LONGEST} characters.")
    return headers


def _body(step: Members, context: Json) -> tuple[Members, bytes | None, str | None]:
    """For the record, as it is sent, and its type."""
    try:
        if "json" in step:
            value = render(step["json"], context)
            written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            return {"json": value}, written.encode(), "application/json"
        if "text" in step:
            text = as_text(render(step["text"], context))
            return {"text": text}, text.encode(), "text/plain; charset=utf-8"
    except ValueError:
        raise _invalid("The body has what can't be sent: half a character, or no number.") from None
    return {}, None, None


def _own_headers(kind: str | None) -> dict[str, str]:
    """What a connection or a step may say otherwise."""
    headers = {"user-agent": "Compass", "accept": "*/*", "accept-encoding": "identity"}
    return headers if kind is None else {**headers, "content-type": kind}


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _advice(status: int) -> str:
    if status in {401, 403}:
        return (
            "It refuses the connection's credentials: a project admin can check and replace them."
        )
    if status in {404, 405, 410}:
        return "Check the step's method and path, and the connection's base_url."
    if status == 429:
        return "It is asked too much: run this again later."
    if status >= 500:
        return "That is an error of its own: run this again when it is well."
    return "What it says about it is in the step's answer."


def _invalid(message: str) -> StepError:
    return StepError("invalid_request", message)
