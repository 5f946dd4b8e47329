"""Runs by key: asked for, read, cancelled. Who carries them out is in tests/worker."""

from datetime import timedelta
from typing import Any

import pytest

from compass.server.core.clock import now
from compass.server.core.run_models import Run, RunRequest
from tests.conftest import both
from tests.work import Work
from tests.world import World


@pytest.fixture
def work(world: World) -> Work:
    work = Work(world)
    work.workflow = work.write()  # type: ignore[attr-defined]
    return work


@both
def test_a_run_is_accepted_and_read(work: Work) -> None:
    answer = work.start(input={"word": "hello"})
    assert answer.status_code == 202, answer.text
    run = answer.json
    assert answer.headers["Location"] == f"/v1/runs/{run['id']}"
    workflow = {"id": work.workflow, "name": "echo", "version": 1}  # type: ignore[attr-defined]
    assert run == {
        "id": run["id"],
        "workflow": workflow,
        "input": {"word": "hello"},
        "status": "queued",
        "output": None,
        "error": None,
        "attempt": 0,
        "started_by": {"type": "key", "id": work.key_id, "name": "Member"},
        "created_at": run["created_at"],
        "started_at": None,
        "finished_at": None,
    }
    assert work.run(run["id"]) == run
    assert work("GET", "/runs").json == {"items": [run], "next_cursor": None}
    event = {"seq": 1, "time": run["created_at"], "type": "queued", "step": None, "data": None}
    assert [{**each, "time": run["created_at"]} for each in work.events(run["id"])] == [event]


@both
def test_a_workflow_is_named_by_its_id_too(work: Work) -> None:
    answer = work.start(work.workflow)  # type: ignore[attr-defined]
    assert (answer.status_code, answer.json["input"]) == (202, {})


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"workflow": "echo", "input": {"word": 7}}, 422, "/input/word"),
        ({"workflow": "echo", "input": []}, 422, "/input"),
        ({"workflow": "echo", "input": None}, 422, "/input"),
        ({"workflow": "echo", "surprise": 1}, 422, "/surprise"),
        ({"input": {}}, 422, "/workflow"),
        ({"workflow": 7}, 422, "/workflow"),
        ({"workflow": "nope"}, 404, None),
        ({"workflow": "wfl_00000000000000000000000"}, 404, None),
        ({"workflow": "\0"}, 404, None),
    ],
)
def test_what_can_not_be_run_is_refused_and_nothing_waits(
    work: Work, body: Any, status: int, pointer: str | None
) -> None:
    answer = work("POST", "/runs", body)
    assert answer.status_code == status, answer.text
    if pointer:
        assert pointer in answer.json["errors"]
    assert work.world.count(Run) == 0


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


def test_an_input_may_be_100_levels_deep_and_no_deeper(work: Work) -> None:
    assert work.start(input=nested(100)).status_code == 202
    refused = work.start(input=nested(101))
    assert refused.status_code == 422
    assert "more than 100 levels" in refused.json["errors"]["/input"][0]
    for levels, status in ((500, 422), (5000, 400)):
        body = b'{"workflow": "echo", "input": ' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"
        for once in ({}, {"Idempotency-Key": "deep"}):
            headers = {"Content-Type": "application/json", **once}
            answer = work("POST", "/runs", data=body, headers=headers)
            assert answer.status_code == status, answer.text


def test_an_input_of_a_megabyte_is_as_much_as_a_body_may_be(work: Work) -> None:
    assert work.start(input={"word": "x" * 1_000_000}).status_code == 202
    assert work.start(input={"word": "x" * (1 << 20)}).status_code == 413


@pytest.mark.parametrize(
    ("number", "status"),
    [(str(2**64 - 1), 202), (str(-(2**63)), 202), (str(2**64), 422), (str(-(2**63) - 1), 422),
     ("1" * 300, 422), ('"' + "1" * 30 + '"', 202), ("1" * 30 + ".5", 202), ("1e300", 202)],
)  # fmt: skip
def test_a_whole_number_is_kept_exactly_or_refused(work: Work, number: str, status: int) -> None:
    work.write(name="any", input_schema=None)
    body = f'{{"workflow": "any", "input": {{"n": {number}}}}}'
    answer = work("POST", "/runs", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    if status == 422:
        assert "more than 64 bits" in answer.json["errors"]["/input"][0]
    elif number.lstrip("-").isdigit():
        assert work.run(answer.json["id"])["input"] == {"n": int(number)}


@both
def test_another_projects_runs_and_workflows_are_not_there(work: Work) -> None:
    run_id = work.start().json["id"]
    work.world.add_project("Other")
    stranger, _ = work.world.key("Stranger", project="Other", role="admin")
    for method, path in (
        ("GET", f"/v1/runs/{run_id}"),
        ("GET", f"/v1/runs/{run_id}/events"),
        ("POST", f"/v1/runs/{run_id}/cancel"),
    ):
        assert work.world.call(path, stranger, method).status_code == 404
    assert work.world.call("/v1/runs", stranger).json["items"] == []
    body = {"workflow": work.workflow}  # type: ignore[attr-defined]
    assert work.world.call("/v1/runs", stranger, "POST", json=body).status_code == 404


@both
def test_the_same_idempotency_key_starts_one_run(work: Work) -> None:
    once = {"Idempotency-Key": "nightly 2026-11-01"}
    first = work.start(input={"word": "a"}, **once)
    again = work.start(input={"word": "a"}, **once)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    other_body = work.start(input={"word": "b"}, **once)
    assert (other_body.status_code, other_body.json["code"]) == (409, "conflict")
    assert (
        work.start(input={"word": "a"}, **{"Idempotency-Key": "x"}).json["id"] != first.json["id"]
    )
    assert work.world.count(Run) == 2


@both
def test_an_idempotency_key_is_of_its_api_key_and_of_a_day(work: Work) -> None:
    once = {"Idempotency-Key": "nightly"}
    first = work.start(**once).json["id"]
    by_another = work.admin("POST", "/runs", {"workflow": "echo"}, headers=once).json["id"]
    assert by_another != first
    long_ago = now() - timedelta(hours=24)
    work.world.set_columns(RunRequest, RunRequest.run_id == first, created_at=long_ago)
    later = work.start(**once).json["id"]
    assert later not in {first, by_another}
    assert work.start(**once).json["id"] == later


def test_an_idempotency_key_outlives_its_workflow(work: Work) -> None:
    once = {"Idempotency-Key": "nightly"}
    first = work.start(**once)
    path = f"/workflows/{work.workflow}"  # type: ignore[attr-defined]
    assert work.admin("DELETE", path).status_code == 204
    assert work.start(**once).json == first.json
    assert work.start().status_code == 404


@pytest.mark.parametrize("header", ["", " ", "x" * 256, "naïve"])
def test_a_malformed_idempotency_key_is_refused(work: Work, header: str) -> None:
    answer = work.start(**{"Idempotency-Key": header})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert work.world.count(Run) == 0


@both
def test_a_run_that_waits_is_cancelled_at_once(work: Work) -> None:
    run_id = work.start().json["id"]
    cancelled = work("POST", f"/runs/{run_id}/cancel")
    assert (cancelled.status_code, cancelled.json["status"]) == (200, "cancelled")
    assert cancelled.json["finished_at"] is not None
    assert work.types(run_id) == ["queued", "cancel_requested", "cancelled"]
    by = {"type": "key", "id": work.key_id, "name": "Member"}
    assert work.events(run_id)[1]["data"] == {"by": by}
    again = work("POST", f"/runs/{run_id}/cancel")
    assert (again.status_code, again.json["code"]) == (409, "conflict")


@both
def test_runs_are_listed_newest_first_and_filtered(work: Work) -> None:
    work.write(name="other")
    ids = [work.start().json["id"] for _ in range(3)]
    other = work.start("other").json["id"]
    work("POST", f"/runs/{ids[1]}/cancel")

    def listed(query: str) -> list[str]:
        return [run["id"] for run in work("GET", f"/runs{query}").json["items"]]

    assert listed("") == [other, ids[2], ids[1], ids[0]]
    assert listed("?status=cancelled") == [ids[1]]
    assert listed("?status=queued&workflow=echo") == [ids[2], ids[0]]
    assert listed("?workflow=other") == [other]
    assert listed(f"?workflow={work.workflow}") == ids[::-1]  # type: ignore[attr-defined]
    assert listed("?workflow=nope") == []
    assert work("GET", "/runs?status=nope").status_code == 422
    page = work("GET", "/runs?limit=3").json
    assert page["next_cursor"] == ids[1]
    assert listed(f"?limit=3&cursor={page['next_cursor']}") == [ids[0]]


@both
def test_a_run_keeps_what_it_was_asked_to_run(work: Work) -> None:
    run_id = work.start().json["id"]
    path = f"/workflows/{work.workflow}"  # type: ignore[attr-defined]
    document = work.admin("GET", path).json
    kept = {name: document[name] for name in ("input_schema", "steps", "output")}
    assert work.admin("PUT", path, {**kept, "name": "renamed"}).json["version"] == 2
    assert work.run(run_id)["workflow"] == {"id": document["id"], "name": "echo", "version": 1}
    assert work.start("renamed").json["workflow"]["version"] == 2
    # Under what it was called then, and under what it is called now.
    assert len(work("GET", "/runs?workflow=renamed").json["items"]) == 2
    assert len(work("GET", "/runs?workflow=echo").json["items"]) == 1


def test_events_are_read_on_from_the_last_one(work: Work) -> None:
    run_id = work.start().json["id"]
    work("POST", f"/runs/{run_id}/cancel")
    events = work("GET", f"/runs/{run_id}/events?after=1").json["items"]
    assert [event["seq"] for event in events] == [2, 3]
    events = work("GET", f"/runs/{run_id}/events?after=1&limit=1").json["items"]
    assert [event["seq"] for event in events] == [2]
    assert work("GET", f"/runs/{run_id}/events?after=x").status_code == 422


def test_a_queue_that_can_not_be_used_does_not_cost_the_run(work: Work) -> None:
    home = work.world.app.config["COMPASS"].home
    (home / "queue.db").mkdir()
    answer = work.start()
    assert answer.status_code == 202
    assert work.run(answer.json["id"])["status"] == "queued"
