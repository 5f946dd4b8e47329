"""The other end of a connection: an HTTP service or a PostgreSQL database.

Nothing that a target says is believed to be free of the credentials that it was given: `scrub`
takes them out of whatever is kept or shown.
"""

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

import httpcore
import httpx
import psycopg

from compass.server.core.addresses import UnreachableError, resolve
from compass.server.core.models import ConnectionKind

CHECK_SECONDS = 10
_MASK = "•••"


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
    return Outcome(outcome.ok, scrub(outcome.message, credentials))


def scrub(text: str, credentials: dict[str, Any]) -> str:
    """The text without the secrets of these credentials, however a target spells them back."""
    for secret in _spellings(credentials):
        text = text.replace(secret, _MASK)
    return text


def http_client(seconds: float) -> httpx.Client:
    """Follows no redirect, takes no proxy or password from the environment, and connects only to
    addresses that were looked at."""
    transport = httpx.HTTPTransport(trust_env=False, retries=0)
    # httpx has no other door to the place where names become addresses.
    transport._pool._network_backend = _Guarded()
    return httpx.Client(
        transport=transport, follow_redirects=False, trust_env=False, timeout=seconds
    )


def http_headers(config: dict[str, Any], credentials: dict[str, Any]) -> dict[str, str]:
    """What each request of this connection carries."""
    headers = dict(config["headers"])
    match credentials["auth"]:
        case "bearer":
            headers["Authorization"] = f"Bearer {credentials['token']}"
        case "basic":
            headers["Authorization"] = f"Basic {_basic(credentials)}"
        case "header":
            headers[credentials["name"]] = credentials["value"]
    return headers


def postgres_parameters(config: dict[str, Any], credentials: dict[str, Any]) -> dict[str, Any]:
    """For psycopg.connect; of the machine's own settings and files nothing is used."""
    return {
        "host": config["host"],
        "hostaddr": resolve(config["host"], config["port"]),
        "port": config["port"],
        "dbname": config["database"],
        "user": config["user"],
        "password": credentials["password"],
        "sslmode": config["sslmode"],
        "passfile": "/dev/null",
        "gssencmode": "disable",
    }


def first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _check_http(config: dict[str, Any], credentials: dict[str, Any]) -> Outcome:
    try:
        with (
            http_client(CHECK_SECONDS) as client,
            client.stream(
                "GET", config["base_url"], headers=http_headers(config, credentials)
            ) as answer,
        ):
            status = answer.status_code
    except httpx.TimeoutException:
        return Outcome(False, f"There was no answer within {CHECK_SECONDS} seconds.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Outcome(False, f"It can't be reached: {error}")
    if status in {401, 403}:
        return Outcome(False, f"It refuses the credentials (HTTP {status}).")
    if status >= 500:
        return Outcome(False, f"It answers, with an error of its own (HTTP {status}).")
    return Outcome(True, f"It answers (HTTP {status}).")


def _check_postgres(config: dict[str, Any], credentials: dict[str, Any]) -> Outcome:
    parameters = postgres_parameters(config, credentials)
    try:
        with psycopg.connect(**parameters, connect_timeout=CHECK_SECONDS) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return Outcome(False, f"It can't be used: {first_line(error)}")
    return Outcome(True, "It lets us in.")


def _basic(credentials: dict[str, Any]) -> str:
    return b64encode(f"{credentials['username']}:{credentials['password']}".encode()).decode()


def _spellings(credentials: dict[str, Any]) -> list[str]:
    secrets = [
        str(value) for name, value in credentials.items() if name in {"token", "password", "value"}
    ]
    if credentials.get("auth") == "basic":
        secrets.append(_basic(credentials))
    spelled = {each for secret in secrets for each in _spelled(secret)}
    # The longest first, so that of one inside another nothing is left over.
    return sorted(spelled, key=len, reverse=True)


def _spelled(secret: str) -> set[str]:
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
        b64encode(secret.encode()).decode(),
    }


class _Guarded(httpcore.SyncBackend):
    """Connects to the address that was looked at, whatever the name says a moment later."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        return super().connect_tcp(
            resolve(host, port), port, timeout, local_address, socket_options
        )
