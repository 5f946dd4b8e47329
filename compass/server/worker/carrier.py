"""One run from being taken to its end, on one thread."""

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import Any, TypeVar

import orjson
from flask import Flask
from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError

from compass.server import queue
from compass.server.core import execution, expressions, steps, vault
from compass.server.core.execution import Claim, LostError
from compass.server.core.expressions import ExpressionError
from compass.server.core.steps import StepError
from compass.server.db import writing

log = logging.getLogger("compass.worker")

# Of all steps of a run together: they are all in memory, for the expressions of the next one.
LARGEST_TOGETHER = 5 << 20
# A database that is away for a moment must not cost the step that was just done.
TRIES, BETWEEN_SECONDS = 5, 1.0

Json = Any
T = TypeVar("T")


class Carrier:
    """Shared by the threads of a worker. `held` is what they hold at the moment, by id."""

    def __init__(self, app: Flask):
        self._app = app
        self.held: dict[str, Claim] = {}
        self.stopping = Event()

    def carry_out(self, run_id: str) -> None:
        """Nothing for a run that somebody else has, or that is over."""
        if self.stopping.is_set():
            return
        with self._app.app_context():
            seen = execution.see(run_id=run_id)
            claim = seen and self._write(lambda on: execution.claim(on, seen))
            if claim is None:
                return
            self.held[claim.id] = claim
            try:
                self._steps_of(claim)
            except LostError:
                log.warning("Run %s is not this worker's any more.", claim.id)
            except Exception:
                log.exception("Run %s broke.", claim.id)
                self._break(claim)
            finally:
                self.held.pop(claim.id, None)

    def hand_back_all(self) -> None:
        """What is held still: its steps take too long to be waited for."""
        with self._app.app_context():
            for claim in list(self.held.values()):
                self._hand_back(claim)

    def _steps_of(self, claim: Claim) -> None:
        while step := claim.next_step:
            if self.stopping.is_set():
                self._hand_back(claim)
                return
            if not self._step(claim, step):
                return

    def _step(self, claim: Claim, step: dict[str, Any]) -> bool:
        """Whether there is more to do."""
        name, began, asked = step["name"], time.monotonic(), None
        try:
            prepared = self._prepare(claim, step)
            asked = prepared.asked
            result = prepared.perform(f"{claim.id}-{name}")
            _check_size(claim, result)
        except StepError as error:
            told = _told(claim, began, asked or error.asked)
            if error.answered is not None:
                told["answered"] = error.answered
            code, message = error.code, str(error)
            self._write(lambda on: execution.fail(on, claim, code, message, name, told))
            return False
        told = _told(claim, began, asked)
        if claim.is_last(step):
            self._finish(claim, name, result, told)
            return False
        return self._write(lambda on: execution.record_step(on, claim, name, result, told))

    def _prepare(self, claim: Claim, step: dict[str, Any]) -> steps.Prepared:
        """Raises StepError."""
        found = execution.find_connection(project_id=claim.project_id, name=step["connection"])
        if found is None:
            raise StepError(
                "connection_missing",
                f"There is no connection named {step['connection']} in this project any more.",
            )
        try:
            credentials = vault.unseal(found.sealed)
        except vault.SealedError as error:
            raise StepError("credentials_sealed", str(error)) from None
        return steps.prepare(step, found.kind, found.config, credentials, claim.context)

    def _finish(self, claim: Claim, name: str, result: Json, told: Json) -> None:
        claim.results[name] = result
        try:
            output = expressions.render(claim.output, claim.context)
        except ExpressionError as error:
            message = f"The output can't be made: {error}"
            self._write(lambda on: execution.fail_output(on, claim, name, result, told, message))
        else:
            self._write(lambda on: execution.succeed(on, claim, name, result, told, output))

    def _hand_back(self, claim: Claim) -> None:
        try:
            self._write(lambda on: execution.hand_back(on, claim))
        except LostError:
            return
        queue.wake(claim.id)

    def _break(self, claim: Claim) -> None:
        """A fault of ours: the run ends, so that it does not break one worker after the other."""
        message = f"Something went wrong in the worker. Its log has more, under {claim.id}."
        try:
            self._write(lambda on: execution.fail(on, claim, "internal_error", message))
        except Exception:
            log.exception("Run %s could not be ended: its lease will.", claim.id)

    def _write(self, change: Callable[[Connection], T]) -> T:
        """In a transaction of its own. Raises LostError."""
        for left in reversed(range(TRIES)):
            try:
                with writing() as connection:
                    return change(connection)
            except (OperationalError, InterfaceError) as error:
                if not left:
                    raise
                log.warning("The database does not take a write: %s", type(error.orig).__name__)
                self.stopping.wait(BETWEEN_SECONDS)
        raise AssertionError("not reached")


def _told(claim: Claim, began: float, asked: Json) -> dict[str, Json]:
    """What is recorded of a step besides what it was answered. `ms` is how long it took."""
    taken = round((time.monotonic() - began) * 1000, 1)
    return {"asked": asked, "attempt": claim.attempt, "ms": taken}


def _check_size(claim: Claim, result: Json) -> None:
    """Raises StepError."""
    claim.size += len(orjson.dumps(result))
    if claim.size > LARGEST_TOGETHER:
        raise StepError(
            "too_large",
            f"What the steps of this run were answered is more than {LARGEST_TOGETHER >> 20} MiB "
            "together. Ask for less.",
        )
