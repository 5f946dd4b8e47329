"""The page with the keys, as an organization admin sees it who has ten thousand of them."""

import time

import click
import httpx

from bench import browser, data, servers
from bench.rows import name_of
from bench.run import Run, say
from bench.table import Figure, Goal
from compass.server.core.key_list import PAGE_SIZE

KEYS = 10_000
PATH = "/settings/developers/api-keys"
_WARM_UP = 10
# Name, address, and the number of a key that is to be on that page.
_PAGES = (
    ("first page", PATH, KEYS - 1),
    ("last page", f"{PATH}?page={KEYS // PAGE_SIZE}", 0),
    # A hundred names.
    ("search", f"{PATH}?q=pipeline+00001", 199),
)


def measure(run: Run, names: list[str]) -> list[Figure]:
    """Of `page` and `first-visit`, those that are named."""
    say(f"Making a database of {KEYS:,} keys for the page.")
    database = data.make(run.folder / "pages", KEYS, varied=True)
    with servers.compass(database.home) as url, httpx.Client(base_url=url, timeout=30) as client:
        browser.sign_in(client, data.ADMIN, data.PASSWORD)
        figures: list[Figure] = []
        if "page" in names:
            say(f"Measuring {len(_PAGES)} pages, {run.pages} times each.")
            figures += _times(client, run.pages)
        if "first-visit" in names:
            figures.append(_first_visit(client))
    return figures


def _times(client: httpx.Client, count: int) -> list[Figure]:
    """Milliseconds from sending the request to having read the answer, one after the other."""
    values: list[list[float]] = [[] for _ in _PAGES]
    for number in range(_WARM_UP + count):
        for (_, url, key), its in zip(_PAGES, values, strict=True):
            start = time.perf_counter()
            response = client.get(url)
            taken = time.perf_counter() - start
            _check(response, key)
            if number >= _WARM_UP:
                its.append(taken * 1000)
    return [
        Figure(f"API Keys page, {KEYS:,} keys: {name}", "ms", its, Goal(40, below=True))
        for (name, _, _), its in zip(_PAGES, values, strict=True)
    ]


def _check(response: httpx.Response, key: int) -> None:
    if name_of(key) not in response.raise_for_status().text:
        raise click.ClickException(f"{name_of(key)} is not on {response.url}.")


def _first_visit(client: httpx.Client) -> Figure:
    """Bytes of the page and of all that it loads, headers apart, by a client that takes gzip."""
    total, page = browser.transferred(client, PATH)
    waiting, seen = browser.assets_of(page, PATH), set[str]()
    while waiting:
        url = waiting.pop()
        seen.add(url)
        size, text = browser.transferred(client, url)
        total += size
        if url.endswith(".css"):
            waiting |= browser.assets_of_css(text, url) - seen
    name = f"First visit: the page with {PAGE_SIZE} rows and {len(seen)} assets"
    return Figure(name, "bytes", [total], Goal(80_000, below=True))
