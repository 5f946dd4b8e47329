"""Workflows in the browser: drawn as their steps, and edited as text whose mistakes have lines."""

import html
import json
import re
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compass.server.core import input_schema
from compass.server.core.models import Workflow
from compass.server.db import db
from compass.server.web import documents, drawing, examples
from tests.api.test_workflows import REPORT, SCHEMA, Api
from tests.conftest import both
from tests.world import Browser, World


@pytest.fixture
def api(world: World) -> Api:
    """With a connection of each kind: chat and warehouse."""
    return Api(world)


@pytest.fixture
def alice(world: World) -> Browser:
    return world.signed_in("alice")


def path(world: World, rest: str = "", project: str = "") -> str:
    return f"/projects/{project or world.project}/workflows{rest}"


def create(world: World, browser: Browser, document: Any = REPORT) -> str:
    """Its path."""
    text = document if isinstance(document, str) else json.dumps(document, indent=1)
    made = browser.post(path(world), {"document": text})
    assert made.status_code == 303, made.text
    return str(made.location)


def stored(world: World) -> Workflow:
    with world.app.app_context():
        workflow: Workflow = db.session.scalars(db.select(Workflow)).one()
        return workflow


def text_in(page: str) -> str:
    """What the editor holds."""
    found = re.search(r"<textarea[^>]*>\n(.*)</textarea>", page, re.DOTALL)
    assert found
    return html.unescape(found.group(1))


def told(page: str) -> list[tuple[int, str, str, str]]:
    """(line, place, words, quoted) of each mistake."""
    items = re.findall(r"<li>\s*<p>.*?</li>", page.partition('id="findings"')[2], re.DOTALL)
    found = []
    for item in items:
        line = re.search(r'data-line="(\d+)"', item)
        place = re.search(r'class="mono">(.*?)</span>', item)
        words = re.findall(r"<p>(?!<button)(.*?)</p>", item, re.DOTALL)
        quoted = re.search(r"<code>(.*?)</code>", item)
        assert line
        row = [place.group(1) if place else "", words[0], quoted.group(1) if quoted else ""]
        found.append((int(line.group(1)), *map(html.unescape, row)))
    return found  # type: ignore[return-value]


@both
def test_a_workflow_is_written_and_drawn(api: Api, world: World, alice: Browser) -> None:
    where = create(world, alice)
    assert stored(world).definition == {k: v for k, v in REPORT.items() if k != "name"}
    page = alice.get(where).text
    assert "nightly-report is saved. Any key of Default can run it." in page
    drawn = html.unescape(page)
    for words in (
        "Version 1",
        "<td><code>day</code></td><td>string, date</td><td>Yes</td>",
        "2 steps, one after the other",
        "report@db.example.org:5432/orders",
        "select count(*) as n from orders where day = %(day)s",
        "POST /messages",
        '<a class="source" href="#input">input.day</a>',
        '<a class="source" href="#step-orders">steps.orders</a>',
        '{"count": "{{ steps.orders.rows[0].n }}"}',
    ):
        assert words in drawn, words
    listed = alice.get(path(world)).text
    assert "orders, post" in listed
    assert "warehouse, chat" in listed


def test_the_command_runs_what_the_schema_takes(api: Api, world: World, alice: Browser) -> None:
    page = alice.get(create(world, alice, {**REPORT, "name": "Ada's report"})).text
    found = re.search(r'<code id="run">(.*?)</code>', page, re.DOTALL)
    assert found
    words = shlex.split(html.unescape(found.group(1)).replace("\\\n", " "))
    assert words[:4] == ["curl", "-X", "POST", "$COMPASS_BASE_URL/v1/runs"]
    body = json.loads(words[-1])
    assert body["workflow"] == "Ada's report"
    input_schema.validate(SCHEMA, body["input"])


MISTAKEN = """{"name": "",
 "input_schema": {"type": "strange"},
 "steps": [
  {"name": "a b", "connection": "nowhere",
   "method": "FETCH", "path": "x"},
  {"name": "fetch", "connection": "chat",
   "method": "GET",
   "path": "/{{ steps.nothing.json }}",
   "query": {"a/b": "{{ ] }}"}},
  {"connection": "warehouse", "sql": "select %(day)s"}],
 "out": 1}"""


def test_every_mistake_is_told_at_its_line(api: Api, world: World, alice: Browser) -> None:
    for htmx in (False, True):
        page = alice.post(path(world), {"document": MISTAKEN.replace("\n", "\r\n")}, htmx=htmx)
        assert page.status_code == 422
        found = told(page.text)
        places = [(line, place) for line, place, _, _ in found]
        assert places == [
            (1, "name"),
            (2, "input_schema/type"),
            (4, "steps/0/name"),
            (4, "steps/0/connection"),
            (5, "steps/0/method"),
            (5, "steps/0/path"),
            (8, "steps/1/path"),
            (9, "steps/1/query/a~1b"),
            (10, "steps/2/name"),
            (10, "steps/2/params"),
            (11, "out"),
        ]
        for line, _, words, quoted in found:
            assert quoted == MISTAKEN.split("\n")[line - 1].strip()
            assert len(words) > 10
            assert not words.endswith(":")
        if not htmx:
            assert text_in(page.text) == MISTAKEN
        assert ("<textarea" in page.text) is not htmx
    assert world.count(Workflow) == 0


@pytest.mark.parametrize(
    ("text", "line", "place", "words"),
    [
        ("", 1, "column 1", "Write a value here"),
        ("[]", 1, "", "A workflow is one object"),
        ('{"name": "x"\n "steps": []}', 1, "column 12", "Write a comma after this"),
        ('{"name": "x",\n "steps": [],\n "name": "y"}', 3, "name", "is in its object twice"),
        ('{"name": "x"}', 1, "steps", "Give a list of 1 to 50 steps."),
        ('\n{"name": "x", "steps": []}', 2, "steps", "Give a list of 1 to 50 steps."),
        ('{"a": NaN}', 1, "column 7", "That is no JSON"),
        ("[" * 5000, 1, "column", "That is no JSON"),
        ('{"name": "\\u0000", "steps": []}', 1, "name", "can't be seen (U+0000)"),
    ],
)
def test_what_can_not_be_read_keeps_its_text(
    world: World, alice: Browser, text: str, line: int, place: str, words: str
) -> None:
    page = alice.post(path(world), {"document": text})
    assert page.status_code == 422
    assert text_in(page.text) == text
    first = next(each for each in told(page.text) if each[1].startswith(place))
    assert first[0] == line
    assert words in first[2]


def test_a_name_that_is_taken_is_told_at_its_line(api: Api, world: World, alice: Browser) -> None:
    where = create(world, alice)
    text = json.dumps({"steps": REPORT["steps"], "name": "nightly-report"}, indent=1)
    page = alice.post(path(world), {"document": text})
    assert page.status_code == 422
    [(line, place, words, _)] = told(page.text)
    assert (line, place) == (text.split("\n").index(' "name": "nightly-report"') + 1, "name")
    assert words.startswith("There is already a workflow named nightly-report")
    other = create(world, alice, {**REPORT, "name": "other"})
    page = alice.post(f"{other}/edit", {"document": text, "version": "1"})
    assert page.status_code == 422
    assert alice.get(where).status_code == 200


@both
def test_each_change_is_a_version_and_the_same_again_is_none(
    api: Api, world: World, alice: Browser
) -> None:
    where = create(world, alice)
    editor = alice.get(f"{where}/edit").text
    text = text_in(editor)
    assert json.loads(text) == REPORT
    assert 'name="version" value="1"' in editor
    assert alice.post(f"{where}/edit", {"document": text, "version": "1"}).status_code == 303
    assert "Nothing changed: nightly-report stays at version 1." in alice.get(where).text
    other = text.replace("nightly-report", "daily-report")
    assert alice.post(f"{where}/edit", {"document": other, "version": "1"}).location == where
    page = alice.get(where).text
    assert "daily-report is at version 2 now." in page
    assert "Changed: version 2" in page


@both
def test_two_who_edit_at_once_do_not_overwrite_each_other(
    api: Api, world: World, alice: Browser
) -> None:
    where = create(world, alice)
    theirs = json.dumps({**REPORT, "output": "theirs"})
    mine = json.dumps({**REPORT, "output": "mine"}, indent=3)
    world.set_role("bob", "admin")
    done = world.signed_in("bob").post(f"{where}/edit", {"document": theirs, "version": "1"})
    assert done.status_code == 303
    page = alice.post(f"{where}/edit", {"document": mine, "version": "1"})
    assert page.status_code == 422
    assert "it is at version 2, and you began from version 1." in page.text
    assert text_in(page.text) == mine
    assert stored(world).definition["output"] == "theirs"
    # Knowing that, one may replace it.
    assert 'name="version" value="2"' in page.text
    assert alice.post(f"{where}/edit", {"document": mine, "version": "2"}).status_code == 303
    assert (stored(world).definition["output"], stored(world).version) == ("mine", 3)
    for odd in ("x", "-1", "9" * 99, "\0"):
        page = alice.post(f"{where}/edit", {"document": theirs, "version": odd})
        assert page.status_code == 422


def test_it_is_deleted_after_a_question(api: Api, world: World, alice: Browser) -> None:
    where = create(world, alice)
    assert "Delete nightly-report?" in alice.get(f"{where}/delete").text
    assert world.count(Workflow) == 1
    assert alice.post(f"{where}/delete").location == path(world)
    assert "nightly-report was deleted." in alice.get(path(world)).text
    assert world.count(Workflow) == 0
    assert alice.get(where).status_code == 404


def test_a_member_reads_and_is_told_who_can_help(api: Api, world: World, alice: Browser) -> None:
    where, bob = create(world, alice), world.signed_in("bob")
    world.set_role("charlie", "admin")
    for page in (bob.get(path(world)).text, bob.get(where).text):
        assert "ask Charlie." in page
        assert "/edit" not in page
        assert "/new" not in page
    assert "The whole document" in bob.get(where).text


def test_a_member_is_refused_before_the_text_is_read(world: World) -> None:
    refused = world.signed_in("bob").post(path(world), {"document": "{"})
    assert refused.status_code == 403


def test_another_projects_address_reaches_nothing(api: Api, world: World, alice: Browser) -> None:
    where = create(world, alice)
    elsewhere = where.replace(world.project, world.add_project("Other"))
    for rest in ("", "/edit", "/delete"):
        assert alice.get(f"{elsewhere}{rest}").status_code == 404
    for rest in ("/edit", "/delete"):
        assert alice.post(f"{elsewhere}{rest}", {"document": "{}"}).status_code == 404


@pytest.mark.parametrize("kinds", [["chat"], ["warehouse"], ["chat", "warehouse"]])
def test_the_example_can_be_saved_as_it_is(world: World, alice: Browser, kinds: list[str]) -> None:
    api = Api(world)
    for name in {"chat", "warehouse"} - set(kinds):
        assert api("DELETE", f"/connections/{getattr(api, name)}").status_code == 204
    text = text_in(alice.get(path(world, "/new")).text)
    for name in kinds:
        assert f'"connection": "{name}"' in text
    create(world, alice, text)


def test_without_a_connection_the_editor_says_what_is_missing(world: World, alice: Browser) -> None:
    page = alice.get(path(world, "/new")).text
    assert f'href="/projects/{world.project}/connections/new">Create a connection</a>' in page


def test_nothing_in_a_document_is_markup(api: Api, world: World, alice: Browser) -> None:
    evil = "</textarea><img src=x>"
    properties = {evil: {"type": "string", "description": evil, "enum": [evil], "default": evil}}
    document = {
        "name": evil,
        "input_schema": {"type": "object", "required": [evil], "properties": properties},
        "steps": [
            {"name": "say", "connection": "chat", "method": "POST", "path": f"/{evil[11:15]}",
             "headers": {"X-Evil": evil}, "query": {evil: evil}, "text": evil},
        ],
        "output": evil,
    }  # fmt: skip
    where = create(world, alice, document)
    wrong = alice.post(path(world), {"document": json.dumps({evil: evil, "steps": evil})})
    pages = [alice.get(path(world)), alice.get(where), alice.get(f"{where}/edit"), wrong]
    for page in [*pages, alice.get(f"{where}/delete")]:
        assert "<img" not in page.text.replace('<img src="/assets', "")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=30,
)


@given(json_values)
def test_what_is_written_prettily_is_the_same(value: Any) -> None:
    written = documents.pretty(value)
    assert json.loads(written) == value
    assert all(len(line) <= documents.WIDTH + 40 for line in written.split("\n"))


SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "required": ["a"], "properties": {"a": {"enum": [3, 4]}}},
    {"type": "object", "required": ["a"], "properties": {"a": {"type": ["null", "string"]}}},
    {"required": ["at", "ids"], "properties": {
        "at": {"type": "string", "format": "date-time"},
        "ids": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 7}}}},
    {"type": "object", "properties": {"customer": {"type": "object", "required": ["mail"],
        "properties": {"mail": {"type": "string", "format": "email"}}}}},
    {"type": "object", "properties": {"flag": {"type": "boolean"}, "n": {"default": 5}}},
    {"type": "object"},
    {},
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_is_shown_as_an_input_fits_the_schema(schema: dict[str, Any]) -> None:
    input_schema.validate(schema, examples.of_input(schema))
    assert examples.of_input(None) == {}


def test_an_input_is_a_table_of_all_its_members() -> None:
    rows = {each.name: each for each in drawing.fields(SCHEMAS[2] | SCHEMAS[3])}
    assert list(rows) == ["customer", "customer.mail"]
    assert rows["customer.mail"].kind == "string, email"
    assert rows["customer.mail"].is_required
    rows = {each.name: each for each in drawing.fields(SCHEMAS[2])}
    assert (rows["ids"].kind, rows["ids"].note) == ("array", "1 items or more")
    odd = {"properties": {"a": True, "b": {"$ref": "#/$defs/x"}, "c": {"enum": ["x", 1]}}}
    assert [(each.name, each.kind, each.note) for each in drawing.fields(odd)] == [
        ("b", "as #/$defs/x", ""),
        ("c", "anything", 'one of "x", 1'),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{ input.day }}", (["day"], [])),
        ("{{ input }} {{ steps.a.rows[0].n }} {{ input.b }}", (["", "b"], ["a"])),
        ("input.day steps.a", ([], [])),
        ("{{ {x: steps.a.json, y: input.z} }}", (["z"], ["a"])),
        ("{{ steps.a.input.b }}", ([], ["a"])),
    ],
)
def test_what_a_step_takes(text: str, found: tuple[list[str], list[str]]) -> None:
    assert drawing.sources({"x": [text]}) == found
