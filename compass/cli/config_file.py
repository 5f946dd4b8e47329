"""~/.config/compass/config.toml: where `compass login` keeps keys. For its owner's eyes alone.

api_key = "compass_sa_…"
base_url = "https://compass.example.org"

[profiles.reports]
api_key = "compass_sa_…"
"""

import os
import stat
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Any

Profile = dict[str, str]

DEFAULT = ""
MEMBERS = ("api_key", "base_url")


class UnusableFile(Exception):  # noqa: N818 (a sentence for the person, who can mend it)
    """The file is there, but is not to be trusted or can't be read; says what to do."""


def path() -> Path:
    """By the XDG Base Directory Specification: a relative XDG_CONFIG_HOME counts as none. Raises
    UnusableFile where there is no home to keep it in."""
    chosen, home = os.environ.get("XDG_CONFIG_HOME", ""), _home()
    if Path(chosen).is_absolute():
        return Path(chosen) / "compass" / "config.toml"
    if home is None:
        raise UnusableFile(_NOWHERE.format("there is no home directory"))
    return home / ".config" / "compass" / "config.toml"


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None


_NOWHERE = "A key can't be stored: {}. Name a folder for it in XDG_CONFIG_HOME, or use variables."


def shown() -> str:
    """The path as a person writes it."""
    try:
        file, home = path(), _home()
    except UnusableFile:
        return "~/.config/compass/config.toml"
    return f"~/{file.relative_to(home)}" if home and file.is_relative_to(home) else str(file)


def _in_a_shell() -> str:
    tilde, slash, rest = shown().partition("~/")
    return f"~/{quote(rest)}" if slash and not tilde else quote(shown())


def read(profile: str = DEFAULT) -> Profile:
    """What is kept under this name; empty where there is nothing. Raises UnusableFile."""
    return _profiles().get(profile, {})


def names() -> list[str]:
    """The profiles there are, without the one that has no name. Raises UnusableFile."""
    return sorted(name for name in _profiles() if name)


def write(profile: str, kept: Profile) -> None:
    """Keeps this under the name, or nothing if it is empty. Raises UnusableFile, OSError.

    The file is replaced at once, so that whoever reads it meanwhile has the old one or the new.
    """
    profiles = _profiles() | {profile: kept}
    text = _as_toml({name: each for name, each in profiles.items() if each})
    # Whoever keeps their settings elsewhere, and a link to them here, goes on doing so.
    file = path().resolve()
    if not text:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes files with mode 0600.
    number, new = tempfile.mkstemp(dir=file.parent, prefix=".config-")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(new).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(new).unlink()
        raise


def require_writable() -> None:
    """That `write` will work, as far as it can be told before. Raises UnusableFile."""
    _profiles()
    folder = path().resolve().parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        words = f"{folder} can't be written ({error.strerror})"
        raise UnusableFile(_NOWHERE.format(words)) from None


def _profiles() -> dict[str, Profile]:
    try:
        file_path = path()
    except UnusableFile:
        return {}
    try:
        with file_path.open("rb") as file:
            _require_private(os.fstat(file.fileno()))
            document = tomllib.loads(file.read().decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UnusableFile(f"{shown()} can't be read: {error.strerror}.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        # What the parser says may quote a line, and with it a key.
        raise UnusableFile(
            f"{shown()} is not valid TOML. Mend it, or remove it and run: compass login"
        ) from None
    named = document.get("profiles", {})
    found = {DEFAULT: _profile(document)}
    if isinstance(named, dict):
        found |= {name: _profile(each) for name, each in named.items() if isinstance(each, dict)}
    return found


def _profile(table: dict[str, Any]) -> Profile:
    return {name: table[name] for name in MEMBERS if isinstance(table.get(name), str)}


def _require_private(status: os.stat_result) -> None:
    """As ssh does: a key that others can read is not one to go on using unawares."""
    if os.name != "posix":
        return
    if status.st_uid not in {os.getuid(), 0}:
        raise UnusableFile(f"{shown()} belongs to another user, and is not used.")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise UnusableFile(
            f"{shown()} can be read by others (mode {mode:04o}), and is not used. "
            f"Run: chmod 600 {_in_a_shell()}   (and if others use this machine, rotate the key)"
        )


def _as_toml(profiles: dict[str, Profile]) -> str:
    parts = []
    for name in sorted(profiles):
        lines = [f"[profiles.{_quoted(name)}]"] if name else []
        lines += [f"{member} = {_quoted(value)}" for member, value in profiles[name].items()]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _quoted(text: str) -> str:
    """A basic string of TOML 1.0."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'
