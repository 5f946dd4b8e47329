"""Runs in Chromium, with htmx and with JavaScript off: from the form to the end of one, by a real
worker and against a real target."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import URL

from compass.server import create_app
from tests.browser.states import sign_in
from tests.conftest import dispose, make_settings
from tests.servers import serving
from tests.target import Target, a_target
from tests.work import Work
from tests.world import World

pytestmark = pytest.mark.browser

SCHEMA = {
    "type": "object",
    "required": ["word"],
    "properties": {
        "word": {"type": "string", "maxLength": 10, "description": "What to say"},
        "count": {"type": "integer", "minimum": 1, "default": 2},
        "kind": {"enum": ["loud", "quiet"]},
    },
}


@dataclass
class Place:
    url: str
    work: Work
    target: Target


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Place]:
    """A server with a worker, and Bob, who is a member of its project."""
    with serving(tmp_path_factory.mktemp("runs") / "home") as server, a_target() as target:
        database = URL.create("sqlite", database=str(server.home / "compass.db"))
        world = World(create_app(make_settings(server.home, database)))
        work = Work(world, target.url)
        work.write(
            name="say",
            input_schema=SCHEMA,
            steps=[step("first", query={"word": "{{ input.word }}"}), step("second", "/done")],
            output={"path": "{{ steps.first.json.path }}"},
        )
        work.write(
            name="slow",
            steps=[step("wait", query={"slow": "60"}), step("never", "/never")],
            output=None,
        )
        yield Place(server.url, work, target)
        target.released.set()
        dispose(world.app)


def step(name: str, path: str = "/say", **members: object) -> dict[str, object]:
    return {"name": name, "connection": "target", "method": "GET", "path": path, **members}


@pytest.fixture
def page(open_page: Callable[[], Page], place: Place) -> Page:
    page = open_page()
    page.goto(f"{place.url}/login")
    sign_in(page, "bob@example.org")
    page.wait_for_url(re.compile("api-keys|runs"))
    page.goto(f"{place.url}/projects/{place.work.world.project}/workflows")
    return page


def reach(page: Page, javascript: bool, badge: str) -> None:
    """Waits until the run is in this state: the page follows it, or is loaded anew."""
    shown = page.locator("#run-status .status", has_text=badge)
    if not javascript:
        for _ in range(600):
            if shown.count():
                break
            page.get_by_role("link", name="Reload").click()
    expect(shown).to_be_visible()


def start(page: Page, workflow: str) -> None:
    page.get_by_role("link", name=workflow, exact=True).click()
    page.get_by_role("link", name="Run", exact=True).click()


def test_start_one_watch_it_end_and_run_it_again(
    page: Page, place: Place, javascript: bool
) -> None:
    start(page, "say")
    # What is wrong is said at its field, and nothing is lost.
    expect(page.get_by_label("word")).to_be_focused()
    page.get_by_label("count").fill("0")
    page.get_by_label("kind").select_option("loud")
    page.get_by_role("button", name="Start run").click()
    expect(page.get_by_text("Fill this in: the workflow needs it.")).to_be_visible()
    expect(page.get_by_text("0 is less than the minimum of 1")).to_be_visible()
    expect(page.get_by_label("word")).to_be_focused()
    expect(page.get_by_label("kind")).to_have_value("loud")
    page.get_by_label("word").fill("hello")
    page.get_by_label("count").fill("3")
    page.get_by_role("button", name="Start run").click()

    expect(page.get_by_role("heading", name="say", exact=True)).to_be_visible()
    reach(page, javascript, "Succeeded")
    expect(page.get_by_role("group", name="Output")).to_have_text('{"path": "/say?word=hello"}')
    expect(page.get_by_role("group", name="Input")).to_have_text(
        '{"word": "hello", "count": 3, "kind": "loud"}'
    )
    expect(page.locator("#entry-2")).to_contain_text("Done")
    expect(page.locator("[hx-get*=seen]")).to_have_count(0)
    page.locator("#entry-1").get_by_text("What it was answered").click()
    expect(page.get_by_role("group", name="status of first")).to_have_text("200")
    url = page.url

    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda now: now != url)
    reach(page, javascript, "Succeeded")
    expect(page.get_by_role("group", name="Input")).to_contain_text("hello")
    page.get_by_role("link", name="Runs", exact=True).first.click()
    listed = place.work("GET", "/runs").json["items"]
    expect(page.locator("tbody tr")).to_have_count(len(listed))


def test_cancel_a_slow_one(page: Page, place: Place, javascript: bool) -> None:
    place.target.released.clear()
    start(page, "slow")
    page.get_by_label("word").fill("x")
    page.get_by_role("button", name="Start run").click()
    expect(page.get_by_role("heading", name="slow", exact=True)).to_be_visible()
    reach(page, javascript, "Running")
    if not javascript:
        page.get_by_role("link", name="Reload").click()
    expect(page.locator("#entry-1")).to_contain_text("Running")
    page.get_by_role("button", name="Cancel run").click()
    expect(page.locator("#poll")).to_contain_text("It ends before its next step.")
    expect(page.get_by_text("ends before its next step").first).to_be_visible()
    if javascript:
        # What took the button's place has the focus: it is not lost.
        expect(page.locator("#cancel")).to_be_focused()
    place.target.released.set()
    reach(page, javascript, "Cancelled")
    expect(page.locator("#entry-1")).to_contain_text("Done")
    expect(page.locator("#entry-1")).to_contain_text("Bob cancelled the run.")
    expect(page.locator("#entry-2")).to_contain_text("Not reached")
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    assert not any(call.path == "/never" for call in place.target.calls)


def test_filters_follow_the_address_and_back_works(
    page: Page, place: Place, javascript: bool
) -> None:
    alone = f"alone-{javascript}"
    workflow = place.work.write(name=alone)
    run_id = place.work.start(alone, input={"word": "x"}).json["id"]
    page.goto(f"{place.url}/projects/{place.work.world.project}/runs")
    rows = page.locator("tbody tr")
    many = rows.count()
    assert many > 0
    page.get_by_role("link", name=re.compile("^Cancelled")).click()
    expect(page.get_by_role("link", name=re.compile("^Cancelled"))).to_have_attribute(
        "aria-current", "true"
    )
    assert page.url.endswith("?status=cancelled")
    page.go_back()
    expect(rows).to_have_count(many)
    page.get_by_label("Workflow").select_option(label=alone)
    if not javascript:
        page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(1)
    assert f"workflow={workflow}" in page.url
    page.reload()
    expect(page.get_by_label("Workflow")).to_have_value(workflow)
    page.get_by_role("link", name=alone).click()
    page.wait_for_url(f"**/{run_id}")


@pytest.mark.parametrize("javascript", ["javascript"], indirect=True)
def test_a_poll_takes_neither_the_focus_nor_what_is_open(
    page: Page, place: Place, javascript: bool
) -> None:
    place.target.released.clear()
    document = {
        "steps": [step("quick"), step("wait", query={"slow": "60"}), step("last")],
        "output": None,
    }
    place.work.write(name="half", **document)
    run_id = place.work.start("half", input={"word": "x"}).json["id"]
    page.goto(f"{place.url}/projects/{place.work.world.project}/runs/{run_id}")
    expect(page.locator("#entry-2")).to_contain_text("Running")
    page.locator("#entry-1").get_by_text("What it was answered").click()
    page.locator("#entry-1 summary").first.focus()
    # More than one answer of the poll came.
    before = page.locator("#poll").inner_text()
    expect(page.locator("#poll")).not_to_have_text(before)
    place.target.released.set()
    expect(page.locator("#run-status .status")).to_have_text("Succeeded")
    expect(page.locator("#live")).to_have_text("half: succeeded.")
    expect(page.get_by_role("group", name="status of quick")).to_be_visible()
    expect(page.locator("#entry-1 summary").first).to_be_focused()


def test_an_input_that_fits_no_more_is_mended_in_the_form(
    page: Page, place: Place, javascript: bool
) -> None:
    name = f"stricter-{javascript}"
    workflow = place.work.write(name=name)
    run_id = place.work.start(name, input={"word": "hello"}).json["id"]
    members = {"word": {"type": "string", "maxLength": 3}}
    changed = {"name": name, "input_schema": {"properties": members}, "steps": [step("say")]}
    assert place.work.admin("PUT", f"/workflows/{workflow}", changed).status_code == 200
    page.goto(f"{place.url}/projects/{place.work.world.project}/runs/{run_id}")
    reach(page, javascript, "Succeeded")
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_text("does not fit it any more")).to_be_visible()
    expect(page.get_by_label("word")).to_have_value("hello")
    expect(page.get_by_label("word")).to_be_focused()
    page.get_by_label("word").fill("hi")
    page.get_by_role("button", name="Start run").click()
    reach(page, javascript, "Succeeded")
    expect(page.get_by_role("group", name="Input")).to_have_text('{"word": "hi"}')
