"""JSON from others: strict, of bounded depth, and with its numbers as they were."""

import json
import re
from codecs import BOM_UTF8
from typing import Any

import orjson

from compass.server.core.input_schema import depth_of

DEEPEST = 100

Json = Any

# Only where there is one of these does it matter how numbers are read.
_LARGE_NUMBER = re.compile(rb"\d{19}|\d[eE]\+?\d{3}")


def parse(text: bytes) -> Json:
    """A number that would not be kept is a text. Raises ValueError for what is no JSON, or too
    deep."""
    text = text.removeprefix(BOM_UTF8)
    value = _parse_exactly(text) if _LARGE_NUMBER.search(text) else orjson.loads(text)
    if depth_of(value) > DEEPEST:
        raise ValueError("too deep")
    return value


def _parse_exactly(text: bytes) -> Json:
    try:
        value = json.loads(
            text.decode(), parse_int=whole, parse_float=fraction, parse_constant=_refuse
        )
    except RecursionError:
        raise ValueError("too deep") from None
    # It takes half characters (lone surrogates), which nothing else does.
    json.dumps(value, ensure_ascii=False).encode()
    return value


def _refuse(name: str) -> Json:
    raise ValueError(f"{name} is no number")


def whole(digits: str) -> int | str:
    if len(digits) > 20:
        return digits
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else digits


def fraction(digits: str) -> float | str:
    """Also of NaN and Infinity, which JSON has not."""
    number = float(digits)
    return number if abs(number) < float("inf") else digits
