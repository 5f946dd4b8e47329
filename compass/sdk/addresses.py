"""Where Compass is: the base URL as people write it, made into the one that calls begin with."""

import re
from urllib.parse import urlsplit

from compass.sdk.keys import PATTERN

VARIABLE = "COMPASS_BASE_URL"
DEFAULT = "http://127.0.0.1:8000"

LITTER = " \t\r\n\v\f\xa0\ufeff\u200b\"'`“”‘’"
_PLAIN = re.compile(r"[^\s\\\x00-\x1f\x7f\ud800-\udfff]+")
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d*)?(/|$)", re.IGNORECASE)


def base_url(text: str) -> str:
    """Scheme, host and path alone, without a slash at the end. Raises ValueError, with a sentence.

    Without a scheme it is https, but for this very machine. A `/v1` at the end is taken off:
    people copy it from the address of a call.
    """
    text = text.strip(LITTER)
    if PATTERN.search(text):
        raise ValueError("The base URL holds a key. Give the address alone, and the key by itself.")
    if not _SCHEME.match(text):
        text = f"{'http' if _LOOPBACK.match(text) else 'https'}://{text}"
    try:
        parts = urlsplit(text)
        is_odd = parts.port == 0 or parts.netloc.endswith(":")
        host = parts.hostname or ""
        # Names with an empty part, or one that is too long, no resolver takes.
        host.encode("idna")
    except ValueError:
        raise ValueError("The base URL is no address. Give one such as " + _EXAMPLE) from None
    if "@" in parts.netloc:
        raise ValueError("Leave user and password out of the base URL: the key is enough.")
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host) or is_odd:
        raise ValueError(f"The base URL {text!r} is no web address. Give one such as {_EXAMPLE}")
    if parts.query or parts.fragment or not _PLAIN.fullmatch(text):
        raise ValueError(f"Leave the base URL at scheme, host and path, such as {_EXAMPLE}")
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return _judged(f"{parts.scheme}://{parts.netloc}{path}")


def is_this_machine(host: str) -> bool:
    """Whether what is sent to it stays here: no proxy is asked, and nobody is on the way."""
    return host.lower() in {"localhost", "::1"} or host.startswith("127.")


def _judged(url: str) -> str:
    """Names in other scripts are httpx's to judge, which is imported where a call is near."""
    import httpx

    try:
        _ = httpx.URL(url).host
    except (httpx.InvalidURL, UnicodeError):
        raise ValueError(f"The base URL {url!r} is no web address.") from None
    return url


_EXAMPLE = "https://compass.example.org."
