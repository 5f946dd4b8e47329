"""The audit log's page: who may open it, its filters and pages, and what it shows."""

import re
from html import unescape

import pytest
from sqlalchemy import event

from compass.server.core.models import AuditEvent
from compass.server.db import db
from tests.conftest import both
from tests.world import PATH, World

AUDIT = "/settings/organization/audit"


def rows(page: str) -> list[str]:
    """What happened, of each row, as it reads."""
    cells = [each.partition("</td>")[0] for each in page.split('data-label="What"><span>')[1:]]
    return [
        unescape(each.replace('<span class="mono">', "").replace("</span>", "")) for each in cells
    ]


def matching(world: World, who: str, **query: str) -> list[str]:
    response = world.browser(who).client.get(AUDIT, query_string=query)
    assert response.status_code == 200
    return rows(response.text)


@pytest.fixture
def full(world: World) -> World:
    """Default and Other, each with a key; Dora is an admin of Other alone."""
    world.add_project("Other")
    world.add_user("dora")
    world.set_role("dora", "admin", "Other")
    _, ours = world.key("Nightly", days="30")
    world.key("Elsewhere", project="Other", by="dora")
    world.browser("alice").post(f"{PATH}/{ours}/rename", {"name": "Nightly 2"})
    return world


def project(world: World, name: str) -> str:
    with world.app.app_context():
        event = db.select(AuditEvent.target_id).where(AuditEvent.target_name == name)
        return db.session.scalar(event.where(AuditEvent.action == "project.created")) or ""


@both
def test_an_administrator_sees_all_and_a_projects_admin_their_own(full: World) -> None:
    everything = matching(full, "alice")
    for words in (
        "Created a key for 30 days: service account, role member", "Renamed a key from Nightly",
        "Added a member: dora@example.org, role admin", "Signed in", "Created an account",
        "Created a project",
    ):  # fmt: skip
        assert words in everything, words
    assert matching(full, "dora") == [
        "Created a key: service account, role member",
        "Added a member: dora@example.org, role admin",
        "Created a project",
    ]
    full.set_role("dora", "admin")
    assert "Renamed a key from Nightly" in matching(full, "dora")
    full.set_role("dora", "member")
    assert "Renamed a key from Nightly" not in matching(full, "dora")


@pytest.mark.parametrize("path", ["", "/export.csv", "/export.jsonl"])
def test_nobody_else_may_open_it_and_is_told_who_can(full: World, path: str) -> None:
    for who in ("bob", "charlie"):
        response = full.browser(who).get(AUDIT + path)
        assert response.status_code == 403
        assert "Ask Alice." in response.text
    assert full.browser().get(AUDIT + path).status_code == 302


def test_it_is_in_the_navigation_of_those_who_may_open_it(full: World) -> None:
    link = f'<a href="{AUDIT}"'
    for who, there in (("alice", True), ("dora", True), ("bob", False), ("charlie", False)):
        assert (link in full.browser(who).get(PATH).text) is there
    assert f'{link} aria-current="page"' in full.browser("alice").get(AUDIT).text


@both
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"action": "key.renamed"}, {"Renamed a key from Nightly"}),
        ({"actor": "dora@example.org"}, {"Created a key: service account, role member"}),
        ({"actor": " DORA@example.org "}, {"Created a key: service account, role member"}),
        ({"actor": "dora"}, {"Created a key: service account, role member"}),
        ({"actor": "nobody"}, set()),
        ({"actor": "nobody at all"}, set()),
        ({"actor": "compass-server", "action": "project.created"}, {"Created a project"}),
        ({"key": "Nightly 2", "action": "key.renamed"}, {"Renamed a key from Nightly"}),
        ({"key": "Nightly"}, set()),
        ({"action": "nonsense", "actor": "alice", "key": "Nightly 2", "since": "2020-01-01"},
         {"Created a key for 30 days: service account, role member", "Renamed a key from Nightly"}),
        ({"until": "2020-01-01"}, set()),
        ({"since": "2999-01-01"}, set()),
        ({"action": "unheard.of"}, set()),
    ],
)  # fmt: skip
def test_filters(full: World, query: dict[str, str], found: set[str]) -> None:
    browser = full.browser("alice")
    for htmx in (False, True):
        page = browser.get(AUDIT, htmx=htmx, query_string=query).text
        assert set(rows(page)) == found
        assert ("No event matches" in page) is (not found)
        assert ("<html" in page) is not htmx


@both
def test_a_project_and_a_day(full: World) -> None:
    other = project(full, "Other")
    assert len(matching(full, "alice", project=other)) == 3
    assert len(matching(full, "dora", project=other)) == 3
    assert matching(full, "dora", project=full.project) == []
    (event,) = full.events("key.renamed")
    day = f"{event.at:%Y-%m-%d}"
    assert len(matching(full, "alice", action="key.renamed", since=day, until=day)) == 1


@both
def test_a_key_by_its_id_its_hint_and_itself(full: World) -> None:
    secret, key_id = full.key("Robot")
    full.call("/v1/keys/self/rotate", secret, "POST")
    hint = full.stored(key_id).secrets[0].hint
    for word in (key_id, hint, "Robot"):
        found = matching(full, "alice", key=word)
        assert [each.partition(":")[0] for each in found] == ["Rotated a key", "Created a key"]
    (done,) = matching(full, "alice", actor="Robot")
    assert done.startswith("Rotated a key: new secret compass_sa_")


@both
def test_pages_go_there_and_back(world: World) -> None:
    for number in range(60):
        world.key(f"Key {number}")
    browser = world.browser("alice")
    shown = "action=key.created"
    first = browser.get(f"{AUDIT}?{shown}").text
    assert ">Older</a>" in first
    assert ">Newer</a>" not in first
    older = unescape(first.partition(f'href="{AUDIT}?{shown}')[2].rpartition('">Older</a>')[0])
    cursor = older.rpartition("before=")[2].partition('"')[0]
    second = browser.get(f"{AUDIT}?{shown}&before={cursor}").text
    assert len(rows(first)) == 50
    assert len(rows(second)) == 10
    assert ">Older</a>" not in second
    newer = second.partition("after=")[2].partition('"')[0]
    assert rows(browser.get(f"{AUDIT}?{shown}&after={newer}", htmx=True).text) == rows(first)


NONSENSE = [
    "%00", "%ff%fe", "x" * 9000, "%ED%A0%80", "9999-12-31", "0001-01-01", "2026-02-31", "evt_",
    "evt_%00" + "0" * 22, "evt_" + "0" * 23, "evt_" + "v" * 23, "-1", "'\"><script>", "%E2%80%AE",
]  # fmt: skip


@both
@pytest.mark.parametrize(
    "name", ["actor", "action", "project", "key", "since", "until", "before", "after"]
)
def test_nonsense_in_the_address_is_no_crash(world: World, name: str) -> None:
    browser = world.browser("alice")
    for value in NONSENSE:
        for path in (AUDIT, f"{AUDIT}/export.csv"):
            response = browser.get(f"{path}?{name}={value}")
            assert response.status_code == 200, value
            assert "'\"><script>" not in response.text


@pytest.mark.parametrize("name", ["actor", "key"])
def test_a_pasted_key_is_kept_out_of_the_address(full: World, name: str) -> None:
    secret, _ = full.key("Lost")
    response = full.browser("alice").get(f"{AUDIT}?{name}=x{secret}&since=2020-01-01")
    assert response.status_code == 302
    assert secret not in response.headers["Location"]
    assert "since=2020-01-01" in response.headers["Location"]
    found = full.browser("alice").get(f"{AUDIT}?key={secret}", follow_redirects=True).text
    assert len(rows(found)) == 1
    assert secret not in found


def test_names_are_text_and_never_markup(world: World) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    _, key_id = world.key(hostile)
    world.browser("alice").post(f"{PATH}/{key_id}/rename", {"name": "Tame"})
    page = world.browser("alice").get(AUDIT).text
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") == 2


def test_a_key_is_a_link_while_it_is_there(full: World) -> None:
    (event,) = [e for e in full.events("key.created") if e.target_name == "Elsewhere"]
    link = f'<a href="{PATH}/{event.target_id}">Elsewhere</a>'
    assert link in full.browser("dora").get(AUDIT).text
    with full.app.app_context():
        db.session.execute(db.text("DELETE FROM keys"))
        db.session.commit()
    page = full.browser("dora").get(AUDIT).text
    assert link not in page
    assert "Elsewhere" in page


def test_an_action_that_nobody_knows_is_shown_as_it_is(world: World) -> None:
    values = {"action": "moon.landed", "details": {"crew_size": 3, "landed": True}}
    world.set_columns(AuditEvent, AuditEvent.action == "project.created", **values)
    world.set_columns(AuditEvent, AuditEvent.action == "member.added", **values)
    assert "moon.landed; crew size: 3; landed: yes" in matching(world, "alice")
    page = world.browser("alice").get(f"{AUDIT}?action=moon.landed").text
    assert '<option value="moon.landed" selected>' in page


def test_people_are_suggested_who_are_in_the_projects_that_one_sees(full: World) -> None:
    """And nobody else is to be learnt of."""
    for who, known in (("alice", {"alice", "bob", "charlie", "dora"}), ("dora", {"dora"})):
        page = full.browser(who).get(AUDIT).text
        suggested = page.partition("<datalist")[2].partition("</datalist>")[0]
        assert {name for name in ("alice", "bob", "charlie", "dora") if name in suggested} == known
    for word in ("charlie@example.org", "stranger@example.org"):
        page = full.browser("dora").get(f"{AUDIT}?actor={word}", htmx=True).text
        assert "No event matches" in page
        assert "Charlie" not in page


def test_there_is_nothing_inline_and_no_form_that_changes_anything(full: World) -> None:
    page = full.browser("alice").get(AUDIT).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on", page)
    main = page.partition("<main")[2]
    assert 'method="post"' not in main


def test_a_page_takes_as_many_queries_for_fifty_events_as_for_two(full: World) -> None:
    def count(query: str) -> int:
        asked: list[str] = []
        with full.app.app_context():
            engine = db.engine

        def note(*args: object) -> None:
            asked.append(str(args[2]))

        event.listen(engine, "before_cursor_execute", note)
        browser.get(f"{AUDIT}?{query}")
        event.remove(engine, "before_cursor_execute", note)
        return len(asked)

    browser = full.browser("alice")
    few = count("action=key.created")
    for number in range(50):
        full.key(f"Key {number}")
    assert count("action=key.created") == few
