"""Settings: what is read, what is refused, and in which words."""

import stat
import threading
from pathlib import Path

import pytest

from compass.server.config import ConfigError, Settings

FERNET = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def read(**environ: str) -> Settings:
    return Settings.from_env(environ)


def test_the_defaults_are_those_of_one_small_machine() -> None:
    settings = read()
    assert settings.home == Path("instance").absolute()
    assert settings.sqlite_file == settings.home / "compass.db"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.trusted_proxies == 0
    assert settings.max_key_lifetime_days is None
    assert settings.public_url is None
    assert settings.rate_limit


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMPASS_PORT", "http"),
        ("COMPASS_PORT", "-1"),
        ("COMPASS_PORT", "65536"),
        ("COMPASS_PORT", "8000.0"),
        ("COMPASS_PUBLIC_URL", "compass.example"),
        ("COMPASS_PUBLIC_URL", "ftp://compass.example"),
        ("COMPASS_PUBLIC_URL", "https://compass.example/path"),
        ("COMPASS_PUBLIC_URL", "https://me@compass.example"),
        ("COMPASS_TRUSTED_PROXIES", "yes"),
        ("COMPASS_MAX_KEY_LIFETIME_DAYS", "0"),
        ("COMPASS_MAX_KEY_LIFETIME_DAYS", "forever"),
        ("COMPASS_RATE_LIMIT", "many"),
        ("COMPASS_RATE_LIMIT", "0/minute"),
        ("COMPASS_RATE_LIMIT_STORAGE", "ftp://x"),
        ("COMPASS_RATE_LIMIT_STORAGE", "memory"),
        ("COMPASS_PUBLIC_URL", "http://compass:abc"),
        ("COMPASS_PUBLIC_URL", "https://com pass.example"),
        ("COMPASS_PORT", "0"),
        ("COMPASS_DATABASE_URL", "nonsense"),
        ("COMPASS_DATABASE_URL", "mysql://root:hunter2@x/y"),
        ("COMPASS_DATABASE_URL", "sqlite://"),
        ("COMPASS_SECRET_KEY", "hunter2"),
        ("COMPASS_ENCRYPTION_KEYS", "hunter2"),
        ("COMPASS_ENCRYPTION_KEYS", f"{FERNET},hunter2"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it_and_tells_no_secret(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**{name: value})
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_each_setting_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("k" * 40 + "\n")
    assert read(COMPASS_SECRET_KEY_FILE=str(file)).secret_key == "k" * 40
    with pytest.raises(ConfigError, match="COMPASS_SECRET_KEY and COMPASS_SECRET_KEY_FILE"):
        read(COMPASS_SECRET_KEY="k" * 40, COMPASS_SECRET_KEY_FILE=str(file))
    with pytest.raises(ConfigError, match="COMPASS_PORT_FILE cannot be read"):
        read(COMPASS_PORT_FILE=str(tmp_path / "missing"))


def test_blank_is_as_good_as_not_given() -> None:
    assert read(COMPASS_PORT="", COMPASS_PUBLIC_URL="  ").port == 8000


def test_no_repr_shows_a_secret() -> None:
    settings = read(
        COMPASS_SECRET_KEY="k" * 40,
        COMPASS_ENCRYPTION_KEYS=FERNET,
        COMPASS_DATABASE_URL="postgresql://me:hunter2@db/compass",
    )
    assert not any(secret in repr(settings) for secret in ("kkkk", FERNET, "hunter2"))


def test_several_machines_need_secrets_that_are_given() -> None:
    url = {"COMPASS_DATABASE_URL": "postgresql://db/compass"}
    with pytest.raises(ConfigError, match="COMPASS_SECRET_KEY must be given"):
        read(**url)
    with pytest.raises(ConfigError, match="COMPASS_ENCRYPTION_KEYS must be given"):
        read(**url, COMPASS_SECRET_KEY="k" * 40)
    settings = read(**url, COMPASS_SECRET_KEY="k" * 40, COMPASS_ENCRYPTION_KEYS=FERNET)
    assert settings.database_url.drivername == "postgresql+psycopg"
    assert settings.sqlite_file is None


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe\n"])
def test_a_signing_key_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    """With an empty one, anybody could sign a cookie and compute the setup token."""
    (tmp_path / "secret_key").write_bytes(content)
    with pytest.raises(ConfigError, match="COMPASS_HOME holds no signing key"):
        read(COMPASS_HOME=str(tmp_path)).signing_key()


def test_many_processes_that_start_at_once_share_one_signing_key(tmp_path: Path) -> None:
    settings = read(COMPASS_HOME=str(tmp_path / "home"))
    start, found = threading.Barrier(8), []

    def ask() -> None:
        start.wait()
        found.append(settings.signing_key())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found[0]) >= 64
    assert [path.name for path in settings.home.iterdir()] == ["secret_key"]
    assert stat.S_IMODE((settings.home / "secret_key").stat().st_mode) == 0o600
    assert settings.home.stat().st_mode & 0o077 == 0
