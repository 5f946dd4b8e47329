"""From a request to a key's secret: RFC 6750, section 2.1, and nothing but it."""

import re

from flask import Request

from compass.server.api.problems import Problem
from compass.server.core.tokens import PATTERN
from compass.server.core.verification import Refused

# What nearly every request sends.
_PLAIN = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)
_BEARER = re.compile(r"bearer(?=[\s,]|$)", re.IGNORECASE)
_ONE_TOKEN = re.compile(r" +([A-Za-z0-9\-._~+/]+=*) *")
# Servers join two headers of one name with a comma: after it comes a scheme of its own, where a
# parameter of the first would be followed by `=`.
_SECOND = re.compile(r",\s*(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\s+[^\s=,]|\s*(?:,|$))|,|$)")
_QUOTED = re.compile(r'"[^"]*"')

REALM = 'Bearer realm="compass"'


def presented(request: Request) -> str:
    """The token of the Authorization header. Raises Problem 400 or 401."""
    environ = request.environ
    if environ.get("QUERY_STRING"):
        _refuse_keys_in(request)
    header: str | None = environ.get("HTTP_AUTHORIZATION")
    if header is None:
        raise missing()
    if plain := _PLAIN.fullmatch(header):
        return plain.group(1)
    # An empty header is what some servers make of one with bytes outside ASCII.
    if not header.strip() or _SECOND.search(_QUOTED.sub("", header)):
        raise malformed("Send one Authorization header, with one key.")
    scheme = _BEARER.match(header)
    if scheme is None:
        raise missing()
    credentials = _ONE_TOKEN.fullmatch(header, scheme.end())
    if credentials is None:
        raise malformed("Send one key after Bearer, and nothing else.")
    return credentials.group(1)


def _refuse_keys_in(request: Request) -> None:
    """A key in an address ends up in logs and histories (RFC 6750, section 5.3)."""
    sent = [text for pair in request.args.items(multi=True) for text in pair]
    if "access_token" in request.args or any(PATTERN.search(text) for text in sent):
        raise malformed("Send the key in the Authorization header, never in the address.")


def missing() -> Problem:
    return Problem(
        401,
        "missing_token",
        "This call needs a key: send Authorization: Bearer <key>.",
        {"WWW-Authenticate": REALM},
    )


def malformed(detail: str) -> Problem:
    return Problem(400, "invalid_request", detail, _challenge("invalid_request", detail))


def refused(outcome: Refused) -> Problem:
    return Problem(401, outcome.code, outcome.reason, _challenge("invalid_token", outcome.reason))


def insufficient(detail: str) -> Problem:
    headers = _challenge("insufficient_scope", detail)
    headers["WWW-Authenticate"] += ', scope="admin"'
    return Problem(403, "insufficient_role", detail, headers)


def _challenge(error: str, description: str) -> dict[str, str]:
    """RFC 6750, section 3: a description has no quotes or backslashes; ours never do."""
    return {"WWW-Authenticate": f'{REALM}, error="{error}", error_description="{description}"'}
