"""Nothing that a target says is believed to be free of the credentials that it was given: they are
taken out of whatever is kept or shown, also as the usual encodings spell them."""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote, quote_plus

import orjson

MASK = "•••"

# What is shorter is guessed in no time, and would be found in half of all words.
SHORTEST = 4

_SECRET_MEMBERS = {"token", "password", "value"}

Json = Any


class Scrubber:
    """Knows one connection's secrets."""

    def __init__(self, credentials: dict[str, Any]):
        whole = {
            str(each) for name, each in credentials.items() if name in _SECRET_MEMBERS and each
        }
        # Of a header `Token abc` the target may say back the part that is the secret alone.
        parts = set(str(credentials.get("value", "")).split())
        if credentials.get("auth") == "basic":
            whole.add(_basic(credentials))
        self._secrets = {each for each in whole | parts if len(each) >= SHORTEST}
        spelled = {each for secret in self._secrets for each in _spelled(secret)}
        # The longest first, so that of one inside another nothing is left over.
        self._spelled = sorted(spelled, key=len, reverse=True)

    def text(self, text: str) -> str:
        for secret in self._spelled:
            text = text.replace(secret, MASK)
        return text

    def json(self, value: Json) -> Json:
        """Also in names, and in numbers. The value itself, where there is nothing to take out.

        The names of its own members stay: they are ours (`json`, `rows`), and say what follows.
        """
        written = orjson.dumps(value)
        if not any(orjson.dumps(each)[1:-1] in written for each in self._spelled):
            return value
        if isinstance(value, dict):
            return {name: self._without(each) for name, each in value.items()}
        return self._without(value)

    def _without(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self._without(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._without(each) for each in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return MASK if orjson.dumps(value).decode() in self._secrets else value
        return value


def credential_headers(credentials: dict[str, Any]) -> dict[str, str]:
    """What each request of an http connection carries of them."""
    match credentials["auth"]:
        case "bearer":
            return {"Authorization": f"Bearer {credentials['token']}"}
        case "basic":
            return {"Authorization": f"Basic {_basic(credentials)}"}
        case "header":
            return {credentials["name"]: credentials["value"]}
    return {}


def _basic(credentials: dict[str, Any]) -> str:
    """RFC 7617, section 2."""
    return b64encode(f"{credentials['username']}:{credentials['password']}".encode()).decode()


def _spelled(secret: str) -> set[str]:
    plain = secret.encode()
    quoted = quote(secret, safe="")
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quoted,
        quoted.lower() if quoted != secret else quoted,
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
        b64encode(plain).decode(),
        urlsafe_b64encode(plain).decode().rstrip("="),
        # A header's bytes are read as Latin-1.
        plain.decode("latin-1"),
    }
