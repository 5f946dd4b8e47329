"""Every way to fail, as one sentence and an exit code."""

import re
import traceback
from collections.abc import Mapping, Sequence
from enum import IntEnum

from compass.cli import output
from compass.cli.config_file import UnusableFile
from compass.sdk import errors, keys


class ExitCode(IntEnum):
    """What a script can tell apart."""

    DONE = 0
    RUN_FAILED = 1
    CHECK_FAILED = 1  # of a connection
    FOUND = 1  # by `scan`
    USAGE = 2
    NO_KEY = 3
    KEY_REFUSED = 4
    NOT_ALLOWED = 5
    UNREACHABLE = 6
    NOT_FOUND = 7
    OTHER = 8
    # As shells count: 128 and the signal.
    INTERRUPTED = 130
    PIPE_CLOSED = 141


_CODES: dict[type[Exception], ExitCode] = {
    UnusableFile: ExitCode.NO_KEY,
    errors.MissingKey: ExitCode.NO_KEY,
    errors.AuthenticationError: ExitCode.KEY_REFUSED,
    errors.PermissionDenied: ExitCode.NOT_ALLOWED,
    errors.Unreachable: ExitCode.UNREACHABLE,
    errors.NotFound: ExitCode.NOT_FOUND,
}


class Failure(Exception):  # noqa: N818 (a sentence for the person, and an exit code)
    """Raised by commands; `command.Root` shows it and exits."""

    def __init__(self, sentence: str, code: ExitCode = ExitCode.OTHER):
        super().__init__(output.plain(masked(sentence), keep="\n"))
        self.code = code

    def show(self) -> None:
        output.note(f"Error: {self}")


def masked(text: str) -> str:
    """Without keys, and without what is most of one: cut off by one character, a key is guessed
    in no time."""
    return _NEARLY_A_KEY.sub(r"\1…", keys.mask(text))


_NEARLY_A_KEY = re.compile(r"(compass_(?:sa|pat)_[0-9A-Za-z]{4})[0-9A-Za-z]{4,}")


def of(error: Exception, debug: bool = False) -> Failure:
    """What a person is told of it."""
    if isinstance(error, Failure):
        return error
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), ExitCode.OTHER)
    if isinstance(error, errors.APIError) and error.code is None:
        # A proxy or a portal says no, and not Compass: of the key nothing is known.
        code = ExitCode.UNREACHABLE
    match error:
        case errors.MissingKey():
            sentence = (
                "There is no key. Run `compass login`, or set COMPASS_API_KEY to one "
                "(Settings → Developers → API Keys makes them)."
            )
        case errors.APIError():
            sentence = _with_request(error)
        case errors.CompassError() | UnusableFile():
            sentence = _in_a_line(str(error))
        case RecursionError():
            sentence = "What came is nested too deeply to be shown."
        case OSError():
            about = f"{error.filename}: " if error.filename else ""
            sentence = f"{about}{error.strerror or error}."
        case _:
            sentence = f"Something is wrong in compass itself ({type(error).__name__}: {error})."
            sentence += _traceback(error) if debug else " Run it again with --debug to see where."
    return Failure(sentence, code)


def _with_request(error: errors.APIError) -> str:
    words = _by_place(error.errors) or _in_a_line(error.detail)
    return f"{words} (request {error.request_id})" if error.request_id else words


def _by_place(found: Mapping[str, Sequence[str]]) -> str:
    """What is wrong where, each in a line if there are several."""
    lines = [
        _in_a_line(f"{place.strip('/') or 'it'}: {' '.join(texts)}")
        for place, texts in found.items()
    ]
    return "\n  ".join(["Several things are wrong:", *lines] if len(lines) > 1 else lines)


def _in_a_line(text: str) -> str:
    """Words from elsewhere: a line of their own could pass for one of ours."""
    return " ".join(text.splitlines())


def _traceback(error: Exception) -> str:
    return "\n" + "".join(traceback.format_exception(error))
