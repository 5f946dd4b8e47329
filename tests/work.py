"""A project with connections to a real target, and the calls of its keys."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from compass.server.core import execution
from compass.server.core.clock import now
from compass.server.core.run_models import Run
from compass.server.db import db, transaction
from tests.world import World

ECHO: dict[str, Any] = {
    "name": "echo",
    "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}},
    "steps": [{"name": "say", "connection": "target", "method": "GET", "path": "/say"}],
    "output": {"status": "{{ steps.say.status }}"},
}


class Work:
    """Calls with a member's key; `admin` with an admin's."""

    def __init__(self, world: World, url: str = "http://127.0.0.1:9"):
        self.world = world
        self.admin_key, _ = world.key("Admin", role="admin")
        self.key, self.key_id = world.key("Member")
        self.connect("target", url)

    def __call__(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        more |= {} if json is None else {"json": json}
        return self._call(self.key, method, path, more)

    def admin(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        more |= {} if json is None else {"json": json}
        return self._call(self.admin_key, method, path, more)

    def connect(self, name: str, url: str, credentials: Any = None) -> str:
        given = {
            "name": name,
            "kind": "http",
            "config": {"base_url": url},
            "credentials": credentials or {"auth": "none"},
        }
        made = self.admin("POST", "/connections", given)
        assert made.status_code == 201, made.text
        return str(made.json["id"])

    def write(self, **members: Any) -> str:
        made = self.admin("POST", "/workflows", {**ECHO, **members})
        assert made.status_code == 201, made.text
        return str(made.json["id"])

    def start(self, workflow: str = "echo", input: Any = None, **headers: str) -> Any:
        body: dict[str, Any] = {"workflow": workflow} | ({} if input is None else {"input": input})
        return self("POST", "/runs", body, headers=headers)

    def run(self, run_id: str) -> dict[str, Any]:
        answer = self("GET", f"/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def events(self, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("GET", f"/runs/{run_id}/events?limit=200").json["items"]
        return found

    def types(self, run_id: str) -> list[str]:
        return [event["type"] for event in self.events(run_id)]

    def _call(self, secret: str, method: str, path: str, more: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {secret}", **more.pop("headers", {})}
        client = self.world.app.test_client()
        return client.open(f"/v1{path}", method=method, headers=headers, **more)


class Hand:
    """Does by hand, event by event, what a worker does with a run."""

    def __init__(self, world: World, run_id: str):
        self.world = world
        self.run_id = run_id
        self.claim: Any = None

    def take(self) -> None:
        with self.world.app.app_context(), transaction():
            seen = execution.see(run_id=self.run_id)
            self.claim = execution.claim(db.session.connection(), seen)
        assert self.claim is not None

    def take_to_the_end(self) -> None:
        """Of one that was cancelled: whoever takes it ends it."""
        with self.world.app.app_context(), transaction():
            seen = execution.see(run_id=self.run_id)
            assert execution.claim(db.session.connection(), seen) is None

    def give(self, step: str, status: int = 200) -> bool:
        return bool(self.write(execution.record_step, step, {"status": status}, {"ms": 1.5}))

    def end(self, step: str) -> None:
        self.write(execution.succeed, step, {"status": 200}, {"ms": 1.5}, None)

    def hand_back(self) -> None:
        self.write(execution.hand_back)

    def die(self) -> None:
        lapsed = {"lease_until": now() - timedelta(seconds=1)}
        self.world.set_columns(Run, Run.id == self.run_id, **lapsed)

    def write(self, rule: Callable[..., Any], *arguments: Any) -> Any:
        with self.world.app.app_context(), transaction():
            return rule(db.session.connection(), self.claim, *arguments)
