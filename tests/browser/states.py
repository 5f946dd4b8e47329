"""The pages in every state that they can be in: for accessibility and for screenshots.

A new state is one line in STATES, and one function where reaching it takes more than an address.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect
from sqlalchemy import URL, update

from compass.server import create_app
from compass.server.core import users
from compass.server.core.clock import now
from compass.server.core.models import Key
from compass.server.db import db, transaction
from tests.browser.run_states import open_all, runs, start_wrongly
from tests.browser.test_walk import create, new_name
from tests.browser.work_states import (
    check_in_the_list,
    describe_a_database,
    lead_elsewhere,
    open_the_connection_form,
    open_the_document,
    save_an_old_version,
    store_nothing,
    work,
    write_mistakes,
)
from tests.conftest import dispose, make_settings
from tests.servers import Server, serving
from tests.world import PASSWORD, PATH, World

THEMES = ["light", "dark"]
WIDTHS = [1280, 390]
PEOPLE = "/settings/organization/people"
LONG = f"A name of 80 letters that ends in one long word {'x' * 32}"


@dataclass
class Place:
    """A server with people and keys of all kinds, and whoever is signed in there."""

    url: str
    setup_link: str
    world: World
    ids: dict[str, str]
    chromium: Browser
    scripts: list[str] = field(default_factory=list)
    pages: dict[tuple[str | None, str], Page] = field(default_factory=dict)

    def page(self, who: str | None, theme: Any) -> Page:
        """One for all that a person sees in a theme: argon2 at sign-in is slow on purpose."""
        if (who, theme) not in self.pages:
            # Without motion no colour is caught halfway to another.
            context = self.chromium.new_context(color_scheme=theme, reduced_motion="reduce")
            context.set_default_timeout(30_000)
            for script in self.scripts:
                # By the debugger, which the Content-Security-Policy does not bind.
                context.add_init_script(script)
            page = context.new_page()
            self.pages[who, theme] = page
            if who:
                page.goto(f"{self.url}/login")
                sign_in(page, f"{who}@example.org")
                page.wait_for_url(lambda url: not url.endswith("/login"))
        return self.pages[who, theme]


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@contextmanager
def a_place(folder: Path, chromium: Browser, *scripts: str) -> Iterator[Place]:
    """`scripts` run in each page before its own."""
    with serving(folder / "home", "--no-worker") as server, serving(folder / "bare") as bare:
        place = populated(server, bare, chromium)
        place.scripts.extend(scripts)
        yield place
        for page in place.pages.values():
            page.context.close()
        dispose(place.world.app)


def populated(server: Server, bare: Server, chromium: Browser) -> Place:
    """Through the product's own rules, into the database that the server has open."""
    database = URL.create("sqlite", database=str(server.home / "compass.db"))
    world = World(create_app(make_settings(server.home, database)))
    world.set_role("bob", "admin")
    world.add_project(LONG)
    world.set_role("bob", "admin", LONG)
    dora, without = world.add_user("dora"), world.add_project("Without keys")
    world.set_role("dora", "member", "Without keys")
    world.add_user("erin")
    world.add_project("Crowded")
    world.set_role("erin", "admin", "Crowded")
    for number in range(51):
        world.key(f"Key {number}", project="Crowded")
    secret, active = world.key("Active", role="admin")
    world.call("/v1/me", secret)
    ids = {
        "active": active,
        "expiring": world.key("Expiring", days="10")[1],
        "expired": world.key("Expired", days="10")[1],
        "revoked": world.key("Revoked")[1],
        "long": world.key(LONG, project=LONG)[1],
        "token": world.key("Token", type="personal")[1],
        "rotating": world.key("Rotating", days="90")[1],
    }
    with world.app.app_context(), transaction():
        ended = update(Key).where(Key.id == ids["expired"])
        db.session.execute(ended.values(expires_at=now() - timedelta(days=1)))
    browser = world.browser("alice")
    browser.post(f"{PATH}/{ids['revoked']}/revoke")
    browser.post(f"{PATH}/{ids['rotating']}/rotate", {"overlap_hours": "24"})
    world.call("/v1/me", world.key("Laptop", by="bob", type="personal")[0])
    world.call("/v1/me", world.key("Nightly import", by="bob", type="personal", role="member")[0])
    world.key("Deployment", by="bob")
    gone = world.add_user("gone")
    world.set_role("gone", "admin")
    world.key("Left behind", by="gone")
    world.change("gone", users.disable)
    world.invite("grace@example.org", role="admin")
    used, used_id = world.invite("revoked@example.org")
    browser.post(f"{PEOPLE}/invitations/{used_id}/revoke")
    ids |= {
        "project": world.project,
        "without": without,
        "dora": dora,
        "alice": world.alice,
        "bob": world.bob,
        "gone": gone,
        "invitation": world.invite("edsger@example.org", project_id=world.project)[0],
        "revoked_invitation": used,
        "reset": world.reset_link("erin"),
    }
    ids |= work(world, secret, LONG)
    ids |= runs(world, secret, ids["workflow"])
    return Place(server.url, bare.setup_link, world, ids, chromium)


@dataclass(frozen=True)
class State:
    """`path` may name a key of the place: `{active}`. `reach` goes on from there. Only what is
    `within` is looked at."""

    name: str
    path: str
    reach: Callable[[Page], None] = lambda page: None
    who: str | None = "bob"
    within: str = "html"
    status: int = 200
    # Some of it is not there on a phone.
    widths: tuple[int, ...] = tuple(WIDTHS)

    def open(self, place: Place, theme: str, width: int = WIDTHS[0]) -> Page:
        page = place.page(self.who, theme)
        page.set_viewport_size({"width": width, "height": 900})
        path = self.path.format(root=place.url, setup=place.setup_link, **place.ids)
        response = page.goto(path)
        assert response
        assert response.status == self.status
        self.reach(page)
        return page


def press(name: str) -> Callable[[Page], None]:
    """Sends a form as it is."""
    return lambda page: page.get_by_role("button", name=name, exact=True).click()


def sign_in_wrongly(page: Page) -> None:
    sign_in(page, "nobody@example.org", "wrong wrong")
    expect(page.get_by_role("alert")).to_be_visible()


def give_a_wrong_password(page: Page) -> None:
    page.get_by_label("Current password").fill("wrong wrong")
    page.get_by_label("New password").fill("short")
    press("Change password")(page)
    expect(page.locator("[aria-invalid]").first).to_be_visible()


def save_the_name(page: Page) -> None:
    press("Save name")(page)
    expect(page.get_by_role("status").first).to_be_visible()


def open_the_form(page: Page) -> None:
    press("Create key")(page)
    expect(page.get_by_label("Name", exact=True)).to_be_focused()


def choose_a_token(page: Page) -> None:
    open_the_form(page)
    page.get_by_role("radio", name="Personal token").check()
    expect(page.get_by_text("The token acts as you.")).to_be_visible()


def create_wrongly(page: Page) -> None:
    open_the_form(page)
    page.get_by_label("Expires after").fill("1.5")
    page.locator(".card.open").get_by_role("button", name="Create key").click()
    expect(page.get_by_text("Give the key a name.")).to_be_visible()


def create_a_key(page: Page) -> None:
    create(page, new_name())


def ask_in_the_row(page: Page) -> None:
    page.get_by_role("button", name="Revoke", exact=True).first.click()
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()


def revoke_a_new_key(page: Page) -> None:
    create(page, new_name())
    ask_in_the_row(page)
    press("Revoke key")(page)
    expect(page.get_by_role("status")).to_be_visible()


def rename_to_nothing(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("")
    press("Rename")(page)
    expect(page.locator("[aria-invalid]")).to_be_visible()


def open_rotation(page: Page) -> None:
    press("Rotate")(page)
    expect(page.get_by_role("radio", name="In 24 hours")).to_be_focused()


def rotate_wrongly(page: Page) -> None:
    open_rotation(page)
    page.get_by_label("Expires after").fill("1.5")
    press("Rotate key")(page)
    expect(page.locator("[aria-invalid]")).to_be_focused()


def rotate_a_new_key(page: Page) -> None:
    create(page, new_name())
    page.locator("tbody .name a").first.click()
    open_rotation(page)
    press("Rotate key")(page)
    expect(page.get_by_role("textbox", name="The new secret")).to_be_focused()


def end_the_old_secret(page: Page) -> None:
    rotate_a_new_key(page)
    page.get_by_role("link", name="Done").click()
    page.get_by_text("End it now").click()
    press("End the old secret")(page)
    expect(page.get_by_role("heading", name="Secret", exact=True)).to_be_focused()


def ask_to_take_back(page: Page) -> None:
    page.get_by_text("Lost it?").click()


def ask_to_end(page: Page) -> None:
    page.get_by_text("End it now").click()


def open_the_menu(page: Page) -> None:
    page.locator("details.person summary").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def open_the_invitation(page: Page) -> None:
    press("Invite somebody")(page)
    expect(page.get_by_label("Email", exact=True)).to_be_focused()


def invite_wrongly(page: Page) -> None:
    open_the_invitation(page)
    page.get_by_label("Email", exact=True).fill("bob@example.org")
    press("Make the link")(page)
    expect(page.locator("[aria-invalid]")).to_be_focused()


def invite_somebody(page: Page) -> None:
    open_the_invitation(page)
    page.get_by_label("Email", exact=True).fill(
        f"{new_name().lower().replace(' ', '')}@example.org"
    )
    press("Make the link")(page)
    expect(page.get_by_role("textbox", name="The invitation's link")).to_be_focused()


def make_a_reset_link(page: Page) -> None:
    press("Make a password-reset link")(page)
    expect(page.get_by_role("textbox", name="The password-reset link")).to_be_focused()


def search_in_vain(page: Page) -> None:
    page.get_by_label("Search by name or email").fill("matches nothing")
    expect(page.get_by_role("heading", name="Nobody matches")).to_be_visible()


def choose_too_short_a_password(page: Page) -> None:
    page.get_by_label("password", exact=False).fill("short")
    page.locator("form.card button").click()
    expect(page.locator("[aria-invalid]").first).to_be_visible()


def open_the_switcher(page: Page) -> None:
    page.locator("details.switch summary").click()


def add_a_member(page: Page) -> None:
    press("Add member")(page)
    expect(page.get_by_label("Email", exact=True)).to_be_focused()


def add_a_stranger(page: Page) -> None:
    add_a_member(page)
    page.get_by_label("Email", exact=True).fill("nobody@example.org")
    page.locator("#add-form").get_by_role("button", name="Add member").click()
    expect(page.locator("[aria-invalid]")).to_be_focused()


def create_a_project_of_a_taken_name(page: Page) -> None:
    press("Create project")(page)
    page.get_by_label("Name", exact=True).fill("Default")
    page.locator("#project-form").get_by_role("button", name="Create project").click()
    expect(page.locator("[aria-invalid]")).to_be_focused()


def type_another_name(page: Page) -> None:
    page.get_by_label("The project's name").fill("something else")
    press("Delete project")(page)
    expect(page.locator("[aria-invalid]")).to_be_focused()


def go_to_older_events(page: Page) -> None:
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newer")).to_be_visible()


KEYS = "{root}" + PATH
AUDIT = "{root}/settings/organization/audit"
PEOPLE_URL = "{root}" + PEOPLE
PROJECT = "{root}/projects/{project}/settings"
CONNECTIONS = "{root}/projects/{project}/connections"
WORKFLOWS = "{root}/projects/{project}/workflows"
RUNS = "{root}/projects/{project}/runs"
EMPTY = "{root}/projects/{without}"

STATES = [
    State("setup", "{setup}", who=None),
    State("setup error", "{setup}", press("Create administrator"), who=None),
    State("login", "{root}/login", who=None),
    State("login error", "{root}/login", sign_in_wrongly, who=None),
    State("account", "{root}/account"),
    State("account error", "{root}/account", give_a_wrong_password),
    State("account saved", "{root}/account", save_the_name),
    State("no project", KEYS, who="charlie"),
    State("no keys", KEYS, who="dora"),
    State("list of keys", KEYS),
    State("list, first page", KEYS, who="erin"),
    State("list, second page", KEYS + "?page=2", who="erin"),
    State("filter without match", KEYS + "?q=matches-nothing"),
    State("filter by status", KEYS + "?status=revoked"),
    State("creation form", KEYS, open_the_form),
    State("creation form, personal token", KEYS, choose_a_token),
    State("creation form of a member", KEYS + "/new", who="dora"),
    State("creation error", KEYS, create_wrongly),
    State("key shown once", KEYS, create_a_key),
    State("revoke question in the row", KEYS, ask_in_the_row),
    State("revoke question as a page", KEYS + "/{active}/revoke"),
    State("revoked in the row", KEYS, revoke_a_new_key),
    State("key", KEYS + "/{active}"),
    State("key that expires soon", KEYS + "/{expiring}"),
    State("key that is expired", KEYS + "/{expired}"),
    State("key that is revoked", KEYS + "/{revoked}"),
    State("key with a long name", KEYS + "/{long}"),
    State("token of somebody else", KEYS + "/{token}"),
    State("rotation form", KEYS + "/{active}", open_rotation),
    State("rotation form as a page", KEYS + "/{active}/rotate"),
    State("rotation error", KEYS + "/{active}", rotate_wrongly),
    State("rotation of a key with two secrets", KEYS + "/{rotating}/rotate", status=409),
    State("secret shown once", KEYS, rotate_a_new_key),
    State("two secrets", KEYS + "/{rotating}"),
    State("question to end the old secret", KEYS + "/{rotating}", ask_to_end),
    State("question to take a rotation back", KEYS + "/{rotating}", ask_to_take_back),
    State("old secret ended", KEYS, end_the_old_secret),
    State("rename error", KEYS + "/{active}", rename_to_nothing),
    State("audit log", AUDIT, who="alice"),
    State("audit log, filtered", AUDIT + "?actor=compass-server&action=member.added", who="alice"),
    State("audit log, filter without match", AUDIT + "?actor=matches-nothing", who="alice"),
    State("audit log of a project admin", AUDIT),
    State("audit log, second page", AUDIT, go_to_older_events, who="erin"),
    State("audit log refused", AUDIT, who="charlie", status=403),
    # What an open menu covers can't be pressed until it is closed: that is not a target now.
    State("open menu", KEYS + "/{active}", open_the_menu, within=".topbar"),
    State("people", PEOPLE_URL, who="alice"),
    State("people, nobody matches", PEOPLE_URL, search_in_vain, who="alice"),
    State("invitation form", PEOPLE_URL, open_the_invitation, who="alice"),
    State("invitation error", PEOPLE_URL, invite_wrongly, who="alice"),
    State("invitation shown once", PEOPLE_URL, invite_somebody, who="alice"),
    State("person", PEOPLE_URL + "/{bob}", who="alice"),
    State("person, disabled", PEOPLE_URL + "/{gone}", who="alice"),
    State("reset link shown once", PEOPLE_URL + "/{bob}", make_a_reset_link, who="alice"),
    State("question to disable", PEOPLE_URL + "/{bob}/disable", who="alice"),
    State("question to disable nobody's keys", PEOPLE_URL + "/{dora}/disable", who="alice"),
    State("question to demote", PEOPLE_URL + "/{alice}/role", who="alice"),
    State("people, not allowed", PEOPLE_URL, status=403),
    State("invitation", "{root}/invitations/{invitation}", who=None),
    State(
        "invitation, error",
        "{root}/invitations/{invitation}",
        choose_too_short_a_password,
        who=None,
    ),
    State("invitation, revoked", "{root}/invitations/{revoked_invitation}", who=None, status=410),
    State("invitation, signed in", "{root}/invitations/{invitation}", status=409),
    State("reset", "{root}/reset/{reset}", who=None),
    State("projects", "{root}/projects", who="alice"),
    State("projects of a member", "{root}/projects", who="dora"),
    State("no projects", "{root}/projects", who="charlie"),
    State("project form error", "{root}/projects", create_a_project_of_a_taken_name, who="alice"),
    State("project", PROJECT + "/general"),
    State("project of a member", "{root}/projects/{without}/settings/general", who="dora"),
    State(
        "project switcher",
        PROJECT + "/general",
        open_the_switcher,
        within=".topbar",
        widths=(1280,),
    ),
    State("question to delete a project", PROJECT + "/general/delete"),
    State("wrong name to delete a project", PROJECT + "/general/delete", type_another_name),
    State("members", PROJECT + "/members"),
    State("members, read", "{root}/projects/{without}/settings/members", who="dora"),
    State("member form", PROJECT + "/members", add_a_member),
    State("member form error", PROJECT + "/members", add_a_stranger),
    State("question to remove", PROJECT + "/members/{bob}/remove", who="alice"),
    State("question to leave", PROJECT + "/members/{bob}/remove"),
    State("connections", CONNECTIONS),
    State("connections, read", EMPTY + "/connections", who="dora"),
    State("no connections", EMPTY + "/connections", who="alice"),
    State("connection form", CONNECTIONS, open_the_connection_form),
    State("connection form, database", CONNECTIONS, describe_a_database),
    State("connection form error", CONNECTIONS, store_nothing),
    State("connection checked in the list", CONNECTIONS, check_in_the_list),
    State("connection", CONNECTIONS + "/{chat}"),
    State("connection to a database", CONNECTIONS + "/{warehouse}"),
    State("connection edited", CONNECTIONS + "/{chat}/edit"),
    State("database edited", CONNECTIONS + "/{warehouse}/edit"),
    State("connection moved", CONNECTIONS + "/{chat}/edit", lead_elsewhere),
    State("connection in use", CONNECTIONS + "/{chat}/delete"),
    State("question to delete a connection", CONNECTIONS + "/{unused}/delete"),
    State("workflows", WORKFLOWS),
    State("workflows, read", EMPTY + "/workflows", who="dora"),
    State("no workflows", EMPTY + "/workflows", who="alice"),
    State("workflow", WORKFLOWS + "/{workflow}"),
    State("workflow's document", WORKFLOWS + "/{workflow}", open_the_document),
    State("workflow form", WORKFLOWS + "/new"),
    State("workflow form without connections", EMPTY + "/workflows/new", who="alice"),
    State("workflow form error", WORKFLOWS + "/new", write_mistakes),
    State("workflow edited", WORKFLOWS + "/{workflow}/edit"),
    State("workflow edited by two", WORKFLOWS + "/{workflow}/edit", save_an_old_version),
    State("question to delete a workflow", WORKFLOWS + "/{workflow}/delete"),
    State("runs", RUNS),
    State("runs, filtered", RUNS + "?status=failed&workflow={workflow}"),
    State("runs, no match", RUNS + "?workflow={form}"),
    State("no runs", EMPTY + "/runs", who="alice"),
    State("no runs, read", EMPTY + "/runs", who="dora"),
    State("run queued", RUNS + "/{queued}"),
    State("run running", RUNS + "/{running}"),
    State("run succeeded", RUNS + "/{succeeded}", open_all),
    State("run failed", RUNS + "/{failed}"),
    State("run cancelled", RUNS + "/{cancelled}"),
    State("run handed back", RUNS + "/{handed_back}"),
    State("run form", WORKFLOWS + "/{form}/run"),
    State("run form error", WORKFLOWS + "/{form}/run", start_wrongly),
    State("run form, JSON", WORKFLOWS + "/{form}/run?as=json"),
    State("revoke question, with runs", KEYS + "/{active}/revoke"),
    State("not found", "{root}/nowhere", status=404),
    State("not found, signed out", "{root}/docs/nowhere", who=None, status=404),
    State("guide", "{root}/docs/authentication"),
    State("guide, signed out", "{root}/docs/authentication", who=None),
]
