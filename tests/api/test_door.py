"""What the key door promises for every route."""

import json
import re
from pathlib import Path

import pytest
from flask import Flask
from limits import parse_many
from sqlalchemy import text

from compass.server import create_app
from compass.server.config import Settings
from compass.server.db import db
from tests.conftest import both, dispose
from tests.world import PASSWORD, World


def v1_rules(app: Flask) -> list[tuple[str, str]]:
    return [
        (rule.rule, rule.endpoint)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1")
    ]


def test_every_route_declares_the_role_it_needs(app: Flask) -> None:
    for rule, endpoint in v1_rules(app):
        assert "needs_role" in vars(app.view_functions[endpoint]), rule


def test_every_route_but_the_document_needs_a_key(world: World) -> None:
    for rule in world.app.url_map.iter_rules():
        if not rule.rule.startswith("/v1"):
            continue
        path = re.sub("<[a-z_]+>", "key_x", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            status = world.call(path, method=method).status_code
            assert status == (200 if rule.endpoint == "api-docs.openapi_json" else 401), rule


def test_a_browser_session_opens_nothing_here(world: World) -> None:
    response = world.browser("alice").get("/v1/me")
    assert response.status_code == 401
    assert "Set-Cookie" not in response.headers
    assert "Cookie" not in response.headers.get("Vary", "")


def test_a_key_opens_no_page(world: World) -> None:
    secret, _ = world.key(role="admin")
    response = world.call("/settings/developers/api-keys", secret)
    assert response.status_code == 302


def test_the_document_is_openapi_31_and_lists_every_route(world: World) -> None:
    document = world.call("/v1/openapi.json").json
    assert document["openapi"].startswith("3.1")
    listed = {path.replace("{", "<").replace("}", ">") for path in document["paths"]}
    assert listed == {rule for rule, _ in v1_rules(world.app)} - {"/v1/openapi.json"}
    for operations in document["paths"].values():
        for operation in operations.values():
            if not isinstance(operation, dict):
                continue
            assert operation["x-compass-role"] in {"member", "admin"}
            for status, response in operation["responses"].items():
                if status == "204":
                    assert "content" not in response
                    continue
                kinds = set(response["content"])
                wanted = "application/problem+json" if int(status) >= 400 else "application/json"
                assert kinds == {wanted}, (operation["summary"], status)


def test_the_document_points_at_nothing_that_is_not_there(world: World) -> None:
    text = world.call("/v1/openapi.json").text
    document = json.loads(text)
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in document["components"]["schemas"]


def test_the_rate_limit_is_per_verified_key(settings: Settings) -> None:
    from dataclasses import replace

    app = create_app(replace(settings, rate_limit=tuple(parse_many("3/minute"))))
    world = World(app)
    first, _ = world.key("First")
    second, _ = world.key("Second")
    assert [world.call("/v1/me", first).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = world.call("/v1/me", first)
    assert refused.json["code"] == "rate_limited"
    assert "more than its 3 requests per minute" in refused.json["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert world.call("/v1/me", second).status_code == 200
    for _ in range(10):
        assert world.call("/v1/me", "nonsense").status_code == 401
    dispose(app)


@both
def test_a_busy_database_never_fails_a_request_for_its_last_use(world: World, kind: str) -> None:
    secret, key_id = world.key()
    lock = "BEGIN IMMEDIATE" if kind == "sqlite" else "SELECT id FROM key_secrets FOR UPDATE"
    with world.app.app_context():
        connection = db.engine.raw_connection()
        cursor = connection.cursor()
        cursor.execute(lock)
        try:
            assert world.call("/v1/me", secret).status_code == 200
            assert world.stored(key_id).last_use is None
        finally:
            connection.rollback()
            connection.close()
    assert world.call("/v1/me", secret).status_code == 200
    assert world.stored(key_id).last_use is not None


def test_a_crash_is_a_problem_with_a_number_and_no_secret_in_the_log(
    world: World, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging.config

    from compass.server import logs
    from compass.server.api import bodies

    secret, _ = world.key()

    def crash(_caller: object) -> None:
        raise ValueError(f"broke on {secret}")

    monkeypatch.setattr(bodies, "me", crash)
    handlers = logging.root.handlers[:]
    logging.config.dictConfig(logs.config())
    response = world.call("/v1/me", secret)
    logging.root.handlers[:] = handlers
    assert (response.status_code, response.json["code"]) == (500, "internal_error")
    assert secret not in response.text
    log = capfd.readouterr().err
    assert response.json["request_id"] in log
    assert "ValueError: broke on compass_sa_" in log
    assert secret not in log


def test_a_database_that_is_gone_is_unavailable(world: World, tmp_path: Path) -> None:
    secret, _ = world.key()
    with world.app.app_context():
        db.session.execute(text("ALTER TABLE key_secrets RENAME TO away"))
        db.session.commit()
    response = world.call("/v1/me", secret)
    assert (response.status_code, response.json["code"]) == (503, "unavailable")
    assert world.call("/healthz").status_code == 200


@both
def test_an_address_may_be_anything_that_a_proxy_lets_through(settings: Settings) -> None:
    from dataclasses import replace

    app = create_app(replace(settings, trusted_proxies=1))
    world = World(app)
    secret, key_id = world.key()
    headers = {"Authorization": f"Bearer {secret}", "X-Forwarded-For": "x" * 300}
    assert app.test_client().get("/v1/me", headers=headers).status_code == 200
    used = world.stored(key_id).last_use
    assert used is not None
    assert used.last_used_address == "x" * 64
    browser = world.browser()
    far = {"X-Forwarded-For": "y" * 300}
    form = {"email": "alice@example.org", "password": PASSWORD}
    assert browser.post("/login", form, headers=far).status_code == 303
    assert browser.post("/account", {"name": "Alice"}, headers=far).status_code == 303
    dispose(app)


@both
def test_connections_that_were_cut_are_replaced(world: World, kind: str) -> None:
    """As when PostgreSQL was started anew, or a firewall forgot."""
    secret, _ = world.key()
    assert world.call("/v1/me", secret).status_code == 200
    with world.app.app_context():
        if kind == "postgresql":
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
            ours = "pg_backend_pid() AND datname = current_database()"
            db.session.execute(text(others + ours))
        db.session.rollback()
    assert world.call("/v1/me", secret).status_code == 200
    assert world.call("/v1/me", secret).status_code == 200


@both
def test_ready_means_the_schema_is_at_this_version_or_past_it(world: World) -> None:
    def version(revision: str) -> None:
        with world.app.app_context():
            db.session.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
            db.session.commit()

    assert world.call("/readyz").status_code == 200
    version("0001")
    assert world.call("/readyz").status_code == 503
    version("9999_from_the_future")
    assert world.call("/readyz").status_code == 200


def test_every_answer_has_a_request_id_and_is_not_stored(world: World) -> None:
    secret, _ = world.key()
    seen = set()
    for path in ("/v1/me", "/v1/nothing", "/healthz", "/readyz", "/login", "/nowhere"):
        response = world.call(path, secret)
        seen.add(response.headers["X-Request-Id"])
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert len(seen) == 6
