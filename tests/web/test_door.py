"""What the browser door promises for every page."""

import re

import pytest
from flask import Flask

from compass.server import create_app
from compass.server.config import Settings
from tests.conftest import dispose
from tests.work import Work
from tests.world import PATH, World

OPEN = {
    "web.show_setup", "web.do_setup", "web.login", "web.do_login", "web.logout",
    "web.set_theme", "web.guide", "asset", "healthz", "readyz",
    "web.show_invitation", "web.accept_invitation", "web.show_reset", "web.reset_password",
}  # fmt: skip


def rules(app: Flask) -> list[tuple[str, str, str]]:
    """(method, path, endpoint) of everything but /v1."""
    return [
        (method, rule.rule, rule.endpoint)
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith("/v1")
        for method in sorted((rule.methods or set()) & {"GET", "POST"})
    ]


def fill(path: str, key_id: str) -> str:
    return re.sub(r"<(?:path:)?name>", "authentication", path.replace("<key_id>", key_id))


def test_every_page_needs_a_sign_in_unless_it_is_listed_here(world: World) -> None:
    for method, path, endpoint in rules(world.app):
        if endpoint in OPEN:
            continue
        response = world.browser().client.open(fill(path, "key_1"), method=method)
        assert response.status_code == 302, path
        assert response.headers["Location"].startswith("/login"), path


def test_every_form_needs_its_csrf_token(world: World) -> None:
    _, key_id = world.key()
    browser = world.browser("alice")
    posts = {path for method, path, _ in rules(world.app) if method == "POST"}
    # Setup is gone here; its own test is in test_setup.py.
    posts.remove("/setup")
    assert len(posts) >= 8
    for path in posts:
        for token in (None, "forged"):
            data = {"csrf_token": token} if token else {}
            response = browser.client.post(fill(path, key_id), data=data)
            assert response.status_code == 400, path
    assert world.stored(key_id).revoked_at is None


def test_every_form_on_every_page_carries_it(world: World) -> None:
    _, key_id = world.key()
    browser = world.browser("alice")
    pages = [PATH, f"{PATH}/new", f"{PATH}/{key_id}", f"{PATH}/{key_id}/revoke", "/account"]
    for path in pages:
        for form in re.findall(r"<form.*?</form>", browser.get(path).text, re.DOTALL):
            if 'method="post"' in form:
                assert 'name="csrf_token"' in form, (path, form[:200])


def test_headers_of_every_page(world: World) -> None:
    browser = world.browser("alice")
    for path in (PATH, "/account", "/login", "/nowhere", "/docs/authentication"):
        headers = browser.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        for part in ("default-src 'none'", "img-src 'self' data:", "frame-ancestors 'none'"):
            assert part in policy
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "HX-Request" in headers["Vary"]


def test_no_page_has_inline_script_style_or_handlers(world: World) -> None:
    _, key_id = world.key()
    browser = world.browser("alice")
    for path in (PATH, f"{PATH}/new", f"{PATH}/{key_id}", f"{PATH}/{key_id}/revoke", "/account"):
        page = browser.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on", page)


@pytest.mark.parametrize(
    ("public_url", "secure"), [(None, False), ("https://c.example", True), ("http://c", False)]
)
def test_cookies(settings: Settings, public_url: str | None, secure: bool) -> None:
    from dataclasses import replace

    app = create_app(replace(settings, public_url=public_url))
    world = World(app)
    browser = world.browser()
    base = public_url or "http://localhost"
    page = browser.client.get("/login", base_url=base)
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"email": "alice@example.org", "password": "correct horse battery staple"}
    response = browser.client.post(
        "/login", data=form | {"csrf_token": token}, base_url=base, headers={"Referer": f"{base}/"}
    )
    assert response.status_code == 303
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert ("Secure" in cookie) is secure
    dispose(app)


def test_assets_are_named_by_digest_compressed_and_immutable(world: World) -> None:
    page = world.browser().get("/login").text
    urls = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)
    assert len(set(urls)) == 5
    total = 0
    for url in set(urls):
        assert re.search(r"\.[0-9a-f]{12}\.(css|js|svg)$", url)
        response = world.app.test_client().get(url, headers={"Accept-Encoding": "gzip"})
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.headers["Content-Encoding"] == "gzip"
        total += len(response.data)
        plain = world.app.test_client().get(url)
        assert "Content-Encoding" not in plain.headers
    assert total + len(page) < 80 * 1024
    assert world.app.test_client().get("/assets/app.000000000000.css").status_code == 404
    assert world.app.test_client().get("/assets/../app.py").status_code == 404


@pytest.mark.parametrize(
    ("path", "method", "status", "words"),
    [
        ("/nowhere", "GET", 404, "There is nothing at this address"),
        (f"{PATH}/key_unknown", "GET", 404, "There is no such key"),
        (PATH, "DELETE", 405, "not in this way"),
    ],
)
def test_errors_are_pages_in_the_same_look(
    world: World, path: str, method: str, status: int, words: str
) -> None:
    response = world.browser("alice").client.open(path, method=method)
    assert response.status_code == status
    assert words in response.text
    assert "Back to Compass" in response.text
    assert "app." in response.text


def test_a_form_too_large_is_said_so(world: World) -> None:
    response = world.browser("alice").post(PATH, {"name": "x" * 2_000_000})
    assert response.status_code == 413
    assert "more than a form may hold" in response.text


def test_a_crash_is_a_page_with_a_number(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from compass.server.core import key_list

    browser = world.browser("alice")
    monkeypatch.setattr(key_list, "page", None)
    response = browser.get(PATH)
    assert response.status_code == 500
    number = response.headers["X-Request-Id"]
    assert number in response.text
    assert number in caplog.text


def test_the_start_page_leads_to_the_keys_until_there_is_a_run(world: World) -> None:
    browser = world.signed_in("bob")
    assert browser.get("/").headers["Location"] == PATH
    work = Work(world)
    work.write()
    work.start()
    assert browser.get("/").headers["Location"] == f"/projects/{world.project}/runs"
    # Who is in no project, and who was in another one last.
    assert world.signed_in("charlie").get("/").headers["Location"] == PATH
    other = world.add_project("Other")
    world.set_role("bob", "member", "Other")
    browser.get(f"/projects/{other}/settings/general")
    assert browser.get("/").headers["Location"] == PATH


def test_the_theme_is_remembered_and_only_known_ones_are(world: World) -> None:
    browser = world.browser("alice")
    assert 'data-theme="system"' in browser.get(PATH).text
    here = f"{PATH}?status=active"
    response = browser.post(
        "/theme", {"theme": "dark"}, headers={"Referer": f"http://localhost{here}"}
    )
    assert response.headers["Location"] == here
    for referer in ("http://evil.example/x", "http://[", ""):
        response = browser.post("/theme", {"theme": "dark"}, headers={"Referer": referer})
        assert response.headers["Location"] == "/"
    assert 'data-theme="dark"' in browser.get(PATH).text
    browser.post("/theme", {"theme": '"><script>'})
    assert 'data-theme="dark"' in browser.get(PATH).text
    browser.post("/theme", {"theme": "system"})
    assert 'data-theme="system"' in browser.get(PATH).text


def test_the_guide_is_readable_without_a_sign_in_and_no_other_file_is(world: World) -> None:
    page = world.browser().get("/docs/authentication")
    assert page.status_code == 200
    assert "<h1>" in page.text
    for name in ("nothing", "..%2fREADME", "../README", "authentication.md"):
        assert world.browser().get(f"/docs/{name}").status_code == 404


def test_the_address_behind_a_proxy_is_believed_only_where_it_is_trusted(
    settings: Settings,
) -> None:
    from dataclasses import replace

    world = World(create_app(settings))
    for trusted, address in ((0, "127.0.0.1"), (1, "203.0.113.9")):
        app = create_app(replace(settings, trusted_proxies=trusted))
        client = app.test_client()
        secret, key_id = world.key(f"Behind {trusted}")
        headers = {"Authorization": f"Bearer {secret}", "X-Forwarded-For": "1.1.1.1, 203.0.113.9"}
        client.get("/v1/me", headers=headers)
        used = world.stored(key_id).last_use
        assert used is not None
        assert used.last_used_address == address
        dispose(app)
    dispose(world.app)
