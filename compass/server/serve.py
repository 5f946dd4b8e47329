"""`compass-server serve`: schema up to date, then web workers and a worker for runs in one command.
`compass-server worker`: the one for runs alone."""

import logging.config
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from granian import Granian
from granian.constants import Interfaces
from granian.errors import ConfigurationError
from granian.http import HTTP1Settings
from granian.log import LogLevels
from sqlalchemy.exc import DatabaseError

from compass.server import create_app, logs, schema, worker
from compass.server.application import MAX_BODY
from compass.server.command_line import require_file
from compass.server.config import ConfigError, Settings, url_of
from compass.server.core import connections, setup
from compass.server.gate import Gate
from compass.server.web.assets import MissingAssetsError
from compass.server.worker import THREADS as RUN_THREADS

log = logging.getLogger("compass.server")

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
_PARENT_VARIABLE = "_COMPASS_PARENT"


@click.command()
@click.option("--host", help="Address to listen on. [COMPASS_HOST, 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="[COMPASS_PORT, 8000]")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes. [one a core]")
@click.option("--threads", type=click.IntRange(2, 64), default=THREADS, help="Of each process.")
@click.option("--no-worker", is_flag=True, help="Leave runs to `compass-server worker`.")
def serve(
    host: str | None, port: int | None, workers: int | None, threads: int, no_worker: bool
) -> None:
    """Bring the schema up to date, serve, and carry out runs."""
    settings = _start()
    host, port = host or settings.host, settings.port if port is None else port
    _check_address(host, port)
    with _as_lines():
        _prepare(settings, host, port)
    os.environ[_THREADS_VARIABLE] = str(threads)
    os.environ[_PARENT_VARIABLE] = str(os.getpid())
    _allow_connections()
    runner = None if no_worker else _Runner()
    try:
        _Server(
            runner,
            "compass.server.serve:web_worker",
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
    finally:
        if runner:
            runner.wait()


@click.command("worker")
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=RUN_THREADS,
    show_default=True,
    help="How many runs it carries out at once.",
)
def run_worker(threads: int) -> None:
    """Carry out runs, until it is told to stop."""
    settings = _start()
    require_file(settings)
    with _as_lines():
        app = create_app(settings)
        with app.app_context():
            schema.require_current()
            _require_open_vault()
    click.echo(f"Compass carries out runs, {threads} at once.")
    click.echo(f"COMPASS_HOME is {settings.home}")
    sys.stdout.flush()
    # In place of this process, which has loaded both doors: a worker needs neither.
    command, environment = _worker_command(threads), _worker_environment()
    os.execve(sys.executable, command, environment)  # noqa: S606 (our own module)


def _start() -> Settings:
    # What the database, its journal and the generated secrets hold is for this user alone.
    os.umask(0o077)
    logging.config.dictConfig(logs.config())
    with _as_lines():
        return Settings.from_env()


@contextmanager
def _as_lines() -> Iterator[None]:
    """What keeps a start from happening is one line, not a traceback."""
    try:
        yield
    except (ConfigError, MissingAssetsError) as error:
        raise click.ClickException(str(error)) from None
    except DatabaseError as error:
        reason = " ".join(str(error.orig).split())
        raise click.ClickException(
            f"The database can't be used: {reason} (COMPASS_DATABASE_URL, COMPASS_HOME)"
        ) from None
    except OSError as error:
        raise click.ClickException(f"COMPASS_HOME can't be used: {error}") from None


def _worker_command(threads: int, *parent: str) -> list[str]:
    return [sys.executable, "-m", worker.__name__, str(threads), *parent]


def _worker_environment() -> dict[str, str]:
    """Of glibc's heaps, one for each thread, two are enough: its threads mostly wait."""
    return {"MALLOC_ARENA_MAX": "2", **os.environ}


class _Runner:
    """The worker for runs that `serve` has beside its web workers; started again when it dies."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._process = self._spawn()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Tells it, and waits for nothing."""
        self._stopping.set()
        if self._process.poll() is None:
            self._process.terminate()

    def wait(self) -> None:
        self.stop()
        try:
            self._process.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        # It ends with us: our number tells it when we are gone.
        command = _worker_command(RUN_THREADS, str(os.getpid()))
        return subprocess.Popen(command, env=_worker_environment())  # noqa: S603 (our own module)

    def _watch(self) -> None:
        while not self._stopping.wait(0.5):
            if self._process.poll() is not None:
                log.warning("The worker for runs ended; a new one is started.")
                self._process = self._spawn()


class _Server(Granian):  # type: ignore[misc, valid-type]
    """Granian, which on its way out tells the worker for runs at once and not at the end."""

    def __init__(self, runner: _Runner | None, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self._runner = runner

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        if self._runner:
            self._runner.stop()
        super().signal_handler_interrupt(*args, **kwargs)


def web_worker() -> "WSGIApplication":
    """What each web worker process runs."""
    app = create_app()
    # By what it says of itself: one that was killed meanwhile is not our parent any more.
    parent = int(os.environ[_PARENT_VARIABLE])
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
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
