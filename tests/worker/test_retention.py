"""Old runs are removed, in small batches; what is not over stays."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, insert, inspect, select

from compass.server.core import execution
from compass.server.core.clock import now
from compass.server.core.ids import lowest
from compass.server.core.run_models import Run, RunEvent, RunRequest
from compass.server.db import writing
from tests.conftest import both
from tests.servers import wait_until, working
from tests.work import Work


def an_old_run(work: Work, days: int, number: int = 0) -> str:
    """Ids sort by creation: what only time does is done to the id too."""
    kept = work.start().json["id"]
    old = lowest("run", now() - timedelta(days=days))[:-6] + f"{number:06}"
    with work.world.app.app_context(), writing() as connection:
        created = now() - timedelta(days=days)
        row = connection.execute(select(*inspect(Run).columns).where(Run.id == kept)).one()
        values = {**row._mapping, "id": old, "created_at": created}
        connection.execute(insert(Run), values)
        connection.execute(delete(Run).where(Run.id == kept))
    return old


@both
def test_runs_older_than_the_setting_are_removed(
    work: Work, home: Path, env: dict[str, str]
) -> None:
    work.write()
    old, waiting, young = (an_old_run(work, days) for days in (31, 32, 29))
    for run_id in (old, young):
        assert work("POST", f"/runs/{run_id}/cancel").status_code == 200
    recent = work.start(**{"Idempotency-Key": "kept"}).json["id"]
    with working(home, env={**env, "COMPASS_RUN_RETENTION_DAYS": "30"}):
        wait_until(lambda: work("GET", f"/runs/{old}").status_code == 404)
        for run_id in (waiting, young, recent):
            wait_until(lambda run_id=run_id: work.run(run_id)["finished_at"])  # type: ignore[misc]
    assert work.run(young)["status"] == "cancelled"
    assert work.run(waiting)["status"] == "succeeded"


@both
def test_it_is_done_in_small_batches(work: Work) -> None:
    work.write()
    for number in range(3):
        work("POST", f"/runs/{an_old_run(work, 100, number)}/cancel")
    work.world.set_columns(RunRequest, RunRequest.key_id != "", created_at=now())
    with work.world.app.app_context():
        removed = []
        for _ in range(3):
            with writing() as connection:
                removed.append(execution.remove_old(connection, 90, most=2))
    assert removed == [2, 1, 0]
    assert work.world.count(Run) == work.world.count(RunEvent) == 0
