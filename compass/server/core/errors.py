"""How the rules say no. Each door turns these into its own kind of answer."""


class Refusal(Exception):  # noqa: N818 (a no is an answer, not an error)
    """The base of every no. `str()` is a sentence for the person who asked."""


class NotFound(Refusal):
    """There is no such thing, or none that this actor may know of."""


class Forbidden(Refusal):
    """The actor may see it but not do this; says who can."""


class Conflict(Refusal):
    """The thing is in a state in which this can't be done."""


class Taken(Conflict):
    """Another one has that name."""


class Gone(Refusal):
    """It was there once, and its time is over."""


class Invalid(Refusal):
    """Input that can't be accepted: field name → sentences."""

    def __init__(self, **errors: str):
        super().__init__(" ".join(errors.values()))
        self.errors = errors


class Overreach(Invalid):
    """Input that asks for more than the actor may have: refused like other input, but recorded."""


class Findings:
    """Collects what is wrong with several fields, so that all of it is said at once.

    `with findings:` around each check keeps its Invalid; `settle` raises them as one.
    """

    def __init__(self) -> None:
        self.errors: dict[str, str] = {}
        self._kind: type[Invalid] = Invalid

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, Invalid):
            return False
        self.errors |= error.errors
        self._kind = Overreach if isinstance(error, Overreach) else self._kind
        return True

    def settle(self) -> None:
        """Raises Invalid if there was anything."""
        if self.errors:
            raise self._kind(**self.errors)


class Throttled(Refusal):
    """Too many attempts. `retry_after` is in whole seconds."""

    def __init__(self, message: str, retry_after: int):
        super().__init__(message)
        self.retry_after = retry_after
