"""What an HTTP target answered, as a step's result: `{status, headers, json|text}`."""

import codecs
from email.message import Message
from typing import Any

from compass.server.core import json_text
from compass.server.core.http_wire import Answer, Headers

# They are credentials.
_LEFT_OUT = {"set-cookie", "set-cookie2"}
# Some take quadratic time, others can spell what is no text.
_NO_CHARSETS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"}

Json = Any


def as_result(answer: Answer) -> dict[str, Json]:
    headers = _headers(answer.headers)
    kind = Message()
    kind["content-type"] = headers.get("content-type", "")
    result: dict[str, Json] = {"status": answer.status, "headers": headers}
    if kind.get_content_subtype().rpartition("+")[2] == "json" and answer.body:
        try:
            return {**result, "json": json_text.parse(answer.body)}
        except ValueError:
            # It is no JSON that can be worked with, so it is text.
            pass
    return {**result, "text": _text(answer.body, kind.get_content_charset("utf-8"))}


def _headers(given: Headers) -> dict[str, str]:
    """By lower-case name; repeated ones are one (RFC 9110, section 5.2)."""
    headers: dict[str, str] = {}
    for name, value in given:
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    return {name: value for name, value in headers.items() if name not in _LEFT_OUT}


def _text(body: bytes, charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
        if name not in _NO_CHARSETS:
            return body.decode(name, "replace")
    except (LookupError, ValueError):
        # There is no such charset, or it is not one of text.
        pass
    return body.decode("utf-8", "replace")
