"""Settings: read from the environment once, checked before anything starts.

Each setting NAME can also be given as NAME_FILE, the path of a file that holds its value
(for secrets mounted by an orchestrator). A wrong value raises `ConfigError`, one line that
names the variable.
"""

import base64
import binascii
import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from flask import current_app
from limits import RateLimitItem, parse_many
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

T = TypeVar("T")

MIN_SECRET_LENGTH = 32


class ConfigError(Exception):
    """A setting has a value that Compass cannot start with."""


@dataclass(frozen=True)
class Settings:
    """What an installation can choose. Durations are in days, addresses as given."""

    home: Path
    database_url: URL
    public_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    trusted_proxies: int = 0
    max_key_lifetime_days: int | None = None
    rate_limit: tuple[RateLimitItem, ...] = ()
    rate_limit_storage: str = "memory://"
    allow_metadata: bool = False
    run_retention_days: int = 90
    secret_key: str | None = field(default=None, repr=False)
    encryption_keys: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Raises ConfigError."""
        read = _Reader(environ)
        home = read("COMPASS_HOME", _path, Path("instance").absolute())
        settings = cls(
            home=home,
            database_url=read("COMPASS_DATABASE_URL", _database_url, _sqlite_in(home)),
            public_url=read("COMPASS_PUBLIC_URL", _public_url, None),
            host=read("COMPASS_HOST", str, "127.0.0.1"),
            port=read("COMPASS_PORT", _whole(1, 65535), 8000),
            trusted_proxies=read("COMPASS_TRUSTED_PROXIES", _whole(0, 10), 0),
            max_key_lifetime_days=read("COMPASS_MAX_KEY_LIFETIME_DAYS", _whole(1, 3650), None),
            rate_limit=read("COMPASS_RATE_LIMIT", _rate_limit, _rate_limit("6000/minute")),
            rate_limit_storage=read("COMPASS_RATE_LIMIT_STORAGE", _storage, "memory://"),
            allow_metadata=read("COMPASS_ALLOW_METADATA_ADDRESSES", _yes_or_no, False),
            run_retention_days=read("COMPASS_RUN_RETENTION_DAYS", _whole(1, 36500), 90),
            secret_key=read("COMPASS_SECRET_KEY", _secret_key, None),
            encryption_keys=read("COMPASS_ENCRYPTION_KEYS", _fernet_keys, ()),
        )
        settings._check_shared_secrets()
        return settings

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.get_backend_name() == "sqlite"

    @property
    def sqlite_file(self) -> Path | None:
        """The database file, or None where the database is a server."""
        return Path(self.database_url.database or "") if self.is_sqlite else None

    @property
    def shown_url(self) -> str:
        """What people open, as far as it is known without a request."""
        return self.public_url or url_of(self.host, self.port)

    @property
    def is_https(self) -> bool:
        return (self.public_url or "").startswith("https://")

    def _check_shared_secrets(self) -> None:
        """Machines that each invent their own secrets could not work together."""
        if self.is_sqlite:
            return
        for name, value in (
            ("COMPASS_SECRET_KEY", self.secret_key),
            ("COMPASS_ENCRYPTION_KEYS", self.encryption_keys),
        ):
            if not value:
                raise ConfigError(f"{name} must be given with a database other than SQLite")

    def signing_key(self) -> str:
        """The key that signs cookies: the setting, else one kept in COMPASS_HOME."""
        if self.secret_key:
            return self.secret_key
        path = self.home / "secret_key"
        key = _kept(path, lambda: secrets.token_urlsafe(48))
        if len(key) < MIN_SECRET_LENGTH:
            # A short one, above all an empty one, would let anybody sign cookies.
            raise ConfigError(
                f"COMPASS_HOME holds no signing key in {path}. Remove that file to have one made: "
                "everybody signs in again then."
            )
        return key

    @property
    def has_vault_keys(self) -> bool:
        """Whether there are keys already, so that none need be made."""
        return bool(self.encryption_keys) or (self.home / "encryption_keys").exists()

    def vault_keys(self) -> tuple[str, ...]:
        """The keys that seal credentials, the newest first: the setting, else what is kept in
        COMPASS_HOME."""
        if self.encryption_keys:
            return self.encryption_keys
        path = self.home / "encryption_keys"
        kept = _kept(path, lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        try:
            return _fernet_keys(kept)
        except ValueError as error:
            raise ConfigError(f"COMPASS_HOME: what {path} holds {error}") from None


def url_of(host: str, port: int) -> str:
    """Of a server that listens there; where it listens to everything, as this machine's own."""
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"


def settings() -> Settings:
    """The settings of the running application."""
    value = current_app.config["COMPASS"]
    assert isinstance(value, Settings)  # noqa: S101 (for the type checker)
    return value


def _kept(path: Path, make: Callable[[], str]) -> str:
    """What the file holds; made, with mode 0600, if it is not there.

    By linking a finished one into place, so that of several processes that start at once all end
    up with the same secret and none reads half of it.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(make())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes().decode("ascii", "replace").strip()


class _Reader:
    def __init__(self, environ: Mapping[str, str]):
        self._environ = environ

    def __call__(self, name: str, parse: Callable[[str], T], default: T) -> T:
        text = self._text(name)
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            raise ConfigError(f"{name} {error}") from None

    def _text(self, name: str) -> str:
        """Blank counts as not given: an empty line in an env file is not a value."""
        plain = self._environ.get(name, "").strip()
        file = self._environ.get(f"{name}_FILE", "").strip()
        if plain and file:
            raise ConfigError(f"{name} and {name}_FILE are both given: keep one of them")
        if not file:
            return plain
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise ConfigError(f"{name}_FILE cannot be read: {reason}: {file}") from None


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _sqlite_in(home: Path) -> URL:
    return URL.create("sqlite", database=str(home / "compass.db"))


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"must be a whole number from {low} to {high}, not {text!r}")
        return int(text)

    return parse


def _database_url(text: str) -> URL:
    # Never quote the value: it may hold a password.
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError("must be a database URL such as postgresql://host/name") from None
    name = url.drivername
    if name in {"postgres", "postgresql", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg")
    if name in {"sqlite", "sqlite+pysqlite"}:
        if not url.database or url.database == ":memory:":
            raise ValueError("must name a file, such as sqlite:////var/lib/compass/compass.db")
        return url.set(drivername="sqlite", database=str(Path(url.database).absolute()))
    raise ValueError("must begin with postgresql:// or sqlite:///")


def _public_url(text: str) -> str:
    parts, port = urlsplit(text), None
    with suppress(ValueError):
        port = parts.port or 443
    host = re.fullmatch(r"[A-Za-z0-9._-]+|[0-9a-fA-F:]+", parts.hostname or "")
    if parts.scheme not in {"http", "https"} or not host or not port:
        raise ValueError(f"must be an address such as https://compass.example.org, not {text!r}")
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be scheme and host alone, without a path or user")
    return f"{parts.scheme}://{parts.netloc}"


def _yes_or_no(text: str) -> bool:
    if text.lower() not in {"yes", "no"}:
        raise ValueError(f"must be yes or no, not {text!r}")
    return text.lower() == "yes"


def _rate_limit(text: str) -> tuple[RateLimitItem, ...]:
    if text.lower() in {"none", "off"}:
        return ()
    try:
        limits = tuple(parse_many(text))
        if any(limit.amount < 1 for limit in limits):
            raise ValueError
        return limits
    except ValueError:
        raise ValueError(f"must be like '600/minute' or 'none', not {text!r}") from None


def _storage(text: str) -> str:
    scheme, found, _ = text.partition("://")
    if not found or scheme not in {"memory", "redis", "rediss", "redis+unix"}:
        raise ValueError("must begin with memory:// or redis://")
    if scheme != "memory" and find_spec("redis") is None:
        raise ValueError("needs the redis extra: pip install 'compass-keys[server,redis]'")
    return text


def _secret_key(text: str) -> str:
    if len(text) < MIN_SECRET_LENGTH:
        raise ValueError(f"must have at least {MIN_SECRET_LENGTH} characters")
    return text


def _fernet_keys(text: str) -> tuple[str, ...]:
    """One or more Fernet keys, separated by commas; the first one encrypts."""
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if not keys:
        raise ValueError("must be Fernet keys: 32 random bytes each, in URL-safe base64")
    for key in keys:
        try:
            size = len(base64.urlsafe_b64decode(key))
        except (binascii.Error, ValueError):
            size = 0
        if size != 32:
            raise ValueError("must be Fernet keys: 32 random bytes each, in URL-safe base64")
    return keys
