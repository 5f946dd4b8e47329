"""The list of a project's runs, and a run's own page, live while it is carried out."""

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from compass.server.core import run_list, runs
from compass.server.core.clock import now
from compass.server.core.ids import new_id
from compass.server.core.run_list import PAGE_SIZE, Filter
from compass.server.core.run_models import Run, RunStatus
from compass.server.db import db, transaction
from compass.server.worker.carrier import Carrier
from tests.conftest import both
from tests.target import Target, a_target
from tests.work import Hand, Work
from tests.world import Browser, World

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def target() -> Iterator[Target]:
    with a_target() as target:
        yield target


@pytest.fixture
def work(world: World, target: Target) -> Work:
    return Work(world, target.url)


@pytest.fixture
def browser(world: World) -> Browser:
    """Bob's, who is a member."""
    return world.signed_in("bob")


def path(world: World, run_id: str = "") -> str:
    return f"/projects/{world.project}/runs" + (f"/{run_id}" if run_id else "")


def step(name: str, path: str = "/say", **members: Any) -> dict[str, Any]:
    return {"name": name, "connection": "target", "method": "GET", "path": path, **members}


def carried_out(work: Work, **start: Any) -> str:
    """The id of a run that has ended."""
    run_id: str = work.start(**start).json["id"]
    Carrier(work.world.app).carry_out(run_id)
    return run_id


def words(page: str) -> str:
    """What of it a person reads."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def entry(page: str, number: int) -> str:
    """A step of the timeline."""
    found = re.search(rf'<li class="step[^>]*id="entry-{number}".*?</li>', page, re.DOTALL)
    assert found, page
    return found.group()


def failed(world: World, run_id: str, message: str) -> None:
    world.set_columns(Run, Run.id == run_id, status=RunStatus.FAILED, error_message=message,
                      error_code="http_status", finished_at=now())  # fmt: skip


# The list


@both
def test_each_row_says_what_ran_who_started_it_and_what_came_of_it(
    world: World, work: Work, browser: Browser
) -> None:
    work.write()
    work.write(name="broken", steps=[step("fail", "/no", query={"status": "500"})], output=None)
    carried_out(work)
    bad = carried_out(work, workflow="broken")
    page = browser.get(path(world)).text
    first, second = re.findall(r"<tr>\s*<td class=\"name\".*?</tr>", page, re.DOTALL)
    assert f'href="{path(world, bad)}"' in first
    assert "broken Version 1 Failed GET" in words(first)
    assert "was answered with HTTP 500" in words(first)
    assert "echo Version 1 Succeeded Member key just now" in words(second)
    assert re.search(r"\d m?s$", words(second))
    assert re.search(r'<time datetime="[^"]+Z" title="[^"]+UTC">', second)
    assert "input" not in first


@both
def test_filters_and_counts(world: World, work: Work, browser: Browser) -> None:
    workflow = work.write()
    other = work.write(name="other")
    one, two, three = (work.start(each).json["id"] for each in ("echo", "echo", "other"))
    failed(world, two, "It broke.")
    page = browser.get(path(world)).text
    assert "All 3 Queued 2 Running 0 Succeeded 0 Failed 1 Cancelled 0" in words(page)
    for query, ids in (
        ("", {one, two, three}), ("?status=failed", {two}), (f"?workflow={workflow}", {one, two}),
        (f"?workflow={other}&status=queued", {three}), ("?status=nonsense&workflow=x", {one, two,
        three}), (f"?workflow={other}&status=failed", set()),
    ):  # fmt: skip
        for htmx in (False, True):
            page = browser.get(path(world) + query, htmx=htmx).text
            assert set(re.findall(r"runs/(run_\w+)\"", page)) == ids, query
    assert "No run of other is in this state now." in words(page)
    page = browser.get(f"{path(world)}?workflow={workflow}").text
    assert "All 2 Queued 1 Running 0 Succeeded 0 Failed 1" in words(page)
    assert f'runs?status=failed&amp;workflow={workflow}"' in page


def test_a_workflow_that_is_gone_can_be_filtered_by(
    world: World, work: Work, browser: Browser
) -> None:
    workflow = work.write()
    work.start()
    work.admin("DELETE", f"/workflows/{workflow}")
    page = browser.get(f"{path(world)}?workflow={workflow}").text
    assert f'<option value="{workflow}" selected>echo</option>' in page
    assert "All 1" in words(page)


@both
def test_pages_go_back_and_forth(world: World, work: Work, browser: Browser) -> None:
    work.write()
    run_id = work.start().json["id"]
    fill(world, run_id, 2 * PAGE_SIZE)
    seen: list[str] = []
    url = path(world)
    for htmx in (False, True, False):
        page = browser.get(url, htmx=htmx).text
        seen += (found := re.findall(r"runs/(run_\w+)\"", page))
        older = re.search(r'href="([^"]+\?before=[^"]+)"', page)
        url = html.unescape(older[1]) if older else ""
    assert (len(seen), url) == (2 * PAGE_SIZE + 1, "")
    assert seen == sorted(set(seen), reverse=True)
    assert len(found) == 1
    newer = re.search(r'href="([^"]+\?after=[^"]+)"', page)
    assert newer
    middle = browser.get(html.unescape(newer[1])).text
    assert re.findall(r"runs/(run_\w+)\"", middle) == seen[PAGE_SIZE : 2 * PAGE_SIZE]
    # Beyond either end, the newest are shown.
    for query in ("?before=run_0", "?after=" + seen[0], "?before=nonsense"):
        assert re.findall(r"runs/(run_\w+)\"", browser.get(path(world) + query).text) == seen[:50]


def fill(world: World, run_id: str, many: int) -> None:
    """More of the same."""
    with world.app.app_context(), transaction():
        table = Run.__table__
        row = dict(db.session.execute(db.select(table).where(table.c.id == run_id)).one()._mapping)
        db.session.execute(db.insert(table), [{**row, "id": new_id("run")} for _ in range(many)])


def test_more_than_are_counted_are_said_to_be_more(
    world: World, work: Work, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MOST_COUNTED", 3)
    work.write()
    fill(world, work.start().json["id"], 4)
    assert "All 3+ Queued 3+ Running 0" in words(browser.get(path(world)).text)


@both
def test_the_list_reads_neither_inputs_nor_outputs_and_is_read_off_an_index(
    world: World, work: Work, kind: str
) -> None:
    work.write()
    fill(world, work.start().json["id"], 5)
    with world.app.app_context():
        for wanted in (
            Filter(world.project),
            Filter(world.project, RunStatus.QUEUED),
            Filter(world.project, None, new_id("wfl")),
            Filter(world.project, RunStatus.QUEUED, new_id("wfl")),
        ):
            query = run_list.query(wanted).order_by(Run.id.desc())
            text = str(query.compile(db.engine, compile_kwargs={"literal_binds": True}))
            for column in ("definition", "input", "output"):
                assert f"runs.{column}" not in text
            if kind == "sqlite":
                plan = str(db.session.execute(db.text(f"EXPLAIN QUERY PLAN {text}")).all())
                assert "USING INDEX ix_runs_project_id" in plan
                assert "TEMP B-TREE" not in plan


def test_an_empty_list_says_what_a_run_is_and_what_to_do_first(world: World) -> None:
    alice, bob = world.signed_in("alice"), world.signed_in("bob")
    assert "A run carries a workflow out once" in words(alice.get(path(world)).text)
    assert f'href="/projects/{world.project}/workflows/new"' in alice.get(path(world)).text
    assert "There is no workflow to run yet." in words(bob.get(path(world)).text)
    assert "ask Alice" in words(bob.get(path(world)).text)
    workflow = Work(world).write()
    assert f"/workflows/{workflow}/run" in bob.get(path(world)).text


def test_the_navigation_leads_to_the_runs_of_the_chosen_project(
    world: World, browser: Browser
) -> None:
    other = world.add_project("Other")
    world.set_role("bob", "member", "Other")
    page = browser.get(path(world)).text
    assert f'href="/projects/{other}/runs"' in page
    nav = page[page.index('aria-label="Main"') :]
    assert re.search(rf'href="{path(world)}" aria-current="true">Runs</a>', nav)
    assert nav.index(">Runs<") < nav.index(">Workflows<")


# A run


@both
def test_a_run_that_succeeded_shows_its_steps_and_its_output(
    world: World, work: Work, browser: Browser, target: Target
) -> None:
    work.write(
        steps=[step("first", query={"word": "{{ input.word }}"}),
               step("second", method="POST", json={"got": "{{ steps.first.status }}"})],
        output={"both": ["{{ steps.first.status }}", "{{ steps.second.status }}"]},
    )  # fmt: skip
    run_id = carried_out(work, input={"word": "hello"})
    page = browser.get(path(world, run_id)).text
    text = words(page)
    assert "Succeeded Version 1, started by the key Member just now" in text
    assert 'Output {"both": [200, 200]}' in text
    assert 'Input {"word": "hello"}' in text
    first, second = words(entry(page, 1)), words(entry(page, 2))
    assert re.match(r"1 first Done target, [\d.]+ m?s What it asked method GET url http", first)
    assert "?word=hello" in first
    assert "What it was answered status 200" in first
    assert 'json {"got": 200}' in second
    assert "hx-get" not in page[page.index("<main") :]
    assert "Run again" in text
    assert "Cancel run" not in text


@both
def test_a_failure_is_a_sentence_at_its_step_and_above(
    world: World, work: Work, browser: Browser
) -> None:
    work.write(steps=[step("one"), step("two", "/no", query={"status": "404"}), step("three")],
               output=None)  # fmt: skip
    run_id = carried_out(work)
    page = browser.get(path(world, run_id)).text
    assert re.search(
        r"Step two failed http_status GET .* was answered with HTTP 404\.", words(page)
    )
    states = [re.search(r'class="step ([\w-]+)"', entry(page, n)) for n in (1, 2, 3)]
    assert [found[1] for found in states if found] == ["done", "failed", "not-reached"]
    assert "was answered with HTTP 404" in words(entry(page, 2))
    assert '"status": 404' in words(entry(page, 2)) or "status 404" in words(entry(page, 2))


def test_credentials_and_headers_are_masked_and_answers_are_no_html(
    world: World, browser: Browser, target: Target
) -> None:
    work = Work(world)
    secret = "a very secret token"
    work.connect("guarded", target.url, {"auth": "bearer", "token": secret})
    work.write(
        name=EVIL,
        input_schema=None,
        steps=[
            {"name": "echo", "connection": "guarded", "method": "POST", "path": "/say",
             "query": {"echo": "1"}, "headers": {"X-Session": "sesame"},
             "json": {"text": "{{ input.text }}"}},
            {"name": "html", "connection": "guarded", "method": "GET", "path": "/{{ input.text }}",
             "query": {"status": "500", "type": "text/html"}},
        ],
        output=None,
    )  # fmt: skip
    run_id = carried_out(work, workflow=EVIL, input={"text": EVIL})
    world.set_columns(Run, Run.id == run_id, starter_name=EVIL)
    for url in (path(world), path(world, run_id)):
        for htmx in (False, True):
            page = browser.get(url, htmx=htmx).text
            assert "<img src=x" not in page
            assert "&lt;img src=x" in page
            assert secret not in page
            assert "sesame" not in page.replace("&#34;x-session&#34;: &#34;sesame&#34;", "")
    asked = words(entry(page, 1))
    assert '"x-session": "•••"' in asked.lower()


def test_what_is_long_is_cut(world: World, work: Work, browser: Browser) -> None:
    work.write(steps=[step("big", query={"size": "300000"})], output="{{ steps.big.json }}")
    run_id = carried_out(work, input={"word": "w" * 300_000})
    page = browser.get(path(world, run_id)).text
    assert len(page) < 80_000
    assert page.count("is left out here") == 2
    assert "bytes, which begin" in words(entry(page, 1))


@both
def test_events_beside_the_steps_are_told_in_their_place(
    world: World, work: Work, browser: Browser
) -> None:
    work.write(steps=[step("one"), step("two")], output=None)
    run_id = work.start().json["id"]
    hand = Hand(world, run_id)
    hand.take()
    assert hand.give("one")
    hand.hand_back()
    page = browser.get(path(world, run_id)).text
    assert "waits for another worker" in words(page)
    assert "two Interrupted" in words(entry(page, 2))
    assert "Its worker was stopped and gave it back" in words(entry(page, 2))
    hand.take()
    page = browser.get(path(world, run_id)).text
    assert re.search(r"two Running target, since .* attempt 2", words(entry(page, 2)))
    hand.die()
    hand.take()
    page = browser.get(path(world, run_id)).text
    assert "Its worker was lost." in words(entry(page, 2))
    assert "attempt 3" in words(entry(page, 2))
    assert "lost" not in words(entry(page, 1))


# Live


@both
def test_only_what_is_not_over_asks_again_and_gets_what_is_new(
    world: World, work: Work, browser: Browser
) -> None:
    work.write(steps=[step("one"), step("two")], output=None)
    run_id = work.start().json["id"]
    page = browser.get(path(world, run_id)).text
    poll = re.search(r'hx-get="([^"]+\?seen=1)" hx-trigger="load delay:1s, every 5s"', page)
    assert poll
    assert re.search(r"<noscript>.*Reload</a>", page)
    same = browser.get(poll[1], htmx=True)
    assert "hx-swap-oob" not in same.text
    assert f'hx-get="{poll[1]}"' in same.text
    hand = Hand(world, run_id)
    hand.take()
    begun = browser.get(poll[1], htmx=True)
    assert oob(begun.text) == ["run-status", "entry-0", "entry-1", "run-facts"]
    assert "HX-Trigger" not in begun.headers
    assert hand.give("one")
    one = browser.get(f"{path(world, run_id)}?seen=3", htmx=True).text
    assert oob(one) == ["run-status", "entry-1", "entry-2", "run-facts"]
    assert 'class="step done" id="entry-1"' in one
    hand.end("two")
    ended = browser.get(f"{path(world, run_id)}?seen=5", htmx=True)
    assert oob(ended.text) == ["run-status", "run-actions", "outcome", "entry-2", "run-facts"]
    assert "hx-get" not in ended.text
    told = json.loads(ended.headers["HX-Trigger"])["announce"]
    assert told == {"sentence": "echo: succeeded.", "shown": False}


def oob(page: str) -> list[str]:
    return re.findall(r'id="([\w-]+)" hx-swap-oob="outerHTML"', page)


def test_a_page_that_follows_what_is_gone_is_loaded_anew(
    world: World, work: Work, browser: Browser
) -> None:
    work.write()
    run_id = work.start().json["id"]
    world.set_role("bob", None)
    answer = browser.get(f"{path(world, run_id)}?seen=1", htmx=True)
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (404, "true")
    assert "There is no such project" in browser.get(path(world, run_id)).text


@pytest.mark.parametrize("seen", ["", "x", "-1", "1" * 30, "٣"])
def test_nonsense_that_was_seen_is_as_good_as_nothing(
    world: World, work: Work, browser: Browser, seen: str
) -> None:
    work.write()
    run_id = work.start().json["id"]
    page = browser.get(f"{path(world, run_id)}?seen={seen}", htmx=True).text
    assert "entry-0" in page


# Cancelling


@both
def test_what_waits_is_cancelled_at_once(world: World, work: Work, browser: Browser) -> None:
    work.write()
    for htmx in (False, True):
        run_id = work.start().json["id"]
        answer = browser.post(f"{path(world, run_id)}/cancel", {"seen": "1"}, htmx=htmx)
        assert answer.status_code == (200 if htmx else 303)
        if htmx:
            assert "None of it was done." in words(answer.text)
            assert "run was cancelled" in answer.headers["HX-Trigger"]
        page = words(browser.get(path(world, run_id)).text)
        assert "Cancelled Version 1" in page
        assert "Bob cancelled the run." in page
        assert ("The run was cancelled." in page) is not htmx
        assert work.run(run_id)["status"] == "cancelled"
        asked = next(e for e in work.events(run_id) if e["type"] == "cancel_requested")
        assert asked["data"] == {"by": {"type": "user", "id": world.bob, "name": "Bob"}}


@both
def test_what_runs_ends_before_its_next_step(world: World, work: Work, browser: Browser) -> None:
    work.write(steps=[step("one"), step("two")], output=None)
    run_id = work.start().json["id"]
    hand = Hand(world, run_id)
    hand.take()
    answer = browser.post(f"{path(world, run_id)}/cancel", {"seen": "3"}, htmx=True)
    assert "It ends before its next step." in words(answer.text)
    assert "Cancelling" in words(answer.text)
    assert "hx-get" in answer.text
    assert "Cancel run" not in answer.text
    assert "Run again" not in answer.text
    assert not hand.give("one")
    page = browser.get(path(world, run_id)).text
    assert "What its steps did before stays done." in words(page)
    assert "two Not reached" in words(entry(page, 2))


@both
def test_what_is_over_is_not_cancelled_any_more(world: World, work: Work, browser: Browser) -> None:
    work.write()
    run_id = carried_out(work)
    answer = browser.post(f"{path(world, run_id)}/cancel")
    assert answer.status_code == 409
    assert "This run has succeeded already, so it can't be cancelled." in words(answer.text)
    assert "<h1>echo</h1>" in answer.text
    answer = browser.post(f"{path(world, run_id)}/cancel", htmx=True)
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (409, "true")
    assert "has succeeded already" in words(browser.get(path(world, run_id)).text)


def test_a_run_of_another_project_is_not_there(world: World, work: Work, browser: Browser) -> None:
    work.write()
    run_id = work.start().json["id"]
    other = world.add_project("Other")
    world.set_role("bob", "member", "Other")
    elsewhere = f"/projects/{other}/runs/{run_id}"
    assert browser.get(elsewhere).status_code == 404
    for action in ("cancel", "again"):
        assert browser.post(f"{elsewhere}/{action}").status_code == 404
    assert work.run(run_id)["status"] == "queued"
