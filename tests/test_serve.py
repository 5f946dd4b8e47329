"""`compass-server serve` as an operator meets it: real processes, real sockets."""

import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from sqlalchemy import URL

from tests.conftest import psql
from tests.servers import (
    COMMAND,
    Server,
    clean_environment,
    free_port,
    serving,
    wait_until,
)
from tests.world import PASSWORD, PATH, secret_in

FORM = "application/x-www-form-urlencoded"
ADA = {"email": "ada@example.org", "name": "Ada", "password": PASSWORD}


def token_of(page: httpx.Response) -> str:
    return page.text.split('name="csrf_token" value="')[1].split('"')[0]


def set_up(server: Server) -> httpx.Client:
    """Follows the printed link, as the README says; the browser that is signed in then."""
    browser = server.client()
    page = browser.get(server.setup_link)
    assert page.status_code == 200
    setup_token = server.setup_link.split("setup_token=")[1]
    form = ADA | {"setup_token": setup_token, "csrf_token": token_of(page)}
    assert browser.post("/setup", data=form).status_code == 303
    return browser


def create(browser: httpx.Client, name: str = "CI Pipeline") -> str:
    page = browser.get(f"{PATH}/new")
    project = re.search(r'<option value="(prj_\w+)"', page.text)
    assert project
    form = {"csrf_token": token_of(page), "name": name, "type": "service_account"}
    response = browser.post(PATH, data=form | {"project": project.group(1)})
    assert response.status_code == 200, response.text
    return secret_in(response.text)


def test_from_an_empty_folder_to_a_revoked_key(tmp_path: Path) -> None:
    """The whole way, over two server processes on one database: P8 on a second machine."""
    home = tmp_path / "home"
    with serving(home) as one, serving(home) as two:
        assert str(home) in "\n".join(one.said)
        browser = set_up(one)
        secret = create(browser)
        for server in (one, two):
            assert server.get("/v1/me", secret).json()["project"]["name"] == "Default"
        key_id = one.get("/v1/me", secret).json()["key"]["id"]
        page = browser.get(f"{PATH}/{key_id}/revoke")
        browser.post(f"{PATH}/{key_id}/revoke", data={"csrf_token": token_of(page)})
        for server in (two, one):
            assert server.get("/v1/me", secret).json()["code"] == "revoked_token"
        # P3: not in the bytes of the database, its journal, or what the servers wrote.
        for file in [*home.rglob("*"), one.log, two.log]:
            if file.is_file():
                assert secret[11:51].encode() not in file.read_bytes(), file
    assert secret not in "\n".join(one.said + two.said)


def test_each_revocation_is_seen_by_the_next_request_on_another_process(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home) as one, serving(home) as two:
        browser = set_up(one)
        client = two.client()
        for number in range(30):
            bearer = {"Authorization": f"Bearer {create(browser, f'Key {number}')}"}
            assert client.get("/v1/me", headers=bearer).status_code == 200
            assert one.client().post("/v1/keys/self/revoke", headers=bearer).status_code == 200
            assert client.get("/v1/me", headers=bearer).json()["code"] == "revoked_token"


def test_two_setups_at_once(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "--threads", "4") as server:
        browsers = [server.client() for _ in range(4)]
        forms = []
        for number, browser in enumerate(browsers):
            page = browser.get(server.setup_link)
            forms.append(
                ADA
                | {
                    "email": f"ada{number}@example.org",
                    "csrf_token": token_of(page),
                    "setup_token": server.setup_link.split("setup_token=")[1],
                }
            )
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda b, f: b.post("/setup", data=f), browsers, forms))
        assert sorted(answer.status_code for answer in answers) == [303, 404, 404, 404]
        assert server.get("/setup").status_code == 404


def test_what_was_made_is_for_this_user_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home):
        for path in [home, *home.iterdir()]:
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_signing_key_and_the_sessions_survive_a_restart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home) as server:
        browser = set_up(server)
        secret = create(browser)
        cookies = browser.cookies
    with serving(home) as server:
        assert "There is no user yet" not in "\n".join(server.said)
        assert server.get("/v1/me", secret).status_code == 200
        again = httpx.get(f"{server.url}{PATH}", cookies=dict(cookies), timeout=30)
        assert again.status_code == 200


def test_three_starts_at_once_bring_the_schema_up_once(tmp_path: Path, postgres: URL) -> None:
    psql(postgres, "CREATE DATABASE compass_start")
    url = postgres.set(drivername="postgresql", database="compass_start")
    env = {
        "COMPASS_DATABASE_URL": url.render_as_string(hide_password=False),
        "COMPASS_SECRET_KEY": "s" * 40,
        "COMPASS_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    }
    for home, settings in ((tmp_path / "sqlite", {}), (tmp_path / "postgres", env)):
        with (
            serving(home, env=settings) as one,
            serving(home, env=settings) as two,
            serving(home, env=settings) as three,
        ):
            secret = create(set_up(one))
            assert [s.get("/v1/me", secret).status_code for s in (one, two, three)] == [200] * 3


def test_sigterm_lets_what_is_under_way_finish(tmp_path: Path) -> None:
    """Passwords are hashed one after the other, so that most of these are still waiting."""
    with serving(tmp_path / "home") as server:
        set_up(server)
        browsers = [server.client() for _ in range(8)]
        tokens = [token_of(browser.get("/login")) for browser in browsers]
        first_is_done = threading.Event()

        def sign_in(browser: httpx.Client, token: str) -> int:
            form = {"email": "ada@example.org", "password": "wrong wrong", "csrf_token": token}
            status = browser.post("/login", data=form).status_code
            first_is_done.set()
            return status

        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(sign_in, *pair) for pair in zip(browsers, tokens, strict=True)]
            first_is_done.wait(timeout=30)
            server.process.send_signal(signal.SIGTERM)
            assert [answer.result() for answer in answers] == [422] * 8
        assert server.process.wait(timeout=10) == 0


def half_sent(server: Server) -> socket.socket:
    """A form whose sender falls silent."""
    host, port = server.url.removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)))
    client.sendall(
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nemail=a"
    )
    return client


def test_clients_that_never_finish_sending_do_not_stop_the_keys(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "--threads", "2") as server:
        secret = create(set_up(server))
        silent = [half_sent(server) for _ in range(20)]
        stop = threading.Event()

        def flood() -> set[int]:
            seen: set[int] = set()
            while not stop.is_set():
                with httpx.Client(base_url=server.url, timeout=30) as client:
                    seen.add(client.post("/login", data={"email": "a@b"}).status_code)
            return seen

        try:
            with ThreadPoolExecutor(4) as pool:
                floods = [pool.submit(flood) for _ in range(4)]
                answers = [server.get("/v1/me", secret).status_code for _ in range(50)]
                stop.set()
            assert answers == [200] * 50
            assert [each.result() for each in floods] == [{503}] * 4
            page = server.client().post("/login", data={"email": "a@b"})
            assert page.headers["Retry-After"] == "1"
            assert "Too many clients are sending slowly." in page.text
            problem = server.client().post("/v1/keys/self/revoke", json={})
            assert (problem.status_code, problem.json()["code"]) == (503, "unavailable")
            assert problem.headers["X-Request-Id"] == problem.json()["request_id"]
        finally:
            stop.set()
            for client in silent:
                client.close()
        wait_until(lambda: server.client().post("/login").status_code == 400)


def test_a_thousand_connections_that_say_nothing_keep_nobody_out(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    with serving(tmp_path / "home") as server, ExitStack() as stack:
        host, port = server.url.removeprefix("http://").split(":")
        for number in range(1200):
            client = stack.enter_context(socket.create_connection((host, int(port))))
            # Half of them in the middle of a header, half between two requests.
            end = b"\r\n\r\n" if number % 2 else b"\r\nX-Slow: "
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x" + end)
        assert httpx.get(f"{server.url}/healthz", timeout=8).status_code == 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_body_that_is_refused_unread_ends_its_connection(tmp_path: Path) -> None:
    """Or the next request on it would be lost with what is still on its way."""
    with serving(tmp_path / "home") as server, server.client() as client:
        for path, kind in (("/v1/keys/self/rotate", "application/json"), ("/login", FORM)):
            for _ in range(5):
                refused = client.post(
                    path, content=b"x" * 1_100_000, headers={"Content-Type": kind}
                )
                assert refused.headers.get("Connection") == "close"
                assert client.get("/healthz").status_code == 200


def test_a_form_that_was_cut_off_creates_nothing(tmp_path: Path) -> None:
    """Without its last fields, a key for thirty days would be one that never expires."""
    with serving(tmp_path / "home") as server:
        browser = set_up(server)
        page = browser.get(PATH)
        project = re.search(r'<option value="(prj_\w+)"', page.text)
        assert project
        form = f"csrf_token={token_of(page)}&name=Cut&type=service_account&project="
        body = f"{form}{project.group(1)}&expires_in_days=30".encode()
        cut = body.removesuffix(b"&expires_in_days=30")
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            head = (
                f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                f"Cookie: {cookies}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
            )
            client.sendall(head.encode() + cut)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        assert "Cut" not in browser.get(PATH).text
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = browser.post(PATH, content=iter([body]), headers=headers)
        assert answer.status_code == 411
        assert browser.post(PATH, content=body, headers=headers).status_code == 200


def test_a_worker_ends_when_its_parent_was_killed(tmp_path: Path) -> None:
    """Or it would hold the port, and nothing could be started in its place."""
    with serving(tmp_path / "home") as server:
        server.process.kill()
        server.process.wait()
        wait_until(lambda: is_gone(server))


def is_gone(server: Server) -> bool:
    try:
        server.get("/healthz")
    except httpx.TransportError:
        return True
    return False


def test_bodies_that_are_too_long_are_refused(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server:
        browser = set_up(server)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        response = browser.post("/account", content=b"x" * 2_000_000, headers=kind)
        assert response.status_code == 413


def test_a_token_may_be_as_long_as_the_server_takes(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server:
        for size in (100, 1_000, 10_000, 100_000, 300_000, 1_000_000):
            answer = httpx.get(
                f"{server.url}/v1/me", headers={"Authorization": f"Bearer {'a' * size}"}, timeout=30
            )
            # What the server itself refuses may be bare; what reaches the app is told.
            assert answer.status_code in {401, 431, 400}, size
            if answer.status_code == 401:
                assert answer.json()["code"] == "invalid_token"
        assert server.get("/healthz").status_code == 200


def test_two_authorization_headers_reach_us_through_the_real_server(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server:
        for first, second in (("Bearer a", "Bearer b"), ("Basic a", "Bearer b")):
            headers = [("Authorization", first), ("Authorization", second)]
            response = httpx.get(f"{server.url}/v1/me", headers=headers, timeout=30)
            assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
        raw = {b"Authorization": b"Bearer \xff\xfe"}
        response = httpx.get(f"{server.url}/v1/me", headers=raw, timeout=30)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


def run(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=clean_environment(**env),
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMPASS_PORT", "x"),
        ("COMPASS_PUBLIC_URL", "compass.example"),
        ("COMPASS_DATABASE_URL", "mysql://x:hunter2@y"),
        ("COMPASS_MAX_KEY_LIFETIME_DAYS", "0"),
        ("COMPASS_SECRET_KEY_FILE", "/nowhere"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(
    tmp_path: Path, name: str, value: str
) -> None:
    result = run("serve", "--port", str(free_port()), cwd=tmp_path, **{name: value})
    assert result.returncode != 0
    assert len(result.stderr.strip().splitlines()) == 1
    assert name in result.stderr
    assert "hunter2" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMPASS_HOME", "{tmp}/file"),
        ("COMPASS_HOME", "/proc/nowhere"),
        ("COMPASS_DATABASE_URL", "sqlite:///{tmp}/missing/compass.db"),
        ("COMPASS_DATABASE_URL", "sqlite:///{tmp}/file"),
        ("COMPASS_HOST", "x" * 70),
    ],
)
def test_what_can_not_be_used_is_one_line_too(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / "file").write_text("not a database")
    setting = {name: value.format(tmp=tmp_path)}
    result = run("serve", "--port", str(free_port()), cwd=tmp_path, **setting)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert name in result.stderr or "Cannot listen on" in result.stderr


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = run("serve", "--port", port, cwd=tmp_path)
    assert result.returncode != 0
    assert f"Cannot listen on '127.0.0.1' port {port}" in result.stderr
    assert "Traceback" not in result.stderr


def test_postgresql_needs_its_secrets_given(tmp_path: Path) -> None:
    result = run("serve", cwd=tmp_path, COMPASS_DATABASE_URL="postgresql://nobody@127.0.0.1:1/x")
    assert "COMPASS_SECRET_KEY must be given" in result.stderr


def test_operator_commands_refuse_a_database_that_is_not_there(tmp_path: Path) -> None:
    for command in (
        ("users", "list"),
        ("projects", "list"),
        ("keys", "list"),
        ("keys", "create", "--project", "Default", "--name", "x"),
        ("members", "list", "Default"),
    ):
        result = run(*command, cwd=tmp_path, COMPASS_HOME=str(tmp_path / "home"))
        assert result.returncode != 0
        assert f"There is no database at {tmp_path / 'home' / 'compass.db'}" in result.stderr
        assert not (tmp_path / "home").exists(), command


def test_the_wsgi_entry_is_the_same_application(tmp_path: Path) -> None:
    code = "from app import app; print(app.test_client().get('/healthz').json)"
    for settings, status, words in (
        ({}, 0, "{'status': 'ok'}"),
        ({"COMPASS_PUBLIC_URL": "nonsense"}, 1, "COMPASS_PUBLIC_URL must be an address"),
    ):
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parent.parent,
            env=clean_environment(COMPASS_HOME=str(tmp_path / "home"), **settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == status
        assert words in (result.stdout + result.stderr)
        assert "Traceback" not in result.stderr


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path) -> None:
    code = (
        "import importlib.util as u; real = u.find_spec;"
        "u.find_spec = lambda name: None if name == 'flask' else real(name);"
        "from compass.server_command import main; main()"
    )
    result = subprocess.run(
        [COMMAND[0].replace("compass-server", "python"), "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "pip install 'compass-keys[server]'" in result.stderr
