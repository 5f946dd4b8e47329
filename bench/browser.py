"""A browser's side: signing in, and what a page needs besides itself."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

import click
import httpx


def sign_in(client: httpx.Client, email: str, password: str) -> None:
    """Through the form, with its CSRF token."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)
    form = {"csrf_token": found[1] if found else "", "email": email, "password": password}
    response = client.post("/login", data=form)
    if response.status_code != httpx.codes.SEE_OTHER:
        raise click.ClickException(f"Signing in was answered with {response.status_code}.")


def transferred(client: httpx.Client, url: str) -> tuple[int, str]:
    """(bytes as they came, of a body that may be compressed; the body as text)."""
    with client.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as response:
        text = response.raise_for_status().read().decode(errors="replace")
        return response.num_bytes_downloaded, text


def assets_of(page: str, at: str) -> set[str]:
    """Addresses of the stylesheets, scripts and images of the page at that address."""
    parser = _Assets()
    parser.feed(page)
    return {urljoin(at, url) for url in parser.found}


def assets_of_css(css: str, at: str) -> set[str]:
    """Addresses that a stylesheet refers to; what it holds as `data:` is in it already."""
    found = re.findall(r"""url\(\s*["']?(?!["']?data:)([^"')\s]+)""", css)
    return {urljoin(at, url) for url in found if not url.startswith("#")}


class _Assets(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        loads = {"script": "src", "img": "src", "source": "src", "link": "href"}
        kinds = set((given.get("rel") or "").split())
        if tag == "link" and not kinds & {"stylesheet", "icon", "preload", "modulepreload"}:
            return
        if url := given.get(loads.get(tag, "")):
            self.found.add(url)
