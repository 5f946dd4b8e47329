"""httpx's clients, with what the environment says of proxies and certificates, or a sentence."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from compass.sdk.addresses import is_this_machine
from compass.sdk.errors import CompassError
from compass.sdk.keys import mask

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_CERTIFICATES = "SSL_CERT_FILE"


def client(
    base_url: str,
    timeout: float,
    headers: dict[str, str] | None = None,
    transport: "httpx.BaseTransport | None" = None,
) -> "httpx.Client":
    """Raises CompassError."""
    import httpx

    def make() -> httpx.Client:
        # One that is given a transport leaves the environment's proxies to it: none is for this
        # very machine, nor is it to see the key.
        own = transport or (httpx.HTTPTransport() if _stays_here(base_url) else None)
        return httpx.Client(base_url=base_url, headers=headers, timeout=timeout, transport=own)

    return made(make)


def async_client(
    base_url: str,
    timeout: float,
    headers: dict[str, str],
    transport: "httpx.AsyncBaseTransport | None",
) -> "httpx.AsyncClient":
    """Raises CompassError."""
    import httpx

    def make() -> httpx.AsyncClient:
        own = transport or (httpx.AsyncHTTPTransport() if _stays_here(base_url) else None)
        return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=timeout, transport=own)

    return made(make)


def made(make: Callable[[], T]) -> T:
    """What this makes. Raises CompassError where the environment says what can't be done."""
    import httpx

    try:
        return make()
    except ImportError:
        words = _socks()
    except (ValueError, httpx.InvalidURL):
        words = "The proxy of the environment is no address of one. Mend HTTPS_PROXY, ALL_PROXY "
        words += "and NO_PROXY, or unset them."
    except OSError as error:
        # Of a client that is only made, nothing but the certificates is read.
        if not os.environ.get(_CERTIFICATES):
            raise
        words = _certificates(error)
    raise CompassError(words)


def _stays_here(base_url: str) -> bool:
    return is_this_machine(urlsplit(base_url).hostname or "")


def _socks() -> str:
    # Its value may have a password.
    names = (name for name in sorted(os.environ) if os.environ[name].lower().startswith("socks"))
    variable = next((name for name in names if name.lower().endswith("_proxy")), "The environment")
    return (
        f"{variable} names a SOCKS proxy, for which a package is missing: pip install "
        "'httpx[socks]', or unset it."
    )


def _certificates(error: OSError) -> str:
    where = mask(os.environ[_CERTIFICATES])
    wrong = "can't be read" if isinstance(error, PermissionError) else "has no certificates"
    if isinstance(error, FileNotFoundError):
        wrong = "doesn't exist"
    return (
        f"{_CERTIFICATES} names {where}, which {wrong}. Name a file of certificates, or unset it."
    )
