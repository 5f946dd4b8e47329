"""A real Chromium on a real server. Skipped, visibly, only where there is no Chromium; in CI
its absence is a failure."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from tests.servers import Server, serving
from tests.world import PASSWORD

# A name that is not the machine's own: what it serves is plain HTTP and no secure context.
PLAIN_HOST = "compass.test"

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
]


def chromium_path() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Chromium: .ci/run installs it")
        pytest.skip("no Chromium on this machine: install the package chromium")
    browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(params=["javascript", "plain"])
def javascript(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "javascript")


@pytest.fixture
def open_page(chromium: Browser, javascript: bool) -> Iterator[Callable[[], Page]]:
    """Pages of a fresh browser profile each; the test fails for any complaint in a console."""
    contexts, complaints = [], []

    def note(message: ConsoleMessage) -> None:
        # A refused form or a server that is away is logged by Chromium and htmx, and is meant.
        meant = message.text.startswith(("Failed to load resource", "htmx:"))
        if message.type in {"error", "warning"} and not meant:
            complaints.append(message.text)

    def open_page() -> Page:
        context = chromium.new_context(java_script_enabled=javascript)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Server]:
    """An installation with Ada as its administrator."""
    with serving(tmp_path_factory.mktemp("browser") / "home") as server:
        page = chromium.new_context().new_page()
        set_up(page, server.setup_link)
        page.context.close()
        yield server


@pytest.fixture
def page(open_page: Callable[[], Page], server: Server) -> Page:
    """Signed in as Ada, on the API Keys page."""
    page = open_page()
    page.goto(f"{server.url}/login")
    sign_in(page)
    page.wait_for_url("**/api-keys")
    return page


def set_up(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("Email").fill("ada@example.org")
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create administrator").click()
    page.wait_for_url("**/api-keys")


def sign_in(page: Page) -> None:
    page.get_by_label("Email").fill("ada@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
