"""The form made from a workflow's input schema, and what it accepts."""

import html
import json
import re
from typing import Any

import pytest

from compass.server.core.run_models import Run
from compass.server.db import db
from tests.conftest import both
from tests.work import Work
from tests.world import Browser, World

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["day", "sure"],
    "properties": {
        "day": {"type": "string", "format": "date", "description": "The day to report on"},
        "count": {"type": "integer", "minimum": 1, "default": 3},
        "share": {"type": "number", "exclusiveMaximum": 1},
        "colour": {"enum": ["red", "blue"]},
        "sure": {"type": "boolean"},
        "loud": {"type": "boolean"},
        "email": {"type": "string", "format": "email"},
        "story": {"type": "string", "maxLength": 5000},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"type": ["string", "null"]},
        "size": {"enum": [1, "1", None, {"wide": True}]},
    },
}


@pytest.fixture
def work(world: World) -> Work:
    return Work(world)


@pytest.fixture
def browser(world: World) -> Browser:
    """Bob's, who is a member."""
    return world.signed_in("bob")


def runs_path(world: World) -> str:
    return f"/projects/{world.project}/runs"


def form_path(world: World, workflow: str) -> str:
    return f"/projects/{world.project}/workflows/{workflow}/run"


def started(world: World, location: str) -> Run:
    with world.app.app_context():
        run = db.session.get(Run, location.rpartition("/")[2])
        assert run is not None
        return run


def error_at(page: str, member: str) -> str:
    """The sentences at this member's field."""
    field_id = re.search(rf'id="(field-\d+)" name="input\.{member}"', page)
    assert field_id, member
    note = re.search(rf'<div id="{field_id[1]}-note">(.*?)</div>', page, re.DOTALL)
    assert note, member
    return html.unescape(" ".join(re.findall(r'class="error">(.*?)</p>', note[1])))


@both
def test_a_member_starts_a_run_with_what_was_filled_in(
    world: World, work: Work, browser: Browser
) -> None:
    workflow = work.write(input_schema=SCHEMA)
    form = {
        "workflow": workflow, "input.day": "2026-11-01", "input.count": "5", "input.share": "0.5",
        "input.colour": "blue", "input.sure": "true", "input.loud": "false", "input.email": "",
        "input.story": "one\r\ntwo", "input.tags": '["a", "<b>"]', "input.note": "",
        "input.size": '{"wide": true}',
    }  # fmt: skip
    answer = browser.post(runs_path(world), form)
    assert answer.status_code == 303, answer.text
    run = started(world, answer.location)
    assert run.input == {
        "day": "2026-11-01", "count": 5, "share": 0.5, "colour": "blue", "sure": True,
        "loud": False, "story": "one\ntwo", "tags": ["a", "<b>"], "size": {"wide": True},
    }  # fmt: skip
    assert (run.starter_type, run.starter_id, run.starter_name) == ("user", world.bob, "Bob")
    assert work.events(run.id)[0]["type"] == "queued"
    # The run is its own record: nothing of it is in the audit log.
    assert world.events("run.created") == []


def test_the_queue_is_told_of_it(world: World, work: Work, browser: Browser) -> None:
    browser.post(runs_path(world), {"workflow": work.write(), "input": "{}"})
    assert len(world.app.extensions["compass-queue"].huey) == 1


def test_each_member_has_a_field_of_its_kind(world: World, work: Work, browser: Browser) -> None:
    page = browser.get(form_path(world, work.write(input_schema=SCHEMA))).text
    kinds = dict(re.findall(r'<input[^>]* type="(\w+)"[^>]* name="input\.(\w+)"', page))
    assert kinds == {"date": "day", "text": "note", "email": "email"} | {"checkbox": "sure"}
    for member, tag in (
        ("colour", "select"), ("loud", "select"), ("size", "select"), ("story", "textarea"),
        ("tags", "textarea"), ("count", "input"),
    ):  # fmt: skip
        assert re.search(rf'<{tag} [^>]*name="input\.{member}"', page), member
    text = " ".join(html.unescape(page).split())
    assert "The day to report on" in text
    assert "A whole number; at least 1; default 3." in text
    assert re.search(r'value="3"[^>]*name="input\.count"', page)
    assert 'day <span class="quiet">required</span>' in text
    assert 'count <span class="quiet">optional</span>' in text


def test_what_is_wrong_is_said_at_each_field_and_nothing_is_lost(
    world: World, work: Work, browser: Browser
) -> None:
    workflow = work.write(input_schema=SCHEMA)
    form = {
        "workflow": workflow, "input.day": "", "input.count": "none", "input.share": "2",
        "input.colour": "green", "input.email": "nobody", "input.tags": "[1, ", "input.size": "7",
        "input.story": "kept <as> it is",
    }  # fmt: skip
    for htmx in (False, True):
        answer = browser.post(runs_path(world), form, htmx=htmx)
        assert answer.status_code == 422
        assert ("<html" in answer.text) is not htmx
        page = answer.text
        assert error_at(page, "day") == "Fill this in: the workflow needs it."
        assert error_at(page, "count") == "Give a number, such as 3 or 0.5."
        assert "greater than or equal to the maximum of 1" in error_at(page, "share")
        assert "'green' is not one of" in error_at(page, "colour")
        assert "'nobody' is not a 'email'" in error_at(page, "email")
        assert error_at(page, "tags").startswith("Line 1, column 5: Write a value here")
        assert "is not one of" in error_at(page, "size")
        assert "kept &lt;as&gt; it is</textarea>" in page
        assert 'value="none"' in page
        assert page.count("autofocus") == 1
    assert world.count(Run) == 0


def test_what_the_schema_alone_finds_is_said_at_its_field(
    world: World, work: Work, browser: Browser
) -> None:
    workflow = work.write(input_schema=SCHEMA)
    form = {"workflow": workflow, "input.day": "2026-13-01", "input.tags": '["a", 1]'}
    page = browser.post(runs_path(world), form | {"input.count": "2.5"}).text
    assert error_at(page, "day") == "'2026-13-01' is not a 'date'"
    assert error_at(page, "tags") == "1: 1 is not of type 'string'"
    assert error_at(page, "count") == "2.5 is not of type 'integer'"


@pytest.mark.parametrize("schema", [None, {"type": "object"}, {"properties": {}},
                                    {"properties": {"a\nb": {}}}])  # fmt: skip
def test_without_members_the_input_is_one_text_of_json(
    world: World, work: Work, browser: Browser, schema: Any
) -> None:
    workflow = work.write(input_schema=schema)
    page = browser.get(form_path(world, workflow)).text
    assert re.search(r'<textarea[^>]* name="input"', page)
    given = {"a": [1, "<b>"]}
    answer = browser.post(
        runs_path(world), {"workflow": workflow, "input": json.dumps(given, indent=1)}
    )
    assert answer.status_code == 303, answer.text
    assert started(world, answer.location).input == given
    answer = browser.post(runs_path(world), {"workflow": workflow, "input": '{"a": \n oh}'})
    assert answer.status_code == 422
    assert "Line 2, column 2: Write a value here" in answer.text
    assert "{&#34;a&#34;: \n oh}</textarea>" in answer.text


@pytest.mark.parametrize(
    "typed", ['"\\ud800"', "1e999", "NaN", "[" * 2000, "[" * 200 + "]" * 200, "\0", '{"a": 1} 2']
)
def test_what_is_no_input_is_refused(
    world: World, work: Work, browser: Browser, typed: str
) -> None:
    workflow = work.write(input_schema=None)
    answer = browser.post(runs_path(world), {"workflow": workflow, "input": typed})
    assert answer.status_code == 422
    assert 'class="error"' in answer.text


@pytest.mark.parametrize("typed", ["1" * 5000, "1e999", "0x10", "١", "1_000", "nan"])
def test_what_is_no_number_is_refused(
    world: World, work: Work, browser: Browser, typed: str
) -> None:
    workflow = work.write(input_schema={"properties": {"n": {"type": "integer", "maximum": 9}}})
    answer = browser.post(runs_path(world), {"workflow": workflow, "input.n": typed})
    assert answer.status_code == 422
    assert error_at(answer.text, "n")


def test_the_schemas_words_are_no_html(world: World, work: Work, browser: Browser) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    workflow = work.write(
        name=evil,
        input_schema={
            "required": [evil],
            "properties": {
                evil: {"type": "string", "description": evil, "default": evil, "pattern": "[>]"},
                "choice": {"enum": [evil, "b"]},
                "list": {"type": "array", "default": [evil]},
            },
        },
    )
    pages = [browser.get(form_path(world, workflow)).text]
    pages.append(browser.get(f"{form_path(world, workflow)}?as=json").text)
    form = {"workflow": workflow, f"input.{evil}": "x", "input.choice": evil, "input.list": evil}
    pages.append(browser.post(runs_path(world), form).text)
    pages.append(browser.post(runs_path(world), {"workflow": workflow, "input": evil}).text)
    for page in pages:
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page


def test_a_workflow_of_another_project_is_not_there(
    world: World, work: Work, browser: Browser
) -> None:
    workflow = work.write()
    other = world.add_project("Other")
    world.set_role("bob", "member", "Other")
    assert browser.get(f"/projects/{other}/workflows/{workflow}/run").status_code == 404
    answer = browser.post(f"/projects/{other}/runs", {"workflow": workflow, "input": "{}"})
    assert answer.status_code == 404
    assert f"There is no workflow {workflow} in this project." in answer.text
    assert world.count(Run) == 0


@both
def test_running_again_is_the_same_input_on_the_version_of_today(
    world: World, work: Work, browser: Browser
) -> None:
    work.write()
    first = work.start(input={"word": "hello"}).json["id"]
    changed = {"name": "renamed", "steps": [
        {"name": "other", "connection": "target", "method": "GET", "path": "/other"}
    ]}  # fmt: skip
    workflow = work.run(first)["workflow"]["id"]
    assert work.admin("PUT", f"/workflows/{workflow}", changed).status_code == 200
    answer = browser.post(f"{runs_path(world)}/{first}/again")
    assert answer.status_code == 303
    run = started(world, answer.location)
    assert (run.input, run.workflow_version, run.workflow_name) == ({"word": "hello"}, 2, "renamed")
    assert run.starter_id == world.bob


@pytest.mark.parametrize("before", [{"word": "hello"}, {"word": "hello", "more": [1]}])
def test_an_input_that_fits_no_more_is_brought_back_in_the_form(
    world: World, work: Work, browser: Browser, before: Any
) -> None:
    workflow = work.write()
    first = work.start(input=before).json["id"]
    members = {"day": {"type": "string"}, "word": {"type": "string", "maxLength": 2}}
    schema = {"required": ["day"], "properties": members}
    changed = {"name": "echo", "input_schema": schema, "steps": [
        {"name": "say", "connection": "target", "method": "GET", "path": "/say"}
    ]}  # fmt: skip
    assert work.admin("PUT", f"/workflows/{workflow}", changed).status_code == 200
    for htmx in (False, True):
        answer = browser.post(f"{runs_path(world)}/{first}/again", htmx=htmx)
        assert answer.status_code == 422
        assert '<main id="main"' in answer.text
        assert "echo is at version 2 now" in answer.text
        assert "does not fit it any more" in answer.text
        assert "hello" in answer.text
        assert "is too long" in answer.text
    assert world.count(Run) == 1


def test_of_a_workflow_that_is_gone_nothing_is_run_again(
    world: World, work: Work, browser: Browser
) -> None:
    workflow = work.write()
    first = work.start().json["id"]
    work.admin("DELETE", f"/workflows/{workflow}")
    answer = browser.post(f"{runs_path(world)}/{first}/again")
    assert answer.status_code == 409
    assert "echo was deleted, so this can&#39;t be run again." in answer.text
    page = browser.get(f"{runs_path(world)}/{first}").text
    assert "It was deleted" in page
    assert "Run again" not in page
