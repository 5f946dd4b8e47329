"""P9: the list, its filters, its pages, and whose keys are in it."""

import pytest

from compass.server.core.models import Key
from compass.server.db import db
from tests.conftest import both
from tests.world import PATH, World


def names(page: str) -> set[str]:
    candidates = ("Nightly", "Bob laptop", "Alice laptop", "Elsewhere", "Old", "Gone")
    return {name for name in candidates if f">{name}</a>" in page}


@pytest.fixture
def full(world: World) -> World:
    world.add_project("Other")
    world.key("Nightly")
    world.key("Bob laptop", by="bob", type="personal")
    world.key("Alice laptop", by="alice", type="personal")
    world.key("Elsewhere", project="Other")
    _, old = world.key("Old", days="1")
    _, gone = world.key("Gone")
    with world.app.app_context():
        key = db.session.get(Key, old)
        assert key is not None
        key.expires_at = key.created_at
        db.session.commit()
    world.browser("alice").post(f"{PATH}/{gone}/revoke")
    return world


@both
def test_each_key_shows_what_the_promise_says(full: World) -> None:
    page = full.browser("alice").get(PATH).text
    for words in (
        "Service account", "Personal token", "of Bob", "Default", "Other", "Member", "Admin",
        "by Alice", "by Bob", "Never", "Active", "Expired", "Revoked", "compass_sa_", "UTC",
    ):  # fmt: skip
        assert words in page, words


@both
def test_a_member_sees_their_own_and_an_admin_the_projects(full: World) -> None:
    assert names(full.browser("alice").get(PATH).text) == {
        "Nightly", "Bob laptop", "Alice laptop", "Elsewhere", "Old", "Gone",
    }  # fmt: skip
    assert names(full.browser("bob").get(PATH).text) == {"Bob laptop"}
    assert names(full.browser("charlie").get(PATH).text) == set()
    full.set_role("bob", "admin")
    assert names(full.browser("bob").get(PATH).text) == {
        "Nightly", "Bob laptop", "Alice laptop", "Old", "Gone",
    }  # fmt: skip
    full.set_role("bob", None)
    assert names(full.browser("bob").get(PATH).text) == set()


@both
@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("status=active", {"Nightly", "Bob laptop", "Alice laptop", "Elsewhere"}),
        ("status=expired", {"Old"}),
        ("status=revoked", {"Gone"}),
        ("status=nonsense&q=old", {"Old"}),
        ("q=LAPTOP", {"Bob laptop", "Alice laptop"}),
        ("q=bob%40example", {"Bob laptop"}),
        ("q=%25", set()),
        ("q=_", {"Nightly", "Bob laptop", "Alice laptop", "Elsewhere", "Old", "Gone"}),
        ("q=lap&status=revoked", set()),
    ],
)
def test_filters_and_search(full: World, query: str, shown: set[str]) -> None:
    for htmx in (False, True):
        page = full.browser("alice").get(f"{PATH}?{query}", htmx=htmx).text
        assert names(page) == shown
        assert ("<html" in page) is not htmx


def test_the_project_filter(full: World) -> None:
    with full.app.app_context():
        other = db.session.scalar(db.select(Key.project_id).where(Key.name == "Elsewhere"))
    assert names(full.browser("alice").get(f"{PATH}?project={other}").text) == {"Elsewhere"}
    assert names(full.browser("bob").get(f"{PATH}?project={other}").text) == set()


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999", "9" * 50, "1.5", ""])
def test_a_page_that_is_none_is_as_good_as_one_that_is(full: World, page: str) -> None:
    assert names(full.browser("alice").get(f"{PATH}?page={page}").text)


@both
def test_pages_of_fifty(world: World) -> None:
    for number in range(55):
        world.key(f"Key {number:02}")
    browser = world.browser("alice")
    first, second = browser.get(PATH).text, browser.get(f"{PATH}?page=2").text
    assert first.count('class="name"') == 50
    assert second.count('class="name"') == 5
    assert "55 keys, page 1 of 2" in first
    assert f'href="{PATH}?page=2"' in first
    assert "Key 54" in first
    assert "Key 00" in second


def test_a_pasted_key_is_searched_by_its_hint_and_kept_out_of_the_address(world: World) -> None:
    secret, key_id = world.key("Lost")
    world.key("Another")
    response = world.browser("alice").get(f"{PATH}?q={secret}")
    assert response.status_code == 302
    assert secret not in response.headers["Location"]
    page = world.browser("alice").get(f"{PATH}?q={secret}", follow_redirects=True).text
    assert key_id in page
    assert "Another" not in page


def test_an_empty_list_says_what_a_key_is_for(world: World) -> None:
    page = world.browser("alice").get(PATH).text
    assert "No keys yet" in page
    assert page.count("data-open") == 1
    assert "No key matches" in world.browser("alice").get(f"{PATH}?q=x").text


def test_names_are_text_and_never_markup(world: World) -> None:
    world.key("<img src=x onerror=alert(1)>")
    page = world.browser("alice").get(PATH).text
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_the_list_takes_as_many_queries_for_fifty_keys_as_for_two(world: World) -> None:
    from sqlalchemy import event

    def queries() -> int:
        asked: list[str] = []
        with world.app.app_context():
            engine = db.engine

        def note(*args: object) -> None:
            asked.append(str(args[2]))

        event.listen(engine, "before_cursor_execute", note)
        browser.get(PATH)
        event.remove(engine, "before_cursor_execute", note)
        return len(asked)

    browser = world.browser("alice")
    world.key("One", by="bob", type="personal")
    world.key("Two")
    few = queries()
    for number in range(48):
        world.key(f"Key {number}")
    assert queries() == few
