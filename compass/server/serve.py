"""`compass-server serve`: schema up to date, then web workers, in one command."""

import logging.config
import os
import socket
import sys

import click
from granian import Granian
from granian.constants import Interfaces
from granian.errors import ConfigurationError
from granian.log import LogLevels

from compass.server import create_app, logs, schema
from compass.server.config import ConfigError, Settings
from compass.server.core import setup

# SIGTERM: what is under way has this long to finish.
STOP_WITHIN_SECONDS = 8
# More threads a worker only take the interpreter's lock from one another.
THREADS = 2


@click.command()
@click.option("--host", help="Address to listen on. [COMPASS_HOST, 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="[COMPASS_PORT, 8000]")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes. [one a core]")
@click.option("--threads", type=click.IntRange(1, 64), default=THREADS, help="Of each process.")
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
    _prepare(settings, host, port)
    try:
        Granian(
            "compass.server:create_app",
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
        ).serve()
    except ConfigurationError:
        sys.exit(1)


def _prepare(settings: Settings, host: str, port: int) -> None:
    app = create_app(settings)
    with app.app_context():
        schema.upgrade()
        shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
        url = settings.public_url or f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
        click.echo(f"Compass serves {url}")
        click.echo(f"COMPASS_HOME is {settings.home}")
        if setup.is_open():
            token = setup.token(app.config["SECRET_KEY"])
            click.echo("There is no user yet. Open this link to make the first administrator:")
            click.echo(f"  {url}/setup?setup_token={token}")
        sys.stdout.flush()


def _check_address(host: str, port: int) -> None:
    """A taken port is one clear line, not a worker's traceback."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host} port {port}: {error.strerror}. "
            "Choose another with --host and --port."
        ) from None
