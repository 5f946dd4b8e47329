"""How a step fails, and the clock that it runs against."""

from time import monotonic
from typing import Any

Json = Any

# Of what a target answers, as it is and unpacked.
MOST_BYTES = 1 << 20


class StepError(Exception):
    """`code` is for programs, `str()` a sentence for people; both free of credentials.

    `asked` and `answered` are as in `Prepared.asked` and in a result, as far as it got.
    """

    def __init__(self, code: str, message: str, asked: Json = None, answered: Json = None):
        super().__init__(message)
        self.code = code
        self.asked = asked
        self.answered = answered


class Deadline:
    """When all of a step must be over, however slowly its parts arrive."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._at = monotonic() + seconds

    def left(self) -> float:
        """Seconds, more than none. Raises TimeoutError."""
        left = self._at - monotonic()
        if left <= 0:
            raise TimeoutError
        return left
