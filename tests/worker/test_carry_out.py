"""What workers do with runs: real processes, on both databases, against a real target."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import both
from tests.servers import start_worker, wait_until, working
from tests.target import Target
from tests.work import Work

Env = dict[str, str]


def step(name: str, path: str = "/say", **members: Any) -> dict[str, Any]:
    return {"name": name, "connection": "target", "method": "GET", "path": path, **members}


def ended(work: Work, run_id: str) -> dict[str, Any]:
    wait_until(lambda: work.run(run_id)["finished_at"] is not None)
    return work.run(run_id)


@both
def test_a_run_is_carried_out(work: Work, target: Target, home: Path, env: Env) -> None:
    work.write(
        steps=[
            step("first", query={"word": "{{ input.word }}"}),
            step("second", method="POST", json={"before": "{{ steps.first.status }}"}),
        ],
        output={"statuses": ["{{ steps.first.status }}", "{{ steps.second.status }}"]},
    )
    with working(home, env=env):
        run_id = work.start(input={"word": "a b"}).json["id"]
        run = ended(work, run_id)
    assert (run["status"], run["error"], run["attempt"]) == ("succeeded", None, 1)
    assert run["output"] == {"statuses": [200, 200]}
    assert run["created_at"] <= run["started_at"] <= run["finished_at"]
    assert [call.method for call in target.calls] == ["GET", "POST"]
    assert target.calls[1].body == b'{"before":200}'
    keys = [call.headers["idempotency-key"] for call in target.calls]
    assert keys == [f"{run_id}-first", f"{run_id}-second"]
    assert work.types(run_id) == [
        "queued", "started", "step_started", "step_succeeded", "step_started", "step_succeeded",
        "succeeded",
    ]  # fmt: skip
    events = work.events(run_id)
    assert [event["seq"] for event in events] == list(range(1, 8))
    assert [event["step"] for event in events][2:6] == ["first", "first", "second", "second"]
    assert events[3]["data"]["answered"]["status"] == 200


@both
def test_an_output_is_any_json(work: Work, home: Path, env: Env) -> None:
    outputs = [
        7,
        0.1,
        1.0,
        2**63 + 1,
        1e300,
        "7",
        "é\u0000",
        "",
        True,
        False,
        None,
        [],
        {},
        [1, "1"],
    ]
    ids = []
    with working(home, env=env):
        for number, output in enumerate(outputs):
            work.write(name=f"number {number}", output=output)
            ids.append(work.start(f"number {number}").json["id"])
        given = [ended(work, run_id)["output"] for run_id in ids]
    assert [repr(each) for each in given] == [repr(each) for each in outputs]


@both
def test_runs_that_were_there_before_the_worker_are_carried_out(
    work: Work, home: Path, env: Env
) -> None:
    work.write()
    ids = [work.start().json["id"] for _ in range(5)]
    with working(home, env=env):
        assert [ended(work, run_id)["status"] for run_id in ids] == ["succeeded"] * 5


@both
def test_a_queue_that_is_gone_costs_no_run(work: Work, home: Path, env: Env) -> None:
    work.write()
    ids = [work.start().json["id"] for _ in range(3)]
    lose_queue(work, home)
    with working(home, env=env):
        assert [ended(work, run_id)["status"] for run_id in ids] == ["succeeded"] * 3
        # And under the feet of both: while a worker listens, and a web process has it open.
        lose_queue(work, home)
        ids = [work.start().json["id"] for _ in range(3)]
        assert [ended(work, run_id)["status"] for run_id in ids] == ["succeeded"] * 3


def lose_queue(work: Work, home: Path) -> None:
    from sqlalchemy import text

    from compass.server.db import db

    if (home / "queue.db").exists():
        for file in home.glob("queue.db*"):
            file.unlink()
        return
    with work.world.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS compass_queue_task"))


def test_a_queue_that_is_damaged_costs_no_run(work: Work, home: Path, env: Env) -> None:
    work.write()
    run_id = work.start().json["id"]
    work.world.app.extensions["compass-queue"].close()
    for file in home.glob("queue.db-*"):
        file.unlink()
    (home / "queue.db").write_bytes(b"no database at all" * 1000)
    with working(home, env=env):
        assert ended(work, run_id)["status"] == "succeeded"
        assert ended(work, work.start().json["id"])["status"] == "succeeded"


@both
def test_a_step_that_fails_ends_the_run_with_its_reason(
    work: Work, target: Target, home: Path, env: Env
) -> None:
    work.write(steps=[step("first", query={"status": "500"}), step("never")], output=None)
    with working(home, env=env):
        run_id = work.start().json["id"]
        run = ended(work, run_id)
    assert run["status"] == "failed"
    assert (run["error"]["code"], run["error"]["step"]) == ("http_status", "first")
    assert "500" in run["error"]["message"]
    assert len(target.calls) == 1
    assert work.types(run_id) == ["queued", "started", "step_started", "step_failed", "failed"]
    failed = work.events(run_id)[3]["data"]
    assert failed["code"] == "http_status"
    assert failed["answered"]["status"] == 500


@both
def test_the_death_of_a_worker_costs_a_lease_and_no_step_that_had_ended(
    work: Work, target: Target, home: Path, env: Env
) -> None:
    work.write(steps=[step("first"), step("second", query={"slow": "60"})], output="done")
    doomed = start_worker(home, env=env)
    run_id = work.start().json["id"]
    wait_until(lambda: len(target.calls) == 2)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    assert work.run(run_id)["status"] == "running"
    with working(home, env=env):
        wait_until(lambda: len(target.calls) == 3)
        target.released.set()
        run = ended(work, run_id)
    assert (run["status"], run["output"], run["attempt"]) == ("succeeded", "done", 2)
    assert [call.path for call in target.calls] == ["/say", "/say?slow=60", "/say?slow=60"]
    assert target.calls[1].headers["idempotency-key"] == target.calls[2].headers["idempotency-key"]
    assert work.types(run_id) == [
        "queued", "started", "step_started", "step_succeeded", "step_started", "lease_expired",
        "started", "step_started", "step_succeeded", "succeeded",
    ]  # fmt: skip


@both
def test_sigterm_hands_a_run_back_and_the_next_worker_takes_it(
    work: Work, target: Target, home: Path, env: Env
) -> None:
    work.write(steps=[step("first", query={"slow": "60"})], output=None)
    leaving = start_worker(home, env=env)
    run_id = work.start().json["id"]
    wait_until(lambda: len(target.calls) == 1)
    leaving.send_signal(signal.SIGTERM)
    assert leaving.wait(timeout=10) == 0
    run = work.run(run_id)
    assert (run["status"], run["attempt"]) == ("queued", 1)
    with working(home, env=env):
        wait_until(lambda: len(target.calls) == 2)
        target.released.set()
        assert ended(work, run_id)["status"] == "succeeded"
    assert work.types(run_id) == [
        "queued", "started", "step_started", "handed_back", "started", "step_started",
        "step_succeeded", "succeeded",
    ]  # fmt: skip


@both
def test_sigterm_lets_a_step_end_that_is_about_to(
    work: Work, target: Target, home: Path, env: Env
) -> None:
    work.write(steps=[step("first", query={"slow": "60"}), step("second")], output=None)
    leaving = start_worker(home, env=env)
    run_id = work.start().json["id"]
    wait_until(lambda: len(target.calls) == 1)
    leaving.send_signal(signal.SIGTERM)
    target.released.set()
    assert leaving.wait(timeout=10) == 0
    assert work.types(run_id)[3:] == ["step_succeeded", "step_started", "handed_back"]
    with working(home, env=env):
        assert ended(work, run_id)["status"] == "succeeded"
    assert len(target.calls) == 2


@both
def test_a_running_run_is_cancelled_before_its_next_step(
    work: Work, target: Target, home: Path, env: Env
) -> None:
    work.write(steps=[step("first", query={"slow": "60"}), step("never")], output=None)
    with working(home, env=env):
        run_id = work.start().json["id"]
        wait_until(lambda: len(target.calls) == 1)
        asked = work("POST", f"/runs/{run_id}/cancel")
        assert (asked.status_code, asked.json["status"]) == (200, "running")
        # Asking again changes nothing.
        assert work("POST", f"/runs/{run_id}/cancel").status_code == 200
        target.released.set()
        assert ended(work, run_id)["status"] == "cancelled"
    assert len(target.calls) == 1
    types = ["queued", "started", "step_started", "cancel_requested", "step_succeeded", "cancelled"]
    assert work.types(run_id) == types
    assert work("POST", f"/runs/{run_id}/cancel").status_code == 409


@both
def test_two_workers_share_the_work_and_do_none_of_it_twice(
    work: Work, target: Target, home: Path, env: Env
) -> None:
    work.write()
    ids = [work.start().json["id"] for _ in range(40)]
    with working(home, "--threads", "2", env=env), working(home, "--threads", "2", env=env):
        assert {ended(work, run_id)["status"] for run_id in ids} == {"succeeded"}
    asked = [call.headers["idempotency-key"] for call in target.calls]
    assert sorted(asked) == sorted(f"{run_id}-say" for run_id in ids)


@both
def test_a_connection_that_is_gone_fails_the_run_and_says_so(
    work: Work, home: Path, env: Env
) -> None:
    workflow = work.write()
    run_id = work.start().json["id"]
    assert work.admin("DELETE", f"/workflows/{workflow}").status_code == 204
    connection = work("GET", "/connections").json["items"][0]["id"]
    assert work.admin("DELETE", f"/connections/{connection}").status_code == 204
    with working(home, env=env):
        run = ended(work, run_id)
    assert run["error"]["code"] == "connection_missing"
    assert "no connection named target" in run["error"]["message"]


@both
def test_an_output_that_can_not_be_made_fails_the_run_and_keeps_what_was_done(
    work: Work, home: Path, env: Env
) -> None:
    work.write(output="{{ sort(input.word) }}")
    with working(home, env=env):
        run_id = work.start(input={"word": "x"}).json["id"]
        run = ended(work, run_id)
    assert (run["status"], run["error"]["code"]) == ("failed", "expression_error")
    assert run["error"]["step"] is None
    assert work.types(run_id)[-2:] == ["step_succeeded", "failed"]


@both
def test_what_steps_gave_together_has_a_bound(work: Work, home: Path, env: Env) -> None:
    steps = [step(f"s{number}", query={"size": "1000000"}) for number in range(7)]
    work.write(steps=steps, output=None)
    with working(home, env=env):
        run = ended(work, work.start().json["id"])
    assert (run["error"]["code"], run["error"]["step"]) == ("too_large", "s5")


@both
def test_a_worker_whose_project_was_deleted_goes_on_with_others(
    work: Work, target: Target, home: Path, env: Env
) -> None:
    work.world.add_project("Doomed")
    admin, _ = work.world.key("Doomed", project="Doomed", role="admin")
    kept, work.admin_key, work.key = work.admin_key, admin, admin
    work.connect("target", target.url)
    work.write(steps=[step("first", query={"slow": "60"})], output=None)
    with working(home, env=env):
        work.start()
        wait_until(lambda: len(target.calls) == 1)
        browser = work.world.signed_in("alice")
        project = work("GET", "/me").json["project"]["id"]
        path = f"/projects/{project}/settings/general/delete"
        assert browser.post(path, {"confirm": "Doomed"}).status_code == 303
        target.released.set()
        work.admin_key = work.key = kept
        work.write()
        assert ended(work, work.start().json["id"])["status"] == "succeeded"
    assert "Traceback" not in (home.parent / "worker.log").read_text()


@both
@pytest.mark.parametrize("lost", [1, 2])
def test_a_run_that_lost_its_third_worker_is_given_up(
    work: Work, home: Path, env: Env, lost: int
) -> None:
    """What happens after each loss is above; here the losses before are written straight."""
    from datetime import timedelta

    from compass.server.core.clock import now
    from compass.server.core.run_models import Run, RunStatus

    work.write()
    run_id = work.start().json["id"]
    past = now() - timedelta(seconds=1)
    work.world.set_columns(
        Run, Run.id == run_id, status=RunStatus.RUNNING, attempt=lost, losses=lost, lease_until=past
    )
    with working(home, env=env):
        run = ended(work, run_id)
    assert run["status"] == {1: "succeeded", 2: "failed"}[lost]
    if lost == 2:
        assert run["error"]["code"] == "worker_lost"
        assert "run it again" in run["error"]["message"]
        assert work.types(run_id) == ["queued", "lease_expired", "failed"]


def test_a_worker_makes_no_database(tmp_path: Path) -> None:
    home = tmp_path / "home"
    worker = start_worker(home)
    assert worker.wait(timeout=60) != 0
    assert "There is no database at" in (tmp_path / "worker.log").read_text()
    assert not home.exists()
