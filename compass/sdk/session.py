"""What a client is set to, and what it has noticed. Of the key it shows the hint alone."""

import os
import sys
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Self

from compass.sdk import addresses, keys
from compass.sdk.errors import CompassError, MalformedKey, MissingKey
from compass.sdk.exchange import Lost, Request

if TYPE_CHECKING:
    import httpx


class KeyExpires(UserWarning):
    """The key is in its last 14 days. Warned of once by each client."""


@dataclass
class Session:
    key: str = field(repr=False)
    base_url: str
    timeout: float
    max_retries: int
    # Known once an answer has come in the key's last 14 days.
    key_expires_at: datetime | None = None
    _has_warned: bool = False

    @classmethod
    def of(cls, api_key: "Given", base_url: str | None, timeout: float, max_retries: int) -> Self:
        """Of what is given, and the environment where it isn't. Raises MissingKey, MalformedKey,
        and CompassError for an address that is none."""
        return cls(_key(api_key), _address(base_url), timeout, max(0, max_retries))

    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.key}",
            "Accept": "application/json",
            "User-Agent": f"compass-keys/{_version()} Python/{sys.version.split()[0]}",
        }

    def timeout_of(self, request: Request) -> float:
        return min(self.timeout, self.timeout if request.timeout is None else request.timeout)

    def note(self, request: Request, answer: "httpx.Response") -> None:
        """Warns, once, where the answer says that the key is about to expire.

        A warning may be an error where it is raised, by a filter: then reading calls alone raise.
        """
        header = answer.headers.get("Compass-Key-Expires")
        if not header or self._has_warned:
            return
        try:
            self.key_expires_at = datetime.fromisoformat(header)
        except ValueError:
            return
        self._has_warned = True
        try:
            self._warn(self.key_expires_at)
        except KeyExpires:
            # The answer to what changed something must get through. The next reading tells it.
            self._has_warned = request.method == "GET"
            if self._has_warned:
                raise

    def _warn(self, expires_at: datetime) -> None:
        warnings.warn(
            f"The key {keys.hint(self.key)} expires on {expires_at:%Y-%m-%d at %H:%M} UTC, in "
            f"{_days(expires_at)}. In Compass, at Settings → Developers → API Keys, it can be "
            "rotated and given a new expiry.",
            KeyExpires,
            stacklevel=_users_frame(),
        )

    def lost(self, error: "httpx.RequestError") -> Lost:
        import httpx

        words = keys.mask(str(error)) or type(error).__name__
        if isinstance(
            error,
            httpx.ConnectError
            | httpx.ConnectTimeout
            | httpx.PoolTimeout
            | httpx.ProxyError
            | httpx.UnsupportedProtocol,
        ):
            words = f"Compass can't be reached at {self.base_url}: {words}."
            return Lost(f"{words} Is the server up, and COMPASS_BASE_URL right?", sent=False)
        if isinstance(error, httpx.TimeoutException):
            words = f"Compass at {self.base_url} did not answer within {self.timeout:g} s."
            return Lost(words, sent=True)
        words = f"The connection to {self.base_url} broke before an answer came: {words}."
        return Lost(words, sent=True)


@dataclass(frozen=True)
class Given:
    """A key as it was given. Error reporters show the locals of each frame, but not what is in
    here."""

    text: str | None = field(repr=False)


def _key(given: Given) -> str:
    is_variable = given.text is None
    cleaned = keys.clean(given.text or (os.environ.get(keys.VARIABLE, "") if is_variable else ""))
    where = f"the variable {keys.VARIABLE}" if is_variable else "api_key"
    if not cleaned.key:
        if not is_variable:
            raise MissingKey("api_key is empty. Give a key, or leave it out to use the variable.")
        raise MissingKey(
            f"There is no key. Set {keys.VARIABLE}, or give api_key: Compass(api_key=…). Keys are "
            "made in Compass, at Settings → Developers → API Keys."
        )
    if wrong := keys.complaint(cleaned.key):
        raise MalformedKey(f"{wrong} (It is from {where}.)")
    return cleaned.key


def _address(given: str | None) -> str:
    texts = (given or "", os.environ.get(addresses.VARIABLE, ""))
    text = next((each for each in texts if each.strip(addresses.LITTER)), addresses.DEFAULT)
    try:
        return addresses.base_url(text)
    except ValueError as error:
        words = str(error)
    raise CompassError(words)


def _days(moment: datetime) -> str:
    days = max(0, (moment - datetime.now(UTC)).days)
    return "1 day" if days == 1 else f"{days} days" if days else "less than a day"


@cache
def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("compass-keys")
    except PackageNotFoundError:
        return "0"


def _users_frame() -> int:
    """How far up the stack the code is that called the library."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("compass.sdk."):
        level, frame = level + 1, frame.f_back
    return level
