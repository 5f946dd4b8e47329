"""Schemathesis reads the OpenAPI document and calls every operation in it: with what is right,
with one thing wrong, and at random. Whatever is answered must be as the document says.

All of its checks are on, but for one where it can't hold; and no operation is left out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from sqlalchemy import URL

from compass.server import create_app
from compass.server.core.models import Role
from tests.conftest import make_settings
from tests.world import World

# What nothing at random would hit. The ids stand for real keys, which each test has its own of;
# the cursor is newer than any key, so that the pages after it are full.
LIVE, PERSONAL, REVOKED = (f"key_{number:023}" for number in range(3))
CONNECTION, WORKFLOW, RUN = f"con_{0:023}", f"wfl_{0:023}", f"run_{0:023}"
EXAMPLES = {
    "key_id": [LIVE, PERSONAL, REVOKED],
    "connection_id": [CONNECTION],
    "workflow_id": [WORKFLOW],
    "run_id": [RUN],
}

# They lead to nowhere: nothing listens on that port.
CONNECTION_EXAMPLE = {
    "name": "chat",
    "kind": "http",
    "config": {"base_url": "http://127.0.0.1:9/v1"},
    "credentials": {"auth": "none"},
}
WORKFLOW_EXAMPLE = {
    "name": "greet",
    "steps": [{"name": "say", "connection": "chat", "method": "POST", "path": "/messages"}],
}
BODIES = {
    ("/v1/connections", "post"): {**CONNECTION_EXAMPLE, "name": "Another"},
    ("/v1/connections/{connection_id}", "patch"): {"name": "Renamed"},
    ("/v1/workflows", "post"): WORKFLOW_EXAMPLE,
    ("/v1/workflows/{workflow_id}", "put"): {**WORKFLOW_EXAMPLE, "name": "greet again"},
    ("/v1/runs", "post"): {"workflow": "Greet", "input": {"name": "Ada"}},
}

# What these take is more than JSON Schema can say: that a text is an address, SQL or JMESPath, and
# that the connections which it names are there. So of what is made up by the schema alone, most is
# a 422; that what is right passes is what the examples above are for.
BEYOND_SCHEMA = {f"{method.upper()} {path}" for path, method in BODIES}

Case = schemathesis.Case[Any]


def excluded(case: Case) -> list[Any]:
    """The only check that is left out, and only there."""
    return [positive_data_acceptance] if case.operation.label in BEYOND_SCHEMA else []


app = create_app(make_settings(Path(), URL.create("sqlite")))


def read_document() -> dict[str, Any]:
    """As the app serves it, for which it needs no database, with our examples."""
    document: dict[str, Any] = app.test_client().get("/v1/openapi.json").get_json()
    for path in document["paths"].values():
        operations = [each for each in path.values() if isinstance(each, dict)]
        for place in (path, *operations):
            for parameter in place.get("parameters", []):
                values = EXAMPLES.get(parameter["name"], [])
                if parameter["name"] == "cursor":
                    prefix = parameter["schema"]["pattern"][1:4]
                    values = [f"{prefix}_{'v' * 23}"]
                if values:
                    parameter["examples"] = {value: {"value": value} for value in values}
    for (path, method), body in BODIES.items():
        content = document["paths"][path][method]["requestBody"]["content"]["application/json"]
        content["example"] = body
    return document


document = schemathesis.openapi.from_dict(read_document())
# It makes the calls go through WSGI. They go to the app of each test.
document.app = app


# In a row nothing has an example, and hardly anything made up is a connection or a workflow: rows
# of calls to those are in test_connections.py and test_workflows.py.
keys_alone = document.include(path_regex="^/v1/(me|keys)")


class Caller:
    """Calls with keys of one role, and keeps which operations succeeded."""

    def __init__(self, world: World, role: Role):
        self.world, self.role = world, role
        self.minted = 0
        revoker, _ = world.key("Revoker", role="admin")
        self.admin = revoker
        # What the workflows that are tried go with.
        chat = {**CONNECTION_EXAMPLE, "name": "chat"}
        assert world.call("/v1/connections", revoker, "POST", json=chat).status_code == 201
        greet = {**WORKFLOW_EXAMPLE, "name": "Greet"}
        assert world.call("/v1/workflows", revoker, "POST", json=greet).status_code == 201
        self.real = {
            LIVE: world.key("Live")[1],
            PERSONAL: world.key("Bob's", type="personal", by="bob", days="90")[1],
            REVOKED: world.key("Revoked")[1],
        }
        world.call(f"/v1/keys/{self.real[REVOKED]}/revoke", revoker, "POST")
        self.is_waiting = False
        self.called: dict[str, Role] = {}
        self.succeeded: set[str] = set()

    def prepare(self, case: Case) -> None:
        """Puts a real key where the case has a made-up one, and real ids where their stand-ins
        are. A case that goes without a key, or with what can't be one, stays as it is."""
        self.is_waiting = True
        if case.headers.get("Authorization", "").startswith("Bearer "):
            case.headers["Authorization"] = f"Bearer {self._mint()}"
        for name, value in case.path_parameters.items():
            if value in self.real:
                case.path_parameters[name] = self.real[value]
        made = {
            "connection_id": self._connection,
            "workflow_id": self._workflow,
            "run_id": self._run,
        }
        for name, make in made.items():
            if case.path_parameters.get(name) in {CONNECTION, WORKFLOW, RUN}:
                case.path_parameters[name] = make()

    def note(self, case: Case, status: int) -> None:
        self.is_waiting = False
        label = case.operation.label
        self.called[label] = Role(case.operation.definition.raw["x-compass-role"])
        # Some cases try methods that the operation does not have.
        if case.method.lower() == case.operation.method and 200 <= status < 300:
            self.succeeded.add(label)

    def _connection(self) -> str:
        """One of its own for each call, since calls delete them. It leads to nowhere."""
        return self._make("connections", CONNECTION_EXAMPLE)

    def _workflow(self) -> str:
        return self._make("workflows", WORKFLOW_EXAMPLE)

    def _run(self) -> str:
        made = self.world.call("/v1/runs", self.admin, "POST", json={"workflow": "Greet"})
        return str(made.json["id"])

    def _make(self, kind: str, example: dict[str, Any]) -> str:
        self.minted += 1
        given = {**example, "name": f"Made {self.minted}"}
        made = self.world.call(f"/v1/{kind}", self.admin, "POST", json=given)
        return str(made.json["id"])

    def _mint(self) -> str:
        """A key of its own for each call: calls end and change the keys that make them."""
        self.minted += 1
        secret, _ = self.world.key(f"Caller {self.minted}", role=self.role.value)
        return secret


def calling(world: World, role: Role) -> Iterator[Caller]:
    """Whatever it called must have succeeded at least once if its role may do it, else never."""
    caller = Caller(world, role)
    yield caller
    if caller.is_waiting:
        # The last answer was not as the document says, which is failure enough.
        return
    allowed = {label for label, needed in caller.called.items() if role.covers(needed)}
    assert caller.succeeded == allowed


@pytest.fixture
def member(world: World) -> Iterator[Caller]:
    yield from calling(world, Role.MEMBER)


@pytest.fixture
def admin(world: World) -> Iterator[Caller]:
    yield from calling(world, Role.ADMIN)


at_length = hypothesis_settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


# One test each, not one for both: a test's examples are made once, and `prepare` changes them.
@at_length
@document.parametrize()
def test_a_members_key_gets_what_the_document_says(case: Case, member: Caller) -> None:
    member.prepare(case)
    response = case.call_and_validate(app=member.world.app, excluded_checks=excluded(case))
    member.note(case, response.status_code)


@at_length
@document.parametrize()
def test_an_admins_key_gets_what_the_document_says(case: Case, admin: Caller) -> None:
    admin.prepare(case)
    response = case.call_and_validate(app=admin.world.app, excluded_checks=excluded(case))
    admin.note(case, response.status_code)


def test_calls_in_a_row_get_what_the_document_says(admin: Caller) -> None:
    """What one answers goes into the next: the ids of the list are read, revoked, read again."""

    class Row(keys_alone.as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: Case) -> None:
            admin.prepare(case)

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"app": admin.world.app}

        def after_call(self, response: schemathesis.Response, case: Case) -> None:
            super().after_call(response, case)
            admin.note(case, response.status_code)

    Row.run(settings=hypothesis_settings(at_length, max_examples=30, stateful_step_count=10))
