"""Section 4's table through each door that offers it: every route, for everybody.

A new route without a row here fails `test_every_route_has_a_row`.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

from tests.world import PASSWORD, PATH, World

ALICE, PETRA, BOB, CHARLIE, NOBODY = "alice", "petra", "bob", "charlie", None
ACTORS = [ALICE, PETRA, BOB, CHARLIE, NOBODY]

Statuses = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Row:
    """What each gets: organization admin, project admin, member, outsider, nobody.

    `path` names what is in World and `Place`; `form` is what a browser sends, and must be good
    enough for those who may.
    """

    path: str
    statuses: Statuses
    form: dict[str, Any] = field(default_factory=dict)


OPEN: Statuses = (200, 200, 200, 200, 200)
SIGNED_IN: Statuses = (200, 200, 200, 200, 302)
DONE: Statuses = (303, 303, 303, 303, 302)
MEMBERS: Statuses = (200, 200, 200, 404, 302)
MEMBERS_DO: Statuses = (303, 303, 303, 404, 302)
PROJECT_ADMINS: Statuses = (200, 200, 403, 404, 302)
PROJECT_ADMINS_DO: Statuses = (303, 303, 403, 404, 302)
ADMINS: Statuses = (200, 403, 403, 403, 302)
ADMINS_DO: Statuses = (303, 403, 403, 403, 302)
# A member sees no service account, and nobody another person's tokens but the admins.
SERVICE_ACCOUNT: Statuses = (200, 200, 404, 404, 302)

PEOPLE = "/settings/organization/people"
AUDIT = "/settings/organization/audit"
MEMBERS_PATH = "/projects/{project}/settings/members"
CONNECTIONS = "/projects/<project_id>/connections"
WORKFLOWS = "/projects/<project_id>/workflows"
CONNECTIONS_PATH = "/projects/{project}/connections"
WORKFLOWS_PATH = "/projects/{project}/workflows"

CONNECTION: dict[str, Any] = {
    "name": "new",
    "kind": "http",
    "config": {"base_url": "http://127.0.0.1:9"},
    "credentials": {"auth": "none"},
}
WORKFLOW: dict[str, Any] = {
    "name": "new",
    "steps": [{"name": "say", "connection": "chat", "method": "GET", "path": "/"}],
}
DOCUMENT = json.dumps(WORKFLOW)

BROWSER: dict[str, Row] = {
    "GET /": Row("/", (302, 302, 302, 302, 302)),
    "GET /account": Row("/account", SIGNED_IN),
    "POST /account": Row("/account", DONE, {"name": "Somebody"}),
    "GET /account/password": Row("/account/password", (302, 302, 302, 302, 302)),
    "POST /account/password": Row(
        "/account/password",
        (422, 422, 422, 422, 302),
        {"current_password": "wrong wrong", "password": PASSWORD},
    ),
    # Of one's own alone: this is Bob's.
    "POST /account/sessions/<handle>/end": Row(
        "/account/sessions/{session}/end", (404, 404, 303, 404, 302)
    ),
    "POST /account/sessions/end-others": Row("/account/sessions/end-others", DONE),
    "GET /docs/<name>": Row("/docs/authentication", OPEN),
    "GET /invitations/<token>": Row("/invitations/{invitation}", (409, 409, 409, 409, 200)),
    "POST /invitations/<token>": Row(
        "/invitations/{invitation}",
        (409, 409, 409, 409, 303),
        {"name": "Dora", "password": PASSWORD},
    ),
    "GET /login": Row("/login", (302, 302, 302, 302, 200)),
    "POST /login": Row("/login", (422,) * 5, {"email": "bob@example.org", "password": "wrong one"}),
    "POST /logout": Row("/logout", (303, 303, 303, 303, 303)),
    "GET /reset/<token>": Row("/reset/{reset}", (409, 409, 409, 409, 200)),
    "POST /reset/<token>": Row("/reset/{reset}", (409, 409, 409, 409, 303), {"password": PASSWORD}),
    "GET /setup": Row("/setup", (404,) * 5),
    "POST /setup": Row("/setup", (404,) * 5),
    "POST /theme": Row("/theme", (303,) * 5, {"theme": "dark"}),
    # API keys
    f"GET {PATH}": Row(PATH, SIGNED_IN),
    f"POST {PATH}": Row(
        PATH,
        (200, 200, 422, 422, 302),
        {"name": "New", "type": "service_account", "project": "{project}"},
    ),
    f"GET {PATH}/new": Row(f"{PATH}/new", SIGNED_IN),
    f"GET {PATH}/<key_id>": Row(f"{PATH}/{{service}}", SERVICE_ACCOUNT),
    f"GET {PATH}/<key_id>/revoke": Row(f"{PATH}/{{service}}/revoke", SERVICE_ACCOUNT),
    f"POST {PATH}/<key_id>/revoke": Row(f"{PATH}/{{service}}/revoke", (303, 303, 404, 404, 302)),
    f"POST {PATH}/<key_id>/rename": Row(
        f"{PATH}/{{service}}/rename", (303, 303, 404, 404, 302), {"name": "Other"}
    ),
    f"GET {PATH}/<key_id>/rotate": Row(f"{PATH}/{{service}}/rotate", SERVICE_ACCOUNT),
    f"POST {PATH}/<key_id>/rotate": Row(
        f"{PATH}/{{service}}/rotate", SERVICE_ACCOUNT, {"overlap_hours": "24"}
    ),
    f"POST {PATH}/<key_id>/end-overlap": Row(
        f"{PATH}/{{rotating}}/end-overlap", (303, 303, 404, 404, 302)
    ),
    f"POST {PATH}/<key_id>/take-back": Row(
        f"{PATH}/{{rotating}}/take-back", (303, 303, 404, 404, 302)
    ),
    f"GET {PATH}/<key_id>/service-account": Row(
        f"{PATH}/{{token}}/service-account", (302, 302, 302, 302, 302)
    ),
    f"POST {PATH}/<key_id>/service-account": Row(
        f"{PATH}/{{token}}/service-account", (200, 200, 403, 404, 302)
    ),
    # Projects
    "GET /projects": Row("/projects", SIGNED_IN),
    "POST /projects": Row("/projects", ADMINS_DO, {"name": "Reports"}),
    "GET /projects/new": Row("/projects/new", ADMINS),
    "GET /projects/<project_id>": Row("/projects/{project}", (302, 302, 302, 404, 302)),
    "GET /projects/<project_id>/settings/general": Row(
        "/projects/{project}/settings/general", MEMBERS
    ),
    "POST /projects/<project_id>/settings/general": Row(
        "/projects/{project}/settings/general", PROJECT_ADMINS_DO, {"name": "Renamed"}
    ),
    "GET /projects/<project_id>/settings/general/delete": Row(
        "/projects/{project}/settings/general/delete", PROJECT_ADMINS
    ),
    "POST /projects/<project_id>/settings/general/delete": Row(
        "/projects/{project}/settings/general/delete", PROJECT_ADMINS_DO, {"confirm": "Default"}
    ),
    "GET /projects/<project_id>/settings/members": Row(MEMBERS_PATH, MEMBERS),
    "POST /projects/<project_id>/settings/members": Row(
        MEMBERS_PATH, PROJECT_ADMINS_DO, {"email": "eve@example.org", "role": "member"}
    ),
    "GET /projects/<project_id>/settings/members/new": Row(f"{MEMBERS_PATH}/new", PROJECT_ADMINS),
    "GET /projects/<project_id>/settings/members/<user_id>/role": Row(
        f"{MEMBERS_PATH}/{{mallory}}/role", (302, 302, 302, 302, 302)
    ),
    "POST /projects/<project_id>/settings/members/<user_id>/role": Row(
        f"{MEMBERS_PATH}/{{mallory}}/role", PROJECT_ADMINS_DO, {"role": "admin"}
    ),
    "GET /projects/<project_id>/settings/members/<user_id>/remove": Row(
        f"{MEMBERS_PATH}/{{mallory}}/remove", PROJECT_ADMINS
    ),
    "POST /projects/<project_id>/settings/members/<user_id>/remove": Row(
        f"{MEMBERS_PATH}/{{mallory}}/remove", PROJECT_ADMINS_DO
    ),
    # Connections
    f"GET {CONNECTIONS}": Row(CONNECTIONS_PATH, MEMBERS),
    f"POST {CONNECTIONS}": Row(
        CONNECTIONS_PATH,
        PROJECT_ADMINS_DO,
        {"name": "new", "kind": "http", "base_url": "http://127.0.0.1:9", "auth": "none"},
    ),
    f"GET {CONNECTIONS}/new": Row(f"{CONNECTIONS_PATH}/new", PROJECT_ADMINS),
    f"GET {CONNECTIONS}/<connection_id>": Row(f"{CONNECTIONS_PATH}/{{connection}}", MEMBERS),
    f"GET {CONNECTIONS}/<connection_id>/edit": Row(
        f"{CONNECTIONS_PATH}/{{connection}}/edit", PROJECT_ADMINS
    ),
    f"POST {CONNECTIONS}/<connection_id>/edit": Row(
        f"{CONNECTIONS_PATH}/{{connection}}/edit",
        PROJECT_ADMINS_DO,
        {
            "name": "chat",
            "kind": "http",
            "base_url": "http://127.0.0.1:9",
            "auth": "bearer",
            "token": "x",
        },
    ),
    f"POST {CONNECTIONS}/<connection_id>/check": Row(
        f"{CONNECTIONS_PATH}/{{connection}}/check", PROJECT_ADMINS_DO
    ),
    f"GET {CONNECTIONS}/<connection_id>/delete": Row(
        f"{CONNECTIONS_PATH}/{{connection}}/delete", PROJECT_ADMINS
    ),
    f"POST {CONNECTIONS}/<connection_id>/delete": Row(
        f"{CONNECTIONS_PATH}/{{unused}}/delete", PROJECT_ADMINS_DO
    ),
    # Workflows
    f"GET {WORKFLOWS}": Row(WORKFLOWS_PATH, MEMBERS),
    f"POST {WORKFLOWS}": Row(WORKFLOWS_PATH, PROJECT_ADMINS_DO, {"document": DOCUMENT}),
    f"GET {WORKFLOWS}/new": Row(f"{WORKFLOWS_PATH}/new", PROJECT_ADMINS),
    f"GET {WORKFLOWS}/<workflow_id>": Row(f"{WORKFLOWS_PATH}/{{workflow}}", MEMBERS),
    f"GET {WORKFLOWS}/<workflow_id>/edit": Row(
        f"{WORKFLOWS_PATH}/{{workflow}}/edit", PROJECT_ADMINS
    ),
    f"POST {WORKFLOWS}/<workflow_id>/edit": Row(
        f"{WORKFLOWS_PATH}/{{workflow}}/edit",
        PROJECT_ADMINS_DO,
        {"document": DOCUMENT, "version": "1"},
    ),
    f"GET {WORKFLOWS}/<workflow_id>/delete": Row(
        f"{WORKFLOWS_PATH}/{{workflow}}/delete", PROJECT_ADMINS
    ),
    f"POST {WORKFLOWS}/<workflow_id>/delete": Row(
        f"{WORKFLOWS_PATH}/{{workflow}}/delete", PROJECT_ADMINS_DO
    ),
    # Runs: of members as of admins
    "GET /projects/<project_id>/runs": Row("/projects/{project}/runs", MEMBERS),
    "POST /projects/<project_id>/runs": Row(
        "/projects/{project}/runs", MEMBERS_DO, {"workflow": "{workflow}", "input": "{{}}"}
    ),
    "GET /projects/<project_id>/workflows/<workflow_id>/run": Row(
        "/projects/{project}/workflows/{workflow}/run", MEMBERS
    ),
    "GET /projects/<project_id>/runs/<run_id>": Row("/projects/{project}/runs/{run}", MEMBERS),
    "POST /projects/<project_id>/runs/<run_id>/again": Row(
        "/projects/{project}/runs/{run}/again", MEMBERS_DO
    ),
    "POST /projects/<project_id>/runs/<run_id>/cancel": Row(
        "/projects/{project}/runs/{run}/cancel", MEMBERS_DO
    ),
    # People
    f"GET {PEOPLE}": Row(PEOPLE, ADMINS),
    f"POST {PEOPLE}": Row(PEOPLE, ADMINS, {"email": "new@example.org", "role": "admin"}),
    f"GET {PEOPLE}/new": Row(f"{PEOPLE}/new", ADMINS),
    f"POST {PEOPLE}/invitations/<invitation_id>/revoke": Row(
        f"{PEOPLE}/invitations/{{invitation_id}}/revoke", ADMINS_DO
    ),
    f"GET {PEOPLE}/<user_id>": Row(f"{PEOPLE}/{{mallory}}", ADMINS),
    f"GET {PEOPLE}/<user_id>/role": Row(f"{PEOPLE}/{{alice}}/role", ADMINS),
    f"POST {PEOPLE}/<user_id>/role": Row(
        f"{PEOPLE}/{{mallory}}/role", ADMINS_DO, {"role": "admin"}
    ),
    f"GET {PEOPLE}/<user_id>/disable": Row(f"{PEOPLE}/{{mallory}}/disable", ADMINS),
    f"POST {PEOPLE}/<user_id>/disable": Row(f"{PEOPLE}/{{mallory}}/disable", ADMINS_DO),
    f"POST {PEOPLE}/<user_id>/enable": Row(f"{PEOPLE}/{{mallory}}/enable", ADMINS_DO),
    f"GET {PEOPLE}/<user_id>/reset-link": Row(
        f"{PEOPLE}/{{mallory}}/reset-link", (302, 302, 302, 302, 302)
    ),
    # Charlie is an admin of another project, and sees what was done there.
    f"GET {AUDIT}": Row(AUDIT, (200, 200, 403, 200, 302)),
    f"GET {AUDIT}/export.csv": Row(f"{AUDIT}/export.csv", (200, 200, 403, 200, 302)),
    f"GET {AUDIT}/export.jsonl": Row(f"{AUDIT}/export.jsonl", (200, 200, 403, 200, 302)),
    f"POST {PEOPLE}/<user_id>/reset-link": Row(f"{PEOPLE}/{{mallory}}/reset-link", ADMINS),
}

# By keys: personal tokens of an organization admin, a project admin and a member, the key of
# another project's admin, and none.
KEYS: dict[str, Row] = {
    "GET /v1/me": Row("/v1/me", (200, 200, 200, 200, 401)),
    "GET /v1/keys": Row("/v1/keys", (200, 200, 403, 200, 401)),
    "GET /v1/keys/<key_id>": Row("/v1/keys/{service}", (200, 200, 403, 404, 401)),
    "POST /v1/keys/<key_id>/revoke": Row("/v1/keys/{service}/revoke", (200, 200, 403, 404, 401)),
    "POST /v1/keys/self/revoke": Row("/v1/keys/self/revoke", (200, 200, 200, 200, 401)),
    "POST /v1/keys/self/rotate": Row("/v1/keys/self/rotate", (201, 201, 201, 201, 401)),
    "GET /v1/connections": Row("/v1/connections", (200, 200, 200, 200, 401)),
    "POST /v1/connections": Row("/v1/connections", (201, 201, 403, 201, 401), CONNECTION),
    "GET /v1/connections/<connection_id>": Row(
        "/v1/connections/{connection}", (200, 200, 200, 404, 401)
    ),
    "PATCH /v1/connections/<connection_id>": Row(
        "/v1/connections/{connection}",
        (200, 200, 403, 404, 401),
        {"credentials": CONNECTION["credentials"]},
    ),
    "DELETE /v1/connections/<connection_id>": Row(
        "/v1/connections/{unused}", (204, 204, 403, 404, 401)
    ),
    "POST /v1/connections/<connection_id>/check": Row(
        "/v1/connections/{connection}/check", (200, 200, 403, 404, 401)
    ),
    "GET /v1/workflows": Row("/v1/workflows", (200, 200, 200, 200, 401)),
    # In another project there is no such connection.
    "POST /v1/workflows": Row("/v1/workflows", (201, 201, 403, 422, 401), WORKFLOW),
    "GET /v1/workflows/<workflow_id>": Row("/v1/workflows/{workflow}", (200, 200, 200, 404, 401)),
    "PUT /v1/workflows/<workflow_id>": Row(
        "/v1/workflows/{workflow}", (200, 200, 403, 404, 401), WORKFLOW
    ),
    "DELETE /v1/workflows/<workflow_id>": Row(
        "/v1/workflows/{workflow}", (204, 204, 403, 404, 401)
    ),
    "GET /v1/runs": Row("/v1/runs", (200, 200, 200, 200, 401)),
    # In another project there is no such workflow.
    "POST /v1/runs": Row("/v1/runs", (202, 202, 202, 404, 401), {"workflow": "talk"}),
    "GET /v1/runs/<run_id>": Row("/v1/runs/{run}", (200, 200, 200, 404, 401)),
    "GET /v1/runs/<run_id>/events": Row("/v1/runs/{run}/events", (200, 200, 200, 404, 401)),
    "POST /v1/runs/<run_id>/cancel": Row("/v1/runs/{run}/cancel", (200, 200, 200, 404, 401)),
    "GET /v1/openapi.json": Row("/v1/openapi.json", OPEN),
}

# The same pages about Bob's own token, which he alone may rename and rotate.
OF_BOBS_TOKEN: dict[str, Row] = {
    "GET": Row(f"{PATH}/{{token}}", (200, 200, 200, 404, 302)),
    "GET revoke": Row(f"{PATH}/{{token}}/revoke", (200, 200, 200, 404, 302)),
    "POST revoke": Row(f"{PATH}/{{token}}/revoke", (303, 303, 303, 404, 302)),
    "POST rename": Row(f"{PATH}/{{token}}/rename", (403, 403, 303, 404, 302), {"name": "Other"}),
    "GET rotate": Row(f"{PATH}/{{token}}/rotate", (403, 403, 200, 404, 302)),
    "POST rotate": Row(
        f"{PATH}/{{token}}/rotate", (403, 403, 200, 404, 302), {"overlap_hours": "0"}
    ),
    "POST end-overlap": Row(f"{PATH}/{{token}}/end-overlap", (403, 403, 303, 404, 302)),
    "POST take-back": Row(f"{PATH}/{{token}}/take-back", (403, 403, 409, 404, 302)),
    "POST own, member": Row(
        PATH,
        (200, 200, 200, 422, 302),
        {"name": "New", "type": "personal", "project": "{project}", "role": "member"},
    ),
    "POST own, admin": Row(
        PATH,
        (200, 200, 422, 422, 302),
        {"name": "New", "type": "personal", "project": "{project}", "role": "admin"},
    ),
}

# What belongs to no door and is there for everybody.
AROUND = {"GET /healthz", "GET /readyz", "GET /assets/<path:name>"}


def routes(app: Flask) -> set[str]:
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_has_a_row(app: Flask) -> None:
    assert routes(app) == {*BROWSER, *KEYS, *AROUND}


@dataclass
class Place:
    """Petra is an admin of Default; Bob and Mallory are members; Charlie is Elsewhere's admin."""

    world: World
    names: dict[str, str]
    secrets: dict[str | None, str | None]


@pytest.fixture
def place(world: World) -> Place:
    for name in ("petra", "mallory", "eve"):
        setattr(world, name, world.add_user(name))
    world.set_role("petra", "admin")
    world.set_role("mallory", "member")
    world.add_project("Elsewhere")
    world.set_role("charlie", "admin", "Elsewhere")
    secrets: dict[str | None, str | None] = {NOBODY: None}
    for name, role, project in (
        (ALICE, "admin", "Default"),
        (PETRA, "admin", "Default"),
        (BOB, "member", "Default"),
        (CHARLIE, "admin", "Elsewhere"),
    ):
        made = world.key(name, by=name, type="personal", role=role, project=project)
        secrets[name] = made[0]
        if name == BOB:
            token = made[1]
    rotating = world.key("Rotating")[1]
    world.signed_in("alice").post(f"{PATH}/{rotating}/rotate", {"overlap_hours": "24"})
    ids = {
        name: world.call(f"/v1/{kind}", secrets[ALICE], "POST", json=given).json["id"]
        for name, kind, given in (
            ("connection", "connections", {**CONNECTION, "name": "chat"}),
            ("unused", "connections", {**CONNECTION, "name": "unused"}),
            ("workflow", "workflows", {**WORKFLOW, "name": "talk"}),
            ("run", "runs", {"workflow": "talk"}),
        )
    }
    invitation, invitation_id = world.invite("dora@example.org")
    names = {
        **ids,
        "project": world.project,
        "alice": world.alice,
        "mallory": world.mallory,  # type: ignore[attr-defined]
        "service": world.key("Service")[1],
        "rotating": rotating,
        "token": token,
        "invitation": invitation,
        "invitation_id": invitation_id,
        "reset": world.reset_link("bob"),
        "session": session_of(world, "bob"),
    }
    return Place(world, names, secrets)


def session_of(world: World, name: str) -> str:
    browser = world.signed_in(name)
    with browser.client.session_transaction() as cookie:
        import hashlib

        return hashlib.sha256(cookie["_user_id"].encode()).hexdigest()[:16]


def filled(row: Row, names: dict[str, str]) -> tuple[str, dict[str, str]]:
    # A document has braces of its own.
    form = {
        key: value if key == "document" else str(value).format(**names)
        for key, value in row.form.items()
    }
    return row.path.format(**names), form


@pytest.mark.parametrize("actor", ACTORS, ids=str)
@pytest.mark.parametrize("route", [*BROWSER, *OF_BOBS_TOKEN])
def test_each_cell_of_the_browser_door(place: Place, route: str, actor: str | None) -> None:
    row, world = {**BROWSER, **OF_BOBS_TOKEN}[route], place.world
    path, form = filled(row, place.names)
    browser = world.signed_in(actor) if actor else world.browser()
    before = world.dump()
    response = browser.get(path) if route.startswith("GET") else browser.post(path, form)
    assert response.status_code == row.statuses[ACTORS.index(actor)], response.text
    if response.status_code == 302 and actor is NOBODY and row.statuses[0] != 302:
        assert response.location.startswith("/login")
    if response.status_code in {403, 404, 405, 422} and route != "POST /login":
        assert_nothing_changed_but_events(before, world.dump())


@pytest.mark.parametrize("actor", ACTORS, ids=str)
@pytest.mark.parametrize("route", KEYS)
def test_each_cell_of_the_key_door(place: Place, route: str, actor: str | None) -> None:
    row, world = KEYS[route], place.world
    before = world.dump()
    method, _, _ = route.partition(" ")
    more = {"json": row.form} if row.form else {}
    answer = world.call(row.path.format(**place.names), place.secrets[actor], method, **more)
    assert answer.status_code == row.statuses[ACTORS.index(actor)], answer.text
    if answer.status_code >= 400:
        # When a key was last used is written whatever it was used for.
        assert_nothing_changed_but_events(before, world.dump(), besides={"key_secrets"})


def assert_nothing_changed_but_events(
    before: dict[str, Any],
    after: dict[str, Any],
    besides: set[str] = frozenset(),  # type: ignore[assignment]
) -> None:
    for table, rows in before.items():
        # A password that was tried is counted.
        if table not in {"audit_events", "login_attempts", *besides}:
            assert after[table] == rows, table


@pytest.mark.parametrize("route", [r for r in BROWSER if r.startswith("POST")])
def test_no_form_passes_without_its_token(place: Place, route: str) -> None:
    path, form = filled(BROWSER[route], place.names)
    before = place.world.dump()
    response = place.world.signed_in(ALICE).client.post(path, data=form)
    assert response.status_code in {400, 404}
    after = place.world.dump()
    assert {**before, "sessions": None} == {**after, "sessions": None}
