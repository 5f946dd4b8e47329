"""What an http step asks: a request under its connection's base.

Where it goes is the connection's alone to say. Values are filled into the path each by itself
encoded, and the whole is looked at again.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from compass.server.core import definitions
from compass.server.core.connection_shapes import HEADERS_NOT_TO_SET
from compass.server.core.expressions import as_text, render, render_text
from compass.server.core.http_wire import Request
from compass.server.core.scrubbing import MASK, credential_headers
from compass.server.core.step_error import Json, StepError

LONGEST = 8000
# RFC 3986, section 3.3, and what is encoded already.
IN_PATH = "/%:@!$&'()*+,;=~"

Members = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """The request, and what may be shown of it."""

    request: Request
    shown: Json


def build(step: Members, config: Members, credentials: Members, context: Json) -> Asked:
    """Raises StepError, ExpressionError."""
    base = urlsplit(config["base_url"])
    path, query = _path(step["path"], context), _query(step.get("query", {}), context)
    target = base.path + path + (f"?{query}" if query else "")
    if len(target) > LONGEST:
        raise _invalid(f"The path and query have more than {LONGEST} characters.")
    member, value, body = _body(step, context)
    open_ = {**_own(member), **_by_lower_name(config["headers"]), **_headers(step, context)}
    secret = _by_lower_name(credential_headers(credentials))
    shown = {
        "method": step["method"],
        "url": f"{base.scheme}://{base.netloc}{target}",
        "headers": {**open_, **dict.fromkeys(secret, MASK)},
    }
    headers = list({**open_, **secret}.items())
    return Asked(
        Request(step["method"], base, target, headers, body),
        {**shown, member: value} if member else shown,
    )


def _path(template: str, context: Json) -> str:
    path = render_text(template, context, _in_path)
    if reason := definitions.what_leaves(path):
        raise _invalid(f"What was filled into the path would leave the connection's base. {reason}")
    return quote(path, safe=IN_PATH)


def _in_path(value: Json) -> str:
    if value is None or value == "" or isinstance(value, dict | list):
        raise _invalid("An expression in the path gives nothing, or no text.")
    text = as_text(value)
    if text.startswith("@"):
        raise _invalid("What is filled into a path can't begin with @.")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise _half_a_character("path") from None


def _query(template: Members, context: Json) -> str:
    pairs = []
    for name, value in render(template, context).items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict | list):
                raise _invalid(f"{name} in the query is an object, or a list in a list.")
            if each is not None:
                pairs.append((name, as_text(each)))
    try:
        return urlencode(pairs, quote_via=quote, safe="")
    except UnicodeEncodeError:
        raise _half_a_character("query") from None


def _headers(step: Members, context: Json) -> dict[str, str]:
    given = render(step.get("headers", {}), context)
    headers = {n.lower(): as_text(value).strip() for n, value in given.items() if value is not None}
    for name, value in headers.items():
        if name in HEADERS_NOT_TO_SET:
            raise _invalid(f"The header {name} can't be set by a step.")
        if any(ord(char) < 32 or 127 <= ord(char) < 160 or ord(char) > 255 for char in value):
            raise _invalid(
                f"The header {name} would have a line break, another control character, or one "
                "that is not Latin-1."
            )
        if len(value) > LONGEST:
            raise _invalid(f"The header {name} has more than {LONGEST} characters.")
    return headers


def _body(step: Members, context: Json) -> tuple[str | None, Json, bytes | None]:
    """By which member it is given, as what, and as it is sent."""
    try:
        if "json" in step:
            value = render(step["json"], context)
            written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            return "json", value, written.encode()
        if "text" in step:
            text = as_text(render(step["text"], context))
            return "text", text, text.encode()
    except UnicodeEncodeError:
        raise _half_a_character("body") from None
    except ValueError:
        raise _invalid("A number in the body is none that JSON has.") from None
    return None, None, None


def _own(member: str | None) -> dict[str, str]:
    """What a connection or a step may say otherwise."""
    headers = {"user-agent": "Compass", "accept": "*/*", "accept-encoding": "identity"}
    if member == "json":
        headers["content-type"] = "application/json"
    if member == "text":
        headers["content-type"] = "text/plain; charset=utf-8"
    return headers


def _by_lower_name(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _half_a_character(where: str) -> StepError:
    return _invalid(f"There is half a character (a lone surrogate) in the {where}.")


def _invalid(message: str) -> StepError:
    return StepError("invalid_request", message)
