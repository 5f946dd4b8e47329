"""The audit log as a file: both formats, as long as it may be read, and one at a time."""

import csv
import gc
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from werkzeug.test import TestResponse

from compass.server.core import audit_log, sessions, users
from compass.server.core.models import AuditEvent
from compass.server.db import transaction
from tests.conftest import both
from tests.world import PATH, Browser, World

AUDIT = "/settings/organization/audit"
CSV, JSON_LINES = f"{AUDIT}/export.csv", f"{AUDIT}/export.jsonl"


def meanwhile(browser: Browser, path: str) -> TestResponse:
    """From another thread: this one is in the middle of the export, and in its context."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(browser.get, path).result()


@pytest.fixture
def full(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """More events than a batch has."""
    monkeypatch.setattr(audit_log, "BATCH", 4)
    world.add_project("Other")
    for number in range(5):
        world.key(f"Key {number}", days="30")
        world.key(f"Other {number}", project="Other")
    return world


@both
def test_json_lines_have_every_event_and_every_member(full: World) -> None:
    response = full.browser("alice").get(JSON_LINES)
    assert response.content_type == "application/jsonl; charset=utf-8"
    events = [json.loads(line) for line in response.text.splitlines()]
    assert len(events) == full.count(AuditEvent)
    assert [event["id"] for event in events] == sorted((e["id"] for e in events), reverse=True)
    (event,) = [e for e in events if e["target"] and e["target"]["name"] == "Key 4"]
    (stored,) = [e for e in full.events("key.created") if e.target_name == "Key 4"]
    assert re.fullmatch(r"[0-9-]{10}T[0-9:.]{12}Z", event.pop("at"))
    assert event == {
        "id": stored.id,
        "action": "key.created",
        "actor": {"type": "user", "id": full.alice, "name": "Alice"},
        "target": {"type": "key", "id": stored.target_id, "name": "Key 4"},
        "project_id": full.project,
        "address": "192.0.2.1",
        "details": {"type": "service_account", "role": "member", "days": 30},
    }
    (by_operator,) = [e for e in events if e["action"] == "member.added"]
    assert by_operator["actor"] == {"type": "operator", "id": None, "name": "compass-server"}


@both
def test_csv_has_the_same(full: World) -> None:
    browser = full.browser("alice")
    lines = [json.loads(line) for line in browser.get(JSON_LINES).text.splitlines()]
    response = browser.get(CSV)
    assert response.content_type == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(StringIO(response.text, newline="")))
    assert [row["id"] for row in rows] == [line["id"] for line in lines]
    for row, line in zip(rows, lines, strict=True):
        assert json.loads(row["details"]) == line["details"]
        assert (row["at"], row["action"], row["actor_id"]) == (
            line["at"], line["action"], line["actor"]["id"] or "",
        )  # fmt: skip


@both
@pytest.mark.parametrize("path", [CSV, JSON_LINES])
def test_it_has_what_the_page_would_show(full: World, path: str) -> None:
    full.set_role("bob", "admin", "Other")
    mine = full.browser("bob").get(path).text
    assert "Other 4" in mine
    assert "Key 4" not in mine
    # The filters of the page, and nothing for what is not theirs.
    one = full.browser("alice").get(f"{path}?key=Key+3&action=key.created").text
    assert one.count("key.created") == 1
    assert "Key 3" in one
    assert "key.created" not in full.browser("bob").get(f"{path}?project={full.project}").text


def test_it_is_a_file_that_nobody_keeps(full: World) -> None:
    headers = full.browser("alice").get(CSV).headers
    name = r'attachment; filename="compass-audit-\d{4}-\d\d-\d\d\.csv"'
    assert re.fullmatch(name, headers["Content-Disposition"])
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_no_cell_is_a_formula(world: World) -> None:
    hostile = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(1)",
        '=HYPERLINK("http://evil.example")',
        "'=1",
        "a,b",
        "＝1",
        "x;=1+cmd|'/C calc'!A0;",
        "a;b",
    ]
    for name in hostile:
        world.key(name)
    world.set_columns(AuditEvent, AuditEvent.target_name == "+1", target_name="\t=1")
    world.set_columns(AuditEvent, AuditEvent.target_name == "-1", target_name="\r=1\n=2")
    text = world.browser("alice").get(CSV).text
    rows = list(csv.DictReader(StringIO(text, newline="")))
    names = {row["target_name"] for row in rows if row["action"] == "key.created"}
    assert names == {
        "'=1+1", "'\t'=1", "x;'=1+cmd|'/C calc'!A0;", "a;b",
        "'\r=1\n=2", "'@SUM(1)", "'=1", "a,b", "'＝1",
        '\'=HYPERLINK("http://evil.example")',
    }  # fmt: skip
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_a_line_break_in_a_name_is_none_in_json_lines(world: World) -> None:
    world.key("Before")
    broken = "a\nb\u2028c"
    world.set_columns(AuditEvent, AuditEvent.target_name == "Before", target_name=broken)
    lines = world.browser("alice").get(JSON_LINES).text.removesuffix("\n").split("\n")
    assert len(lines) == world.count(AuditEvent)
    assert any(json.loads(line)["target"]["name"] == broken for line in lines)


def test_one_at_a_time_and_the_next_when_it_is_read(full: World) -> None:
    browser = full.browser("alice")
    first = browser.get(CSV, buffered=False)
    refused = meanwhile(browser, JSON_LINES)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert "Another export is under way" in refused.text
    assert meanwhile(browser, AUDIT).status_code == 200
    assert len(first.data) > 1000
    assert browser.get(JSON_LINES).status_code == 200


@pytest.mark.parametrize("read", [0, 1, 2])
@pytest.mark.parametrize("hang_up", ["close", "drop"])
def test_one_that_is_given_up_lets_the_next_go(full: World, read: int, hang_up: str) -> None:
    browser = full.browser("alice")
    response = browser.get(CSV, buffered=False)
    chunks = response.iter_encoded()
    for _ in range(read):
        next(chunks)
    assert meanwhile(browser, CSV).status_code == 503
    if hang_up == "close":
        response.close()
    del response, chunks
    gc.collect()
    assert browser.get(CSV).status_code == 200


def test_the_head_of_one_is_no_turn(full: World) -> None:
    browser = full.browser("alice")
    for _ in range(2):
        assert browser.client.head(CSV).status_code == 200


def test_a_refusal_is_no_turn(full: World) -> None:
    assert full.browser("bob").get(CSV).status_code == 403
    assert full.browser("alice").get(CSV).status_code == 200


def stop_dora(world: World) -> None:
    world.change("dora", users.disable)


def demote_dora(world: World) -> None:
    """She stays an admin of Default, and so would see some of it."""
    world.change("dora", users.demote)


def sign_dora_out(world: World) -> None:
    with world.app.app_context(), transaction():
        sessions.end_all(users.by_email("dora@example.org"))


@pytest.mark.parametrize("stop", [stop_dora, demote_dora, sign_dora_out])
@pytest.mark.parametrize("path", [CSV, JSON_LINES])
def test_it_says_at_its_end_that_it_is_not_whole(
    full: World, stop: Callable[[World], None], path: str
) -> None:
    """Where the right to it ends in the middle: rather than to end as if that were all."""
    full.add_user("dora", admin=True)
    full.set_role("dora", "admin")
    response = full.browser("dora").get(path, buffered=False)
    chunks = response.iter_encoded()
    text = next(chunks) + (next(chunks) if path == CSV else b"")
    stop(full)
    text += b"".join(chunks)
    response.close()
    last = text.decode().splitlines()[-1]
    assert "error" in last
    assert last.rstrip('"}').endswith("This file is not whole.")
    assert full.browser("alice").get(path).status_code == 200


def test_no_secret_is_in_it(world: World) -> None:
    world.set_role("bob", "admin")
    secret, key_id = world.key("Rotated")
    page = world.browser("bob").post(f"{PATH}/{key_id}/rotate", {"overlap_hours": "0"}).text
    secrets = {secret, *re.findall(r"compass_(?:sa|pat)_[0-9A-Za-z]{46}", page)}
    assert len(secrets) == 2
    for path in (CSV, JSON_LINES, AUDIT):
        text = world.browser("alice").get(path).text
        assert not any(each in text for each in secrets)
