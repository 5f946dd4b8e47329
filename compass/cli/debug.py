"""`--debug`: each request and answer on standard error, without what is secret in them."""

import json
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from compass.cli import output
from compass.sdk.addresses import is_this_machine
from compass.sdk.keys import mask
from compass.sdk.transports import made

# Members whose values are never shown, wherever in a body they are.
SECRET = {"credentials", "secret"}
_HIDDEN = "•••"
_LONGEST = 4000


class Shown(httpx.BaseTransport):
    """httpx's own transport, with a look at what goes through it."""

    def __init__(self, base_url: str):
        # A client that is given a transport leaves the environment's proxies to it.
        self._inner = made(lambda: httpx.HTTPTransport(proxy=_proxy_for(base_url)))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        _say(">", f"{request.method} {request.url}", request.headers, request.content)
        start = perf_counter()
        try:
            answer = self._inner.handle_request(request)
            answer.read()
        except httpx.TransportError as error:
            _say("<", f"no answer: {error or type(error).__name__}", httpx.Headers(), b"")
            raise
        milliseconds = round(1000 * (perf_counter() - start))
        first = f"{answer.status_code} {answer.reason_phrase}, in {milliseconds} ms"
        _say("<", first, answer.headers, answer.content)
        return answer

    def close(self) -> None:
        self._inner.close()


def _proxy_for(base_url: str) -> str | None:
    parts, host = urlsplit(base_url), urlsplit(base_url).hostname or ""
    if is_this_machine(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{found}" if found and "://" not in found else found


def _say(mark: str, first: str, headers: httpx.Headers, body: bytes) -> None:
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        # Masked before it is cut: what is left of a key would be shown otherwise.
        lines += ["", *mask(_body(body))[:_LONGEST].splitlines()]
    for line in lines:
        output.note(f"{mark} {mask(line)}".rstrip())


def _body(body: bytes) -> str:
    try:
        return json.dumps(_without_secrets(json.loads(body)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return f"({len(body)} bytes that are not JSON)"


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {n: _HIDDEN if n in SECRET else _without_secrets(v) for n, v in value.items()}
    return [_without_secrets(each) for each in value] if isinstance(value, list) else value
