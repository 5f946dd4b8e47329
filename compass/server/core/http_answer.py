"""What an HTTP target answered, as a step's result: `{status, headers, json|text}`."""

import codecs
import json
import re
from email.message import Message
from typing import Any

import orjson

from compass.server.core.http_wire import Answer, Headers
from compass.server.core.input_schema import depth_of
from compass.server.core.step_error import DEEPEST

Json = Any

# What nobody needs, and what would be a credential.
_LEFT_OUT = {"set-cookie", "set-cookie2"}
# Text encodings that take quadratic time, or are about something else.
_NOT_TEXT = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"}
# Only where there is one does it matter how numbers are read.
_LONG_NUMBER = re.compile(rb"\d{19}|\d[eE]\+?\d{3}")


def as_result(answer: Answer) -> dict[str, Json]:
    headers = _headers(answer.headers)
    kind = Message()
    kind["content-type"] = headers.get("content-type", "")
    result: dict[str, Json] = {"status": answer.status, "headers": headers}
    if kind.get_content_subtype().rpartition("+")[2] == "json" and answer.body:
        try:
            return {**result, "json": _parsed(answer.body)}
        except (ValueError, RecursionError):
            # Text is better than nothing.
            pass
    return {**result, "text": _text(answer.body, kind.get_content_charset("utf-8"))}


def _headers(given: Headers) -> dict[str, str]:
    """By lower-case name; repeated ones are one (RFC 9110, section 5.2)."""
    headers: dict[str, str] = {}
    for name, value in given:
        name = name.lower()
        if name not in _LEFT_OUT:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _parsed(body: bytes) -> Json:
    """Raises ValueError for what is no JSON, or too deep."""
    value = orjson.loads(body.removeprefix(codecs.BOM_UTF8))
    if _LONG_NUMBER.search(body):
        value = json.loads(body, parse_int=_exact_int, parse_float=_finite)
    if depth_of(value) > DEEPEST:
        raise ValueError("too deep")
    return value


def _exact_int(digits: str) -> int | str:
    """As text where it would not be kept exactly, or not be kept at all."""
    if len(digits) > 20:
        return digits
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else digits


def _finite(digits: str) -> float | str:
    number = float(digits)
    return number if abs(number) != float("inf") else digits


def _text(body: bytes, charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
        if name in _NOT_TEXT:
            name = "utf-8"
        return body.decode(name, "replace")
    except (LookupError, ValueError):
        return body.decode("utf-8", "replace")
