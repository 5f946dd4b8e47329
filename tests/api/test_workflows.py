"""Workflows by key: admins write them, and everything that is wrong is told at once."""

from typing import Any

import pytest

from compass.server.core.models import Workflow
from tests.conftest import both
from tests.world import World

STEPS: list[dict[str, Any]] = [
    {"name": "orders", "connection": "warehouse",
     "sql": "select count(*) as n from orders where day = %(day)s",
     "params": {"day": "{{ input.day }}"}},
    {"name": "post", "connection": "chat", "method": "POST", "path": "/messages",
     "json": {"text": "{{ steps.orders.rows[0].n }} orders on {{ input.day }}"}},
]  # fmt: skip
SCHEMA = {
    "type": "object",
    "required": ["day"],
    "properties": {"day": {"type": "string", "format": "date"}},
}
REPORT = {
    "name": "nightly-report",
    "input_schema": SCHEMA,
    "steps": STEPS,
    "output": {"count": "{{ steps.orders.rows[0].n }}"},
}


class Api:
    """Calls with an admin key; `member` with a member's."""

    def __init__(self, world: World):
        self.world = world
        self.admin, _ = world.key("Admin", role="admin")
        self.reader, _ = world.key("Member")
        http = {"base_url": "https://chat.example.org"}
        sql = {"host": "db.example.org", "database": "orders", "user": "report"}
        for name, kind, config, credentials in (
            ("chat", "http", http, {"auth": "none"}),
            ("warehouse", "postgres", sql, {"password": "x"}),
        ):
            given = {"name": name, "kind": kind, "config": config, "credentials": credentials}
            made = self("POST", "/connections", given)
            assert made.status_code == 201
            setattr(self, name, made.json["id"])

    def __call__(self, method: str, path: str, json: Any = None, member: bool = False) -> Any:
        secret = self.reader if member else self.admin
        more = {} if json is None else {"json": json}
        return self.world.call(f"/v1{path}", secret, method, **more)

    def create(self, **members: Any) -> Any:
        return self("POST", "/workflows", {**REPORT, **members})


@pytest.fixture
def api(world: World) -> Api:
    return Api(world)


@both
def test_a_workflow_is_written_read_replaced_and_deleted(api: Api) -> None:
    made = api.create()
    assert made.status_code == 201, made.text
    body = made.json
    assert made.headers["Location"] == f"/v1/workflows/{body['id']}"
    assert (body["name"], body["version"]) == ("nightly-report", 1)
    assert (body["input_schema"], body["output"]) == (SCHEMA, REPORT["output"])
    assert body["steps"] == STEPS
    assert api("GET", f"/workflows/{body['id']}", member=True).json == body
    assert api("GET", "/workflows", member=True).json == {"items": [body], "next_cursor": None}

    path = f"/workflows/{body['id']}"
    assert api("PUT", path, REPORT).json["version"] == 1
    changed = api("PUT", path, {"name": "report", "steps": STEPS[:1]}).json
    assert (changed["name"], changed["version"]) == ("report", 2)
    assert (changed["input_schema"], changed["output"]) == (None, None)
    assert api("DELETE", path).status_code == 204
    assert api("GET", path).status_code == 404
    actions = ["workflow.created", "workflow.changed", "workflow.deleted"]
    assert [len(api.world.events(action)) for action in actions] == [1, 1, 1]


def test_a_member_reads_and_writes_nothing(api: Api) -> None:
    path = f"/workflows/{api.create().json['id']}"
    for method, where in (("POST", "/workflows"), ("PUT", path), ("DELETE", path)):
        answer = api(method, where, REPORT if method != "DELETE" else None, member=True)
        assert (answer.status_code, answer.json["code"]) == (403, "insufficient_role")


def test_another_projects_workflow_is_not_there(api: Api) -> None:
    path = f"/v1/workflows/{api.create().json['id']}"
    api.world.add_project("Other")
    stranger, _ = api.world.key("Stranger", project="Other", role="admin")
    for method in ("GET", "DELETE"):
        assert api.world.call(path, stranger, method).status_code == 404
    # Nor are its connections.
    answer = api.world.call("/v1/workflows", stranger, "POST", json=REPORT)
    assert "Name a connection of this project" in answer.json["errors"]["/steps/0/connection"][0]


@both
def test_a_connection_in_use_stays_as_it_is_called(api: Api) -> None:
    path = f"/workflows/{api.create().json['id']}"
    warehouse = f"/connections/{api.warehouse}"  # type: ignore[attr-defined]
    for method, body in (("DELETE", None), ("PATCH", {"name": "Other"})):
        answer = api(method, warehouse, body)
        assert answer.status_code == 409
        assert "is used by nightly-report" in answer.json["detail"]
    assert api("DELETE", path).status_code == 204
    assert api("DELETE", warehouse).status_code == 204


def step(number: int, **members: Any) -> dict[str, Any]:
    """The report, with one step changed."""
    steps = [dict(each) for each in STEPS]
    steps[number] = {k: v for k, v in {**steps[number], **members}.items() if v is not ...}
    return {"steps": steps}


@pytest.mark.parametrize(
    ("members", "pointer", "words"),
    [
        ({"name": " "}, "/name", "Give the workflow a name."),
        ({"steps": []}, "/steps", "1 to 50 steps"),
        ({"steps": [STEPS[1]] * 51}, "/steps", "1 to 50 steps"),
        (step(0, name="a-b"), "/steps/0/name", "letters, digits and _"),
        (step(1, name="orders"), "/steps/1/name", "There is a step named orders before"),
        (step(0, connection="nope"), "/steps/0/connection", "There is: chat, warehouse."),
        (step(0, connection="chat"), "/steps/0/connection", "is an http connection"),
        (step(1, connection="warehouse"), "/steps/1/connection", "is a postgres connection"),
        (step(0, surprise=1), "/steps/0/surprise", "Unknown. Known are"),
        (step(0, sql=""), "/steps/0/sql", "Give a statement"),
        (step(0, sql="select '{{ input.day }}'"), "/steps/0/sql", "SQL is not templated"),
        (step(0, sql="select 5 % 2 = %(day)s"), "/steps/0/sql", "Write %% for a percent sign"),
        (step(0, sql="select %s"), "/steps/0/sql", "or %(name)s"),
        (step(0, params={}), "/steps/0/params", "day is in the SQL and not here"),
        (step(0, params={"day": 1, "x": 2}), "/steps/0/params/x", "Not in the SQL"),
        (step(0, params=[]), "/steps/0/params", "Give an object"),
        (step(0, timeout=0), "/steps/0/timeout", "Give seconds"),
        (step(0, timeout=301), "/steps/0/timeout", "Give seconds"),
        (step(0, timeout=True), "/steps/0/timeout", "Give seconds"),
        (step(1, method="BREW"), "/steps/1/method", "Give one of GET"),
        (step(1, method=...), "/steps/1/method", "Give one of GET"),
        (step(1, path="messages"), "/steps/1/path", "begins with /"),
        (step(1, path="//evil.example"), "/steps/1/path", "Leave out //"),
        (step(1, path="/a/../../b"), "/steps/1/path", "Leave out //"),
        (step(1, path="/a/%2e%2e/b"), "/steps/1/path", "Leave out //"),
        (step(1, path="/a/..;x/b"), "/steps/1/path", "Leave out //"),
        (step(1, path="/{{ input.day }}/..%20/b"), "/steps/1/path", "Leave out //"),
        (step(1, path="/a%252F%252e%252e%252Fb"), "/steps/1/path", "Leave out //"),
        (step(1, path="/a\\b"), "/steps/1/path", "backslashes"),
        (step(1, path="/a%5Cb"), "/steps/1/path", "backslashes"),
        (step(1, path="/a?b=c"), "/steps/1/path", "give a query as query"),
        (step(1, path="/a\r\nX: y"), "/steps/1/path", "control characters"),
        (step(1, query=[]), "/steps/1/query", "Give an object"),
        (step(1, headers={"Authorization": "x"}), "/steps/1/headers/Authorization", "can't be set"),
        (step(1, headers={"a b": "x"}), "/steps/1/headers/a b", "can't be set"),
        (step(1, headers={"X": 1}), "/steps/1/headers", "object of texts"),
        (step(1, text="x"), "/steps/1/text", "json or text, not both"),
        (step(1, json={"a": ["{{ input. }}"]}), "/steps/1/json/a/0", "is no JMESPath"),
        (step(1, json="{{ input.day"), "/steps/1/json", "is never closed"),
        (step(1, json="{{ steps.later.rows }}"), "/steps/1/json", "no step named later before"),
        ({"output": {"n": "{{ steps.nope.n }}"}}, "/output/n", "no step named nope"),
        ({"output": "{{ " + "a" * 1001 + " }}"}, "/output", "at most 1000 characters"),
        ({"input_schema": {"type": "nonsense"}}, "/input_schema/type", "no JSON Schema"),
        ({"input_schema": {"$ref": "https://evil.example/s"}}, "/input_schema/$ref",
         "Refer to a place in this schema"),
        ({"input_schema": {"$ref": "#/$defs/none"}}, "/input_schema", "points nowhere"),
        ({"input_schema": {"$ref": "#"}}, "/input_schema", "goes round in a circle"),
        ({"input_schema": {"properties": {"a": {"pattern": "(a+)+$(?=b)"}}}},
         "/input_schema/properties/a/pattern", "no pattern of RE2"),
        ({"input_schema": {"unevaluatedProperties": False}},
         "/input_schema/unevaluatedProperties", "not supported here"),
        ({"surprise": 1}, "/surprise", "Unknown field."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(
    api: Api, members: dict[str, Any], pointer: str, words: str
) -> None:
    answer = api.create(**members)
    assert answer.status_code == 422, answer.text
    assert pointer in answer.json["errors"], answer.json["errors"]
    assert words in " ".join(answer.json["errors"][pointer])
    assert api.world.count(Workflow) == 0


def test_everything_that_is_wrong_is_told_at_once(api: Api) -> None:
    answer = api.create(
        name="",
        input_schema={"type": "nonsense"},
        steps=[
            {"name": "a b", "connection": "nope", "sql": "select %s", "timeout": -1},
            {"name": "two", "connection": "chat", "method": "X", "path": "x", "json": "{{"},
        ],
        output="{{ }",
    )
    assert sorted(answer.json["errors"]) == [
        "/input_schema/type", "/name", "/output", "/steps/0/connection", "/steps/0/name",
        "/steps/0/sql", "/steps/0/timeout", "/steps/1/json", "/steps/1/method", "/steps/1/path",
    ]  # fmt: skip


def test_a_step_that_is_wrong_is_a_step_all_the_same(api: Api) -> None:
    """What comes after it, and refers to it, is not wrong for that."""
    steps = [{**STEPS[0], "timeout": -1}, STEPS[1]]
    assert list(api.create(steps=steps).json["errors"]) == ["/steps/0/timeout"]


@pytest.mark.parametrize("types", ["array", "string", ["array", "null"]])
def test_an_input_that_is_no_object_could_never_be_given(api: Api, types: Any) -> None:
    answer = api.create(input_schema={"type": types})
    assert "An input is an object" in answer.json["errors"]["/input_schema/type"][0]
    assert api.create(input_schema={"type": ["object", "null"]}).status_code == 201


def test_a_taken_name_is_a_conflict(api: Api) -> None:
    api.create()
    assert api.create().status_code == 409
    other = api.create(name="other").json["id"]
    assert api("PUT", f"/workflows/{other}", REPORT).status_code == 409


def test_a_document_may_not_be_too_deep_or_too_long(api: Api) -> None:
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    assert api.create(output=deep).status_code == 422
    assert api.create(output="x" * 100_001).status_code == 422
