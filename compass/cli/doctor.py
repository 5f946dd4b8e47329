"""`compass doctor`: what stands between this machine and a call that works, and what to do."""

import re
import sys
from collections.abc import Generator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from urllib.parse import urlsplit

import click

from compass.cli import config_file, failures, output, session, settings
from compass.cli.account import expiry
from compass.cli.command import Command, choices
from compass.cli.config_file import UnusableFile
from compass.cli.failures import ExitCode, Failure
from compass.cli.settings import Setting
from compass.sdk import addresses, errors, keys, transports

if TYPE_CHECKING:
    import httpx

    from compass.sdk.shapes import Me

# So far apart, a time that one clock gives misleads who reads the other.
CLOCKS_APART_SECONDS = 30
_TIMEOUT_SECONDS = 10
_INDENT = 13
_ERRNO = re.compile(r"\[Errno -?\d+\] ")


@dataclass(frozen=True)
class Check:
    """One line. `ok` is None for what is worth knowing and stops nothing."""

    name: str
    ok: bool | None
    message: str
    advice: str = ""
    exit_code: int = ExitCode.DONE


_T = TypeVar("_T")
# Lines as they are found, and in the end what the next ones need to know.
_Checks: TypeAlias = Generator[Check, None, _T]


@click.command(cls=Command)
def doctor() -> None:
    """Find out why calls don't work, or that they do.

    Looks at where the key and the address come from, at the key's shape (offline), at the server
    and its clock, and at what the server says of the key. Exits with 0, or as the first line with
    a cross would make any other command.
    """
    checks: list[Check] = []
    for check in _checks():
        checks.append(check)
        if not choices().json:
            _show(check)
    failed = next((check for check in checks if check.ok is False), None)
    if choices().json:
        output.as_json({"ok": failed is None, "checks": [asdict(check) for check in checks]})
    if failed:
        click.get_current_context().exit(failed.exit_code)


def _checks() -> _Checks[None]:
    key = yield from _key()
    base_url = yield from _address()
    if base_url is None:
        return
    is_up = yield from _server(base_url)
    if is_up and key is not None:
        yield from _accepted(key, base_url)


def _key() -> _Checks[Setting | None]:
    try:
        key = settings.api_key()
    except (Failure, UnusableFile) as error:
        yield Check("Key", False, str(error), exit_code=ExitCode.NO_KEY)
        return None
    if key is None:
        message = f"neither a flag, nor {keys.VARIABLE}, nor {config_file.shown()} has one"
        advice = "Run `compass login`. Keys are made at Settings → Developers → API Keys."
        yield Check("Key", False, message, advice, ExitCode.NO_KEY)
        return None
    yield Check("Key", True, f"{keys.hint(key.value)} from {key.origin}")
    if key.stripped:
        message = f"{' and '.join(key.stripped)} around the key, left out here"
        yield Check("Stripped", None, message, "Other programs may send them too: mend the source.")
    if wrong := keys.complaint(key.value):
        # Its own words say what to do.
        yield Check("Shape", False, wrong, exit_code=ExitCode.KEY_REFUSED)
        return None
    yield Check("Shape", True, "whole, with the right checksum")
    return key


def _address() -> _Checks[str | None]:
    try:
        address = settings.base_url()
        base_url = settings.cleaned(address)
    except (Failure, UnusableFile) as error:
        code = error.code if isinstance(error, Failure) else ExitCode.NO_KEY
        yield Check("Address", False, str(error), exit_code=code)
        return None
    yield Check("Address", True, f"{base_url} from {address.origin}")
    parts = urlsplit(base_url)
    if parts.scheme == "http" and not addresses.is_this_machine(parts.hostname or ""):
        message = "plain HTTP: whoever is on the way to the server can read the key"
        yield Check("Encrypted", None, message, "Use https where the server has it.")
    return base_url


def _server(base_url: str) -> _Checks[bool]:
    """Without the key: whether Compass answers there at all."""
    import httpx

    try:
        with transports.client(base_url, _TIMEOUT_SECONDS) as client:
            start = perf_counter()
            answer = client.get("/healthz")
            milliseconds = round(1000 * (perf_counter() - start))
    except errors.CompassError as error:
        # Of this machine's settings: nothing was sent.
        yield Check("Server", False, str(error), exit_code=failures.of(error).code)
        return False
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        message = f"no answer: {_ERRNO.sub('', str(error)) or type(error).__name__}"
        advice = "Is it up, the address right, and no proxy or firewall in between?"
        yield Check("Server", False, message, advice, ExitCode.UNREACHABLE)
        return False
    if answer.is_redirect:
        message = f"it leads elsewhere, to {answer.headers.get('Location', 'nowhere')}"
        advice = f"A key is not sent after that: set {addresses.VARIABLE} to where Compass is."
        yield Check("Server", False, message, advice, ExitCode.UNREACHABLE)
        return False
    if not _is_compass(answer):
        message = f"something answers ({answer.status_code}), but not as Compass does"
        advice = "Is the address right, with the path under which a proxy has it?"
        yield Check("Server", False, message, advice, ExitCode.UNREACHABLE)
        return False
    yield Check("Server", True, f"answers, in {milliseconds} ms")
    yield from _clock(answer.headers.get("Date", ""))
    return True


def _is_compass(answer: "httpx.Response") -> bool:
    try:
        return answer.is_success and answer.json() == {"status": "ok"}
    except ValueError:
        return False


def _clock(date: str) -> _Checks[None]:
    try:
        apart = datetime.now(UTC) - parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return
    seconds = abs(round(apart.total_seconds()))
    if seconds <= CLOCKS_APART_SECONDS:
        yield Check("Clock", True, "the server's and this one agree")
        return
    way = "ahead of" if apart.total_seconds() > 0 else "behind"
    message = f"this machine's is {timedelta(seconds=seconds)} {way} the server's"
    yield Check("Clock", None, message, "Set the wrong one, or times that are shown mislead.")


def _accepted(key: Setting, base_url: str) -> _Checks[None]:
    try:
        with session.client_with(key, Setting(base_url, ""), hurries=True) as compass:
            me = compass.me()
    except errors.CompassError as error:
        failure = failures.of(error)
        yield Check("Accepted", False, str(failure), _next_step(error), failure.code)
        return
    yield Check("Accepted", True, "the server knows the key")
    yield Check("Project", True, f"{me.project.name} ({me.project.id})")
    yield Check("Role", True, _role(me))
    yield Check("Owner", True, f"{me.user.name} <{me.user.email}>" if me.user else
                "none: a service account, which works on whoever leaves")  # fmt: skip
    yield from _expires(me)


def _next_step(error: errors.CompassError) -> str:
    if not isinstance(error, errors.AuthenticationError) or error.code is None:
        return ""
    if error.code == "invalid_token":
        return "It may be of another installation: compare the address. Or make another key."
    return "Get another at Settings → Developers → API Keys, and run `compass login`."


def _role(me: "Me") -> str:
    if me.role == me.key.role:
        return me.role
    return f"{me.role}, though the key's is {me.key.role}: its owner is no longer more"


def _expires(me: "Me") -> _Checks[None]:
    expires_at = me.key.expires_at
    soon = expires_at is not None and expires_at - datetime.now(UTC) < timedelta(days=14)
    advice = "Rotate it in the browser, which gives it a new expiry." if soon else ""
    yield Check("Expires", None if soon else True, expiry(me), advice)


def _show(check: Check) -> None:
    mark, colour = {True: ("✓", "green"), False: ("✗", "red"), None: ("!", "yellow")}[check.ok]
    text = f"{check.message}. {check.advice}" if check.advice else check.message
    line = f"{mark} {check.name:<{_INDENT - 2}}{output.plain(text)}"
    if sys.stdout.isatty():
        line = output.folded(line, output.columns(), " " * _INDENT)
    click.echo(click.style(mark, fg=colour) + line.removeprefix(mark))
