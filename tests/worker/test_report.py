"""The picture to keep in mind: a CI job with a member's key runs a fixed report on a production
database that it has no password for. And its credentials are found nowhere."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import both
from tests.servers import wait_until, working
from tests.target import Target
from tests.warehouse import PASSWORD, Warehouse
from tests.work import Work

TOKEN = "very-secret-token-of-the-chat"
REPORT: dict[str, Any] = {
    "name": "nightly-report",
    "input_schema": {
        "type": "object",
        "required": ["day"],
        "properties": {"day": {"type": "string", "format": "date"}},
    },
    "steps": [
        {"name": "orders", "connection": "warehouse",
         "sql": "select count(*) as n from orders where day = %(day)s",
         "params": {"day": "{{ input.day }}"}},
        {"name": "post", "connection": "chat", "method": "POST", "path": "/messages",
         "json": {"text": "{{ steps.orders.rows[0].n }} orders on {{ input.day }}"}},
    ],
    "output": {"count": "{{ steps.orders.rows[0].n }}"},
}  # fmt: skip


@pytest.fixture
def report(work: Work, target: Target, warehouse: Warehouse) -> Work:
    warehouse.look("drop table if exists orders")
    warehouse.look("create table orders (day date)")
    warehouse.look("grant select on orders to public")
    warehouse.look("insert into orders values ('2026-11-01'), ('2026-11-01'), ('2026-11-02')")
    made = work.admin(
        "POST",
        "/connections",
        {
            "name": "warehouse",
            "kind": "postgres",
            "config": warehouse.config,
            "credentials": {"password": PASSWORD},
        },
    )
    assert made.status_code == 201, made.text
    work.connect("chat", target.url, {"auth": "bearer", "token": TOKEN})
    work.admin("POST", "/workflows", REPORT)
    return work


def ended(work: Work, run_id: str) -> dict[str, Any]:
    wait_until(lambda: work.run(run_id)["finished_at"] is not None)
    return work.run(run_id)


@both
def test_a_members_key_runs_the_report_and_nothing_else(
    report: Work, target: Target, home: Path, env: dict[str, str]
) -> None:
    with working(home, env=env):
        run = ended(report, report.start("nightly-report", {"day": "2026-11-01"}).json["id"])
        assert (run["status"], run["output"]) == ("succeeded", {"count": 2}), run
        assert target.calls[0].body == b'{"text":"2 orders on 2026-11-01"}'
        assert target.calls[0].headers["authorization"] == f"Bearer {TOKEN}"
        hidden = "2026-11-01' or '1'='1"
        assert report.start("nightly-report", {"day": hidden}).status_code == 422
    for method, path, body in (
        ("PUT", f"/workflows/{run['workflow']['id']}", REPORT),
        ("POST", "/workflows", {**REPORT, "name": "other"}),
        ("POST", "/connections", {}),
    ):
        refused = report(method, path, body)
        assert (refused.status_code, refused.json["code"]) == (403, "insufficient_role")


@both
def test_the_credentials_are_found_nowhere(
    report: Work, target: Target, home: Path, env: dict[str, str]
) -> None:
    """Not even where the target says them back, in an answer, an error or an address."""
    steps = {
        "echo": {"query": {"echo": "1"}},
        "failing": {"query": {"echo": "1", "status": "500"}},
        "typed": {"query": {"echo": "1", "type": "text/plain"}},
        "leading": {},
    }
    ids = []
    with working(home, env=env):
        for name, members in steps.items():
            step = {"name": "say", "connection": "chat", "method": "GET", "path": "/", **members}
            made = report.admin(
                "POST",
                "/workflows",
                {"name": name, "steps": [step], "output": "{{ steps.say }}"},
            )
            assert made.status_code == 201, made.text
            target.sends_on_to = f"http://127.0.0.2/{TOKEN}" if name == "leading" else ""
            ids.append(report.start(name).json["id"])
            ended(report, ids[-1])
        sql = {"name": "wrong", "connection": "warehouse", "sql": "select nothing from nowhere"}
        report.admin("POST", "/workflows", {"name": "sql", "steps": [sql]})
        ids.append(report.start("sql").json["id"])
        runs = [ended(report, run_id) for run_id in ids]
    statuses = ["succeeded", "failed", "succeeded", "failed", "failed"]
    assert [run["status"] for run in runs] == statuses
    assert all(call.headers["authorization"] == f"Bearer {TOKEN}" for call in target.calls)
    assert runs[3]["error"]["code"] == "redirect_refused"
    seen = [repr(runs), report("GET", "/runs").text, repr(report.world.dump())]
    seen += [repr(report.events(run_id)) for run_id in ids]
    seen.append(report.world.signed_in("alice").get("/settings/organization/audit").text)
    files = [each for each in [*home.rglob("*"), home.parent / "worker.log"] if each.is_file()]
    for secret in (TOKEN, PASSWORD):
        assert not any(secret in text for text in seen)
        for file in files:
            assert secret.encode() not in file.read_bytes(), file
    # What was asked and answered is there, with the values of headers masked.
    asked = report.events(ids[0])[3]["data"]["asked"]
    assert asked["headers"]["authorization"] == "•••"


@both
def test_an_expression_in_the_input_or_in_an_answer_stays_what_it_is(
    report: Work, target: Target, home: Path, env: dict[str, str]
) -> None:
    trick = "{{ steps.first.headers }}"
    steps = [
        {"name": "first", "connection": "chat", "method": "GET", "path": "/",
         "query": {"word": "{{ input.word }}"}},
        {"name": "second", "connection": "chat", "method": "POST", "path": "/",
         "json": {"input": "{{ input.word }}", "answer": "{{ steps.first.json.path }}"}},
    ]  # fmt: skip
    report.admin("POST", "/workflows", {"name": "trick", "steps": steps, "output": "{{ input }}"})
    with working(home, env=env):
        run = ended(report, report.start("trick", {"word": trick}).json["id"])
    assert run["output"] == {"word": trick}
    assert b'"input":"{{ steps.first.headers }}"' in target.calls[1].body
    # The target was asked with it, and said its path back.
    assert b"%7B%7B" in target.calls[1].body
