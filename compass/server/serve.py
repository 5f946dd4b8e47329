"""`compass-server serve`: schema up to date, then web workers, in one command."""

import logging.config
import os
import resource
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

import click
from granian import Granian
from granian.constants import Interfaces
from granian.errors import ConfigurationError
from granian.http import HTTP1Settings
from granian.log import LogLevels
from sqlalchemy.exc import DatabaseError

from compass.server import MAX_BODY, create_app, logs, schema
from compass.server.config import ConfigError, Settings, url_of
from compass.server.core import connections, setup
from compass.server.gate import Gate
from compass.server.web.assets import MissingAssetsError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# SIGTERM: what is under way has this long to finish.
STOP_WITHIN_SECONDS = 8
# More threads only take Python's lock from one another; all but one may wait for slow clients.
THREADS = 2
# Of each worker at once, and how long each may be silent between two requests.
CONNECTIONS = 8192
IDLE_SECONDS = 10
# From the command to its worker processes.
_THREADS_VARIABLE = "_COMPASS_THREADS"


@click.command()
@click.option("--host", help="Address to listen on. [COMPASS_HOST, 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="[COMPASS_PORT, 8000]")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes. [one a core]")
@click.option("--threads", type=click.IntRange(2, 64), default=THREADS, help="Of each process.")
def serve(host: str | None, port: int | None, workers: int | None, threads: int) -> None:
    """Bring the schema up to date and serve."""
    # What the database, its journal and the generated secrets hold is for this user alone.
    os.umask(0o077)
    logging.config.dictConfig(logs.config())
    try:
        settings = Settings.from_env()
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    host, port = host or settings.host, settings.port if port is None else port
    _check_address(host, port)
    try:
        _prepare(settings, host, port)
    except (ConfigError, MissingAssetsError) as error:
        raise click.ClickException(str(error)) from None
    except DatabaseError as error:
        reason = " ".join(str(error.orig).split())
        raise click.ClickException(
            f"The database can't be used: {reason} (COMPASS_DATABASE_URL, COMPASS_HOME)"
        ) from None
    except OSError as error:
        raise click.ClickException(f"COMPASS_HOME can't be used: {error}") from None
    os.environ[_THREADS_VARIABLE] = str(threads)
    _allow_connections()
    try:
        Granian(
            "compass.server.serve:worker",
            factory=True,
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            workers=workers or os.cpu_count() or 1,
            blocking_threads=threads,
            workers_kill_timeout=STOP_WITHIN_SECONDS,
            log_level=LogLevels.warning,
            log_dictconfig=logs.config(),
            respawn_failed_workers=True,
            websockets=False,
            # Connections that send nothing, or have nothing to send, must not keep out others.
            backpressure=CONNECTIONS,
            http1_settings=HTTP1Settings(header_read_timeout=IDLE_SECONDS * 1000),
        ).serve()
    except ConfigurationError:
        sys.exit(1)


def worker() -> "WSGIApplication":
    """What each worker process runs."""
    app = create_app()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    readers = int(os.environ[_THREADS_VARIABLE]) - 1
    settings: Settings = app.config["COMPASS"]
    waits_for_nothing = settings.is_sqlite and settings.rate_limit_storage == "memory://"
    return Gate(app, readers, MAX_BODY, in_turns=waits_for_nothing)


def _end_with(parent: int) -> None:
    """A worker whose parent was killed would go on holding the port: no start could follow."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)


def _allow_connections() -> None:
    """Each takes a descriptor, of which many systems give a process 1024 until it asks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 2 * CONNECTIONS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _prepare(settings: Settings, host: str, port: int) -> None:
    app = create_app(settings)
    with app.app_context():
        schema.upgrade()
        _require_open_vault()
        url = settings.public_url or url_of(host, port)
        click.echo(f"Compass serves {url}")
        click.echo(f"COMPASS_HOME is {settings.home}")
        if setup.is_open():
            token = setup.token(app.config["SECRET_KEY"])
            click.echo("There is no user yet. Open this link to make the first administrator:")
            click.echo(f"  {url}/setup?setup_token={token}")
        sys.stdout.flush()


def _require_open_vault() -> None:
    """A wrong master key is told before anything is served. Nothing is overwritten."""
    if sealed := connections.unopenable():
        names = ", ".join(f"{each.name} ({each.id})" for each in sealed[:5])
        more = f" and {len(sealed) - 5} more" if len(sealed) > 5 else ""
        raise click.ClickException(
            f"COMPASS_ENCRYPTION_KEYS can't open the credentials of {names}{more}. Give the key "
            "that they were sealed with; nothing was changed."
        )


def _check_address(host: str, port: int) -> None:
    """A taken port is one clear line, not a worker's traceback."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not an address"
        raise click.ClickException(
            f"Cannot listen on {host!a} port {port}: {reason}. "
            "Choose another with --host and --port."
        ) from None
