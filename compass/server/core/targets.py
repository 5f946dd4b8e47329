"""The other end of a connection: an HTTP service or a PostgreSQL database."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg

from compass.server.core import sql_wire
from compass.server.core.addresses import UnreachableError
from compass.server.core.http_pool import Exchange
from compass.server.core.http_wire import Request, send
from compass.server.core.models import ConnectionKind
from compass.server.core.scrubbing import Scrubber, credential_headers
from compass.server.core.step_error import Deadline, StepError

CHECK_SECONDS = 10


@dataclass(frozen=True)
class Outcome:
    """Whether it worked, and a sentence about how."""

    ok: bool
    message: str


def check(kind: ConnectionKind, config: dict[str, Any], credentials: dict[str, Any]) -> Outcome:
    """Goes there with the credentials and asks for nothing. What the target does is an outcome."""
    try:
        if kind is ConnectionKind.HTTP:
            outcome = _check_http(config, credentials)
        else:
            outcome = _check_postgres(config, credentials)
    except UnreachableError as error:
        outcome = Outcome(False, str(error))
    return Outcome(outcome.ok, Scrubber(credentials).text(outcome.message))


def _check_http(config: dict[str, Any], credentials: dict[str, Any]) -> Outcome:
    base = urlsplit(config["base_url"])
    headers = {**config["headers"], **credential_headers(credentials)}
    request = Request("GET", base, base.path or "/", list(headers.items()), None)
    try:
        status = send(request, Exchange(CHECK_SECONDS), reads_body=False).status
    except StepError as error:
        return Outcome(False, str(error))
    if status in {401, 403}:
        return Outcome(False, f"It refuses the credentials (HTTP {status}).")
    if status >= 500:
        return Outcome(False, f"It answers, with an error of its own (HTTP {status}).")
    return Outcome(True, f"It answers (HTTP {status}).")


def _check_postgres(config: dict[str, Any], credentials: dict[str, Any]) -> Outcome:
    try:
        with sql_wire.connected(config, credentials, Deadline(CHECK_SECONDS)) as connection:
            connection.execute("SELECT 1")
    except TimeoutError:
        return Outcome(False, f"It can't be used: no answer within {CHECK_SECONDS} seconds.")
    except psycopg.Error as error:
        return Outcome(False, f"It can't be used: {sql_wire.first_line(error)}")
    return Outcome(True, "It lets us in.")
