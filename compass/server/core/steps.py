"""One step of a workflow, carried out against its connection.

`prepare` fills in the expressions and goes nowhere; `Prepared.perform` goes there. What either
gives or raises is free of the connection's credentials.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from compass.server.core import http_step, sql_step
from compass.server.core.addresses import UnreachableError
from compass.server.core.expressions import ExpressionError
from compass.server.core.models import ConnectionKind
from compass.server.core.scrubbing import Scrubber
from compass.server.core.step_error import Json, StepError

__all__ = ["Prepared", "StepError", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """`asked` is for the record: http `{method, url, headers, json|text}`, sql `{sql, params}`."""

    asked: Json
    _carry_out: Callable[[str], Json] = field(repr=False)
    _scrubber: Scrubber = field(repr=False)

    def perform(self, idempotency_key: str) -> Json:
        """The step's result: http `{status, headers, json|text}`, sql `{rows, row_count}`.

        Raises StepError.
        """
        try:
            return self._scrubber.json(self._carry_out(idempotency_key))
        except UnreachableError as error:
            failed = StepError(error.code, str(error))
        except StepError as error:
            failed = error
        raise StepError(
            failed.code,
            self._scrubber.text(str(failed)),
            self.asked,
            self._scrubber.json(failed.answered),
        ) from None


def prepare(
    step: dict[str, Any],
    kind: ConnectionKind,
    config: dict[str, Any],
    credentials: dict[str, Any],
    context: Json,
) -> Prepared:
    """`step` is as definitions.check lets it pass, `context` `{input, steps: {name: result}}`.

    Raises StepError.
    """
    part = http_step if kind is ConnectionKind.HTTP else sql_step
    try:
        asked, carry_out = part.prepare(step, config, credentials, context)
    except ExpressionError as error:
        raise StepError("expression_error", str(error)) from None
    return Prepared(asked, carry_out, Scrubber(credentials))
