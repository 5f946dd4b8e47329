"""The real command on a real terminal of 80 columns."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from types import TracebackType
from typing import Self

from tests.cli.conftest import COMMAND

_PATIENCE_SECONDS = 30
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """A session with `compass`; `shown` is all that came on the screen."""

    def __init__(self, *arguments: str, **environment: str):
        self.shown = ""
        self._arguments, self._environment = arguments, environment

    def __enter__(self) -> Self:
        self._screen, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [COMMAND, *self._arguments],
            stdin=other,
            stdout=other,
            stderr=other,
            env=os.environ | {"TERM": "xterm", "NO_COLOR": "1"} | self._environment,
            # With a terminal of its own, so that Ctrl-C reaches it and getpass finds it.
            preexec_fn=lambda: _take_as_own(other),
        )
        os.close(other)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._screen)

    def types(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def expects(self, text: str) -> None:
        """Reads until this is shown."""
        while text not in self.shown:
            assert self._read(), f"it ended with: {self.shown}"

    def ends(self) -> int:
        """Reads to the end; its exit code."""
        while self._read():
            pass
        return self.process.wait(timeout=_PATIENCE_SECONDS)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._screen], [], [], _PATIENCE_SECONDS)
        assert ready, f"nothing more came after: {self.shown}"
        try:
            data = os.read(self._screen, 65536)
        except OSError:
            # How Linux says that the other side is closed.
            return False
        self.shown += _COLOURS.sub("", data.decode()).replace("\r\n", "\n")
        return bool(data)


def _take_as_own(terminal: int) -> None:
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
