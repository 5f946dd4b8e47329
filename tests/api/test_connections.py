"""Connections by key: what goes in, what comes out, and what never does."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import URL

from compass.server.core.models import Connection
from compass.server.db import db
from tests.conftest import both
from tests.target import Target, a_target
from tests.world import World

TOKEN = "very-secret-token-of-the-target"
HTTP = {"base_url": "https://api.example.org/v2/", "headers": {"X-Team": "ops"}}
BEARER = {"auth": "bearer", "token": TOKEN}
POSTGRES = {"host": "db.example.org", "database": "orders", "user": "report"}


@pytest.fixture
def target() -> Iterator[Target]:
    with a_target() as target:
        yield target


class Api:
    """Calls with an admin key; `member` with a member's."""

    def __init__(self, world: World):
        self.world = world
        self.admin, _ = world.key("Admin", role="admin")
        self.reader, _ = world.key("Member")

    def __call__(self, method: str, path: str, json: Any = None, member: bool = False) -> Any:
        secret = self.reader if member else self.admin
        more = {} if json is None else {"json": json}
        return self.world.call(f"/v1/connections{path}", secret, method, **more)

    def create(self, **members: Any) -> Any:
        given = {"name": "Chat", "kind": "http", "config": HTTP, "credentials": BEARER} | members
        return self("POST", "", given)


@pytest.fixture
def api(world: World) -> Api:
    return Api(world)


@both
def test_a_connection_is_stored_read_changed_and_deleted(api: Api) -> None:
    made = api.create()
    assert made.status_code == 201
    body = made.json
    assert made.headers["Location"] == f"/v1/connections/{body['id']}"
    assert body["config"] == {
        "base_url": "https://api.example.org/v2",
        "headers": {"X-Team": "ops"},
    }
    assert (body["kind"], body["has_credentials"], body["check"]) == ("http", True, None)
    assert api("GET", f"/{body['id']}", member=True).json == body
    assert api("GET", "", member=True).json == {"items": [body], "next_cursor": None}
    changed = api("PATCH", f"/{body['id']}", {"name": "Chats"})
    assert (changed.status_code, changed.json["name"]) == (200, "Chats")
    assert changed.json["config"] == body["config"]
    assert api("DELETE", f"/{body['id']}").status_code == 204
    assert api("GET", f"/{body['id']}").status_code == 404
    actions = ["connection.created", "connection.changed", "connection.deleted"]
    assert [len(api.world.events(action)) for action in actions] == [1, 1, 1]


@both
def test_what_was_left_out_is_filled_in(api: Api) -> None:
    made = api.create(name="Sums", kind="postgres", config=POSTGRES, credentials={"password": "x"})
    assert made.json["config"] == {**POSTGRES, "port": 5432, "sslmode": "prefer"}


def test_a_member_reads_and_writes_nothing(api: Api) -> None:
    path = f"/{api.create().json['id']}"
    for method, where in (
        ("POST", ""), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/check"),
    ):  # fmt: skip
        answer = api(method, where, {} if method != "DELETE" else None, member=True)
        assert (answer.status_code, answer.json["code"]) == (403, "insufficient_role")
        assert "needs the role admin, and this key has member" in answer.json["detail"]


def test_another_projects_connection_is_not_there(api: Api) -> None:
    path = f"/{api.create().json['id']}"
    api.world.add_project("Other")
    stranger, _ = api.world.key("Stranger", project="Other", role="admin")
    for method, where in (
        ("GET", path), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/check"),
    ):  # fmt: skip
        more: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
        answer = api.world.call(f"/v1/connections{where}", stranger, method, **more)
        assert answer.status_code == 404
    assert api.world.call("/v1/connections", stranger).json["items"] == []


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"kind": "ftp"}, "/kind"),
        ({"kind": None}, "/kind"),
        ({"config": []}, "/config"),
        ({"config": {}}, "/config/base_url"),
        ({"config": {"base_url": "ftp://x"}}, "/config/base_url"),
        ({"config": {"base_url": "https://user:pw@x"}}, "/config/base_url"),
        ({"config": {"base_url": "https://x/?a=b"}}, "/config/base_url"),
        ({"config": {"base_url": "https://x/a/../b"}}, "/config/base_url"),
        ({"config": {"base_url": "https://x y/"}}, "/config/base_url"),
        ({"config": {"base_url": "https://x\\@y/"}}, "/config/base_url"),
        ({"config": {"base_url": "https://x:99999/"}}, "/config/base_url"),
        ({"config": {"base_url": 7}}, "/config/base_url"),
        ({"config": {**HTTP, "headers": {"Cookie": "a"}}}, "/config/headers"),
        ({"config": {**HTTP, "headers": {"authorization": "a"}}}, "/config/headers"),
        ({"config": {**HTTP, "headers": {"X": "a\r\nB: c"}}}, "/config/headers"),
        ({"config": {**HTTP, "headers": {"X y": "a"}}}, "/config/headers"),
        ({"config": {**HTTP, "surprise": 1}}, "/config/surprise"),
        ({"config": {**HTTP, "a/b~c": 1}}, "/config/a~1b~0c"),
        ({"credentials": {}}, "/credentials/auth"),
        ({"credentials": {"auth": "oauth"}}, "/credentials/auth"),
        ({"credentials": {"auth": "bearer"}}, "/credentials/token"),
        ({"credentials": {"auth": "bearer", "token": "a\nb"}}, "/credentials/token"),
        ({"credentials": {"auth": "none", "token": "a"}}, "/credentials/token"),
        ({"credentials": {"auth": "basic", "username": "a:b", "password": "c"}},
         "/credentials/username"),
        ({"credentials": {"auth": "header", "name": "Host", "value": "c"}}, "/credentials/name"),
        ({"kind": "postgres", "credentials": {"password": "x"},
          "config": {**POSTGRES, "host": "/run"}}, "/config/host"),
        ({"kind": "postgres", "credentials": {"password": "x"},
          "config": {**POSTGRES, "host": "a,b"}}, "/config/host"),
        ({"kind": "postgres", "credentials": {"password": "x"},
          "config": {**POSTGRES, "host": "@x"}}, "/config/host"),
        ({"kind": "postgres", "credentials": {"password": "x"}, "config": {**POSTGRES, "port": 0}},
         "/config/port"),
        ({"kind": "postgres", "credentials": {"password": "x"},
          "config": {**POSTGRES, "sslmode": "maybe"}}, "/config/sslmode"),
        ({"kind": "postgres", "credentials": {}, "config": POSTGRES}, "/credentials/password"),
        ({"id": "con_1"}, "/id"),
    ],
)  # fmt: skip
def test_bad_input_is_told_where_and_nothing_is_stored(
    api: Api, members: dict[str, Any], pointer: str
) -> None:
    answer = api.create(**members)
    assert answer.status_code == 422
    assert pointer in answer.json["errors"]
    assert TOKEN not in answer.text
    assert api.world.count(Connection) == 0


def test_a_taken_name_is_a_conflict(api: Api) -> None:
    api.create()
    assert api.create().status_code == 409
    other = api.create(name="Other").json["id"]
    assert api("PATCH", f"/{other}", {"name": "Chat"}).status_code == 409


MOVES = [
    {"config": {"base_url": "https://evil.example"}},
    {"config": {"base_url": "http://api.example.org/v2"}},
    {"config": {"base_url": "https://api.example.org"}},
    {"kind": "postgres", "config": POSTGRES},
]


@pytest.mark.parametrize("change", MOVES)
def test_a_new_address_needs_the_credentials_again(api: Api, change: dict[str, Any]) -> None:
    made = api.create().json
    refused = api("PATCH", f"/{made['id']}", change)
    assert refused.status_code == 422
    assert "/credentials" in refused.json["errors"]
    assert api("GET", f"/{made['id']}").json == made
    again = {"password": "x"} if "kind" in change else BEARER
    assert api("PATCH", f"/{made['id']}", {**change, "credentials": again}).status_code == 200


@pytest.mark.parametrize("place", ["host", "port", "sslmode"])
def test_so_does_a_databases(api: Api, place: str) -> None:
    made = api.create(kind="postgres", config=POSTGRES, credentials={"password": "x"}).json
    moved = {"host": "evil.example", "port": 1, "sslmode": "disable"}[place]
    answer = api("PATCH", f"/{made['id']}", {"config": {**POSTGRES, place: moved}})
    assert answer.status_code == 422
    same_place = {"config": {**POSTGRES, "database": "other"}}
    assert api("PATCH", f"/{made['id']}", same_place).status_code == 200


@both
def test_a_check_tries_it_with_the_credentials(api: Api, target: Target) -> None:
    made = api.create(config={"base_url": f"{target.url}/base"}).json
    checked = api("POST", f"/{made['id']}/check")
    assert checked.status_code == 200
    assert checked.json["check"]["ok"] is True
    assert checked.json["check"]["message"] == "It answers (HTTP 200)."
    assert target.calls[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert target.calls[0].path == "/base"
    assert api("GET", f"/{made['id']}", member=True).json["check"] == checked.json["check"]


@pytest.mark.parametrize(
    ("credentials", "header", "value"),
    [
        ({"auth": "none"}, "authorization", None),
        ({"auth": "basic", "username": "ada", "password": "pw"}, "authorization", "Basic YWRhOnB3"),
        ({"auth": "header", "name": "X-Api-Key", "value": "k"}, "x-api-key", "k"),
    ],
)
def test_each_kind_of_credentials(
    api: Api, target: Target, credentials: dict[str, str], header: str, value: str | None
) -> None:
    made = api.create(config={"base_url": target.url}, credentials=credentials).json
    assert api("POST", f"/{made['id']}/check").json["check"]["ok"] is True
    assert target.calls[0].headers.get(header) == value


def test_a_check_of_a_database(api: Api, postgres: URL) -> None:
    given = {
        "host": "127.0.0.1",
        "port": postgres.port or 5432,
        "database": "postgres",
        "user": "nobody_here",
    }
    made = api.create(kind="postgres", config=given, credentials={"password": TOKEN}).json
    check = api("POST", f"/{made['id']}/check").json["check"]
    assert check["ok"] is False
    assert check["message"].startswith("It can't be used")
    assert TOKEN not in check["message"]


@pytest.mark.parametrize(
    "address",
    ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/",
     "http://[64:ff9b::a9fe:a9fe]/", "http://100.100.100.200/", "http://[fd00:ec2::254]/"],
)  # fmt: skip
def test_metadata_addresses_are_not_gone_to(api: Api, address: str) -> None:
    made = api.create(config={"base_url": address})
    assert made.status_code == 201
    check = api("POST", f"/{made.json['id']}/check").json["check"]
    assert check["ok"] is False
    assert "link-local" in check["message"]


def test_no_redirect_is_followed(api: Api, target: Target) -> None:
    target.sends_on_to = f"{target.url}/elsewhere"
    made = api.create(config={"base_url": f"{target.url}/r"}).json
    check = api("POST", f"/{made['id']}/check").json["check"]
    assert check["message"] == "It answers (HTTP 302)."
    assert [call.path for call in target.calls] == ["/r"]


def test_a_changed_connection_is_not_known_to_work(api: Api, target: Target) -> None:
    made = api.create(config={"base_url": target.url}).json
    api("POST", f"/{made['id']}/check")
    assert api("PATCH", f"/{made['id']}", {"name": "Other"}).json["check"] is not None
    moved = {"config": {"base_url": f"{target.url}/x"}, "credentials": BEARER}
    assert api("PATCH", f"/{made['id']}", moved).json["check"] is None


@both
def test_the_credentials_are_found_nowhere(api: Api, target: Target) -> None:
    made = api.create(config={"base_url": f"{target.url}/?"[:-2]}).json
    answers = [
        api("GET", "").text,
        api("GET", f"/{made['id']}").text,
        api("POST", f"/{made['id']}/check").text,
        api("PATCH", f"/{made['id']}", {"credentials": BEARER}).text,
    ]
    assert not any(TOKEN in each for each in answers)
    assert TOKEN not in repr(api.world.dump())
    file = api.world.app.config["COMPASS"].sqlite_file
    if file:
        for each in file.parent.iterdir():
            if each.is_file():
                assert TOKEN.encode() not in each.read_bytes(), each


def test_a_connection_that_no_key_opens_says_so(api: Api) -> None:
    made = api.create().json
    with api.world.app.app_context():
        db.session.execute(db.update(Connection).values(sealed="gAAAA"))
        db.session.commit()
    check = api("POST", f"/{made['id']}/check").json["check"]
    assert check["message"] == "No key of COMPASS_ENCRYPTION_KEYS opens these credentials."
