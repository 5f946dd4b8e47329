"""P2 and P3: creating a key in the browser, and the secret that is shown once."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from compass.server import create_app
from compass.server.config import Settings
from compass.server.core.models import Key, KeySecret
from compass.server.db import db
from tests.conftest import both, dispose
from tests.world import PATH, World, secret_in


def refused(world: World, by: str, words: str, at: str, **fields: str) -> None:
    """A 422 with the sentence at the field, what was typed kept, and nothing created."""
    before = world.count(Key)
    fields = {"name": "Kept Name", "project": world.project} | fields
    for htmx in (False, True):
        form = {"type": "service_account"} | fields
        response = world.browser(by).post(PATH, form, htmx=htmx)
        assert response.status_code == 422
        note = f'<div id="{"expiry-day" if at == "expires_in_days" else at + "-note"}"'
        assert note in response.text, response.text
        place = response.text.split(note)[1]
        assert words in place.split("</div>")[0], place[:400]
        if fields["name"] == "Kept Name":
            assert 'value="Kept Name"' in response.text
        assert ("<html" in response.text) is not htmx
    assert world.count(Key) == before


@both
@pytest.mark.parametrize("type_", ["service_account", "personal"])
def test_a_created_key_opens_the_api(world: World, type_: str) -> None:
    response = world.browser("alice").create(type=type_, project=world.project)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    secret = secret_in(response.text)
    assert f"export COMPASS_API_KEY={secret}" in response.text
    assert "export COMPASS_BASE_URL=http://localhost" in response.text
    assert "curl -H" in response.text
    assert "cannot be seen again" in response.text
    assert 'autocomplete="off"' in response.text
    me = world.call("/v1/me", secret).json
    assert (me["key"]["name"], me["key"]["type"]) == ("CI Pipeline", type_)
    assert me["project"]["id"] == world.project


def test_htmx_gets_the_panel_and_the_list_alone(world: World) -> None:
    form = {"name": "CI", "type": "service_account", "project": world.project}
    response = world.browser("alice").post(PATH, form, htmx=True)
    assert response.status_code == 200
    assert "<html" not in response.text
    assert secret_in(response.text)
    assert 'hx-swap-oob="outerHTML"' in response.text
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("by", "type_", "role"),
    [("alice", "service_account", "member"), ("alice", "personal", "admin"),
     ("bob", "personal", "member")],
)  # fmt: skip
def test_the_role_has_a_default_by_type(world: World, by: str, type_: str, role: str) -> None:
    response = world.browser(by).create(type=type_, project=world.project)
    assert world.call("/v1/me", secret_in(response.text)).json["role"] == role


@pytest.mark.parametrize("days", ["1", "30", "0030", "3650"])
def test_the_expiry_is_that_many_days_after_creation(world: World, days: str) -> None:
    world.browser("alice").create(project=world.project, expires_in_days=days)
    with world.app.app_context():
        key = db.session.scalars(db.select(Key)).one()
        assert key.expires_at is not None
        assert key.expires_at - key.created_at == timedelta(days=int(days))


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ("0", "Enter from 1 to 3650 days."),
        ("-1", "Enter a whole number of days"),
        ("1.5", "Enter a whole number of days"),
        ("1,5", "Enter a whole number of days"),
        ("1e3", "Enter a whole number of days"),
        ("٣", "Enter a whole number of days"),
        ("soon", "Enter a whole number of days"),
        ("3651", "Enter from 1 to 3650 days."),
        ("999999999999", "Enter from 1 to 3650 days."),
        ("9" * 10_000, "Enter from 1 to 3650 days."),
    ],
)
def test_a_lifetime_that_is_none(world: World, days: str, words: str) -> None:
    refused(world, "alice", words, "expires_in_days", expires_in_days=days)


def test_an_installation_can_bound_lifetimes(settings: Settings) -> None:
    app = create_app(replace(settings, max_key_lifetime_days=90))
    world = World(app)
    words = "Keys here must expire. Enter from 1 to 90 days."
    refused(world, "alice", words, "expires_in_days", expires_in_days="")
    refused(world, "alice", "Enter from 1 to 90 days.", "expires_in_days", expires_in_days="91")
    created = world.browser("alice").create(project=world.project, expires_in_days="90")
    assert created.status_code == 200
    dispose(app)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "Give the key a name."),
        ("   ", "Give the key a name."),
        ("x" * 81, "Use at most 80 characters for the name; this has 81."),
        ("a\u202eb", "U+202E"),
        ("a\x00b", "U+0000"),
    ],
)
def test_a_name_that_is_none(world: World, name: str, words: str) -> None:
    refused(world, "alice", words, "name", name=name)


def test_an_unknown_type_or_role(world: World) -> None:
    words = "Choose service account or personal token."
    refused(world, "alice", words, "type", type="robot")
    refused(world, "alice", words, "type", type="")
    refused(world, "alice", "Choose member or admin.", "role", role="owner")


def test_a_project_that_one_is_not_in(world: World) -> None:
    other = world.add_project("Other")
    for project in (other, "prj_unknown", "", "'; DROP TABLE keys; --"):
        words = "Choose a project that you are in."
        refused(world, "bob", words, "project", type="personal", project=project)


def test_a_role_above_ones_own(world: World) -> None:
    words = "Your role in Default is member"
    refused(world, "bob", words, "role", type="personal", role="admin")


def test_a_member_makes_no_service_account(world: World) -> None:
    words = "Only an admin of Default can create service accounts. Ask Alice"
    refused(world, "bob", words, "type", role="member")


def test_everything_that_is_wrong_is_said_at_once(world: World) -> None:
    response = world.browser("alice").create(name="", type="x", project="y", expires_in_days="z")
    for words in ("Give the key a name", "Choose service account", "Choose a project", "Enter a w"):
        assert words in response.text


@both
def test_a_name_is_taken_until_its_key_is_revoked(world: World) -> None:
    words = "There is already a live key named CI Pipeline in Default."
    _, key_id = world.key()
    refused(world, "alice", words, "name", name=" CI Pipeline ")
    # Expired keys still hold their name.
    with world.app.app_context():
        stored = world.stored(key_id)
        past = stored.created_at - timedelta(days=1)
        db.session.execute(db.update(Key).values(expires_at=past))
        db.session.commit()
    refused(world, "alice", words, "name", name="CI Pipeline")
    world.browser("alice").post(f"{PATH}/{key_id}/revoke")
    assert world.browser("alice").create(project=world.project).status_code == 200


@both
def test_names_are_apart_by_type_project_and_owner(world: World) -> None:
    other = world.add_project("Other")
    for by, type_, project in (
        ("alice", "service_account", world.project),
        ("alice", "service_account", other),
        ("alice", "personal", world.project),
        ("alice", "personal", other),
        ("bob", "personal", world.project),
    ):
        response = world.browser(by).create(type=type_, project=project)
        assert response.status_code == 200, (by, type_, project)


def test_an_outsider_is_told_to_ask(world: World) -> None:
    browser = world.browser("charlie")
    assert "You are not in a project yet" in browser.get(PATH).text
    assert "You are not in a project yet" in browser.get(f"{PATH}/new").text


def test_the_project_offered_first_is_the_one_in_view_else_the_oldest(world: World) -> None:
    """Of a key that exists the project can't be changed."""
    newer = world.add_project("A newer one with an earlier name")
    browser = world.browser("alice")

    def offered(path: str) -> str:
        page = browser.get(path).text.split('id="create-form"')[1]
        return page.split(" selected>")[0].rsplit('value="', 1)[1].rstrip('"')

    assert offered(PATH) == offered(f"{PATH}/new") == world.project
    assert offered(f"{PATH}?project={newer}") == offered(f"{PATH}/new?project={newer}") == newer


def test_a_role_that_can_not_be_chosen_is_not_shown_as_chosen(world: World) -> None:
    response = world.browser("bob").create(type="personal", role="admin", project=world.project)
    assert 'id="role-member" name="role" value="member" checked' in response.text


def test_choosing_the_type_swaps_the_rest_of_the_form(world: World) -> None:
    browser = world.browser("bob")
    page = browser.get(f"{PATH}/new?type=personal", htmx=True).text
    assert "The token acts as you. In Default you are member now" in page
    assert "Only an admin of Default can create one: ask Alice." in page
    admin = world.browser("alice").get(f"{PATH}/new?type=service_account", htmx=True).text
    assert "The token acts as you" not in admin


def test_the_day_it_expires_on_is_shown_as_one_types(world: World) -> None:
    browser = world.browser("alice")
    assert "UTC." in browser.get(f"{PATH}/new?expires_in_days=30", htmx=True).text
    page = browser.get(f"{PATH}/new?expires_in_days=nonsense", htmx=True).text
    assert "Enter a whole number of days" in page


@both
def test_the_secret_is_found_nowhere_afterwards(
    world: World, settings: Settings, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    """P3: not in the database or its journal, the logs, cookies, the session or any later page."""
    browser = world.browser("alice")
    response = browser.create(project=world.project)
    secret = secret_in(response.text)
    key_id = world.call("/v1/me", secret).json["key"]["id"]
    random_part = secret.removeprefix("compass_sa_")[:40]

    cookie = browser.client.get_cookie("compass_session")
    assert cookie is not None
    with browser.client.session_transaction() as session:
        seen = cookie.value + repr(dict(session)) + str(response.headers)
    assert random_part not in seen
    for path in (PATH, f"{PATH}/new", f"{PATH}/{key_id}", f"{PATH}/{key_id}/revoke", "/account"):
        for htmx in (False, True):
            assert random_part not in browser.get(path, htmx=htmx).text
    assert random_part not in dump(world)
    for file in settings.home.rglob("*"):
        if file.is_file():
            assert random_part.encode() not in file.read_bytes(), file
    captured = capfd.readouterr()
    assert random_part not in captured.out + captured.err
    digest_is_there = world.stored(key_id).secrets[0]
    assert digest_is_there.hint in browser.get(PATH).text


def dump(world: World) -> str:
    """Every row of every table."""
    with world.app.app_context():
        return repr(
            [list(db.session.execute(table.select())) for table in KeySecret.metadata.sorted_tables]
        )


def test_reloading_the_list_shows_no_secret(world: World, tmp_path: Path) -> None:
    browser = world.browser("alice")
    secret = secret_in(browser.create(project=world.project).text)
    assert secret not in browser.get(PATH).text
    assert secret[:15] in browser.get(PATH).text
