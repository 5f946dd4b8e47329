"""The audit log, as an organization admin sees it, and the admin of all of a hundred projects."""

import time
from dataclasses import dataclass

import click
import httpx

from bench import browser, data, events, servers
from bench.run import Run, say
from bench.table import Figure, Goal
from compass.server.core.audit_log import PAGE_SIZE
from compass.server.core.clock import now

KEYS = 10_000
PATH = "/settings/organization/audit"
PROJECT_ADMIN = "grace@example.org"
_WARM_UP = 5
_NONE = "No event matches"
_ROW = 'data-label="When"'


@dataclass(frozen=True)
class _Address:
    """A page, and how many events are to be on it."""

    name: str
    query: dict[str, str]
    shown: range = range(PAGE_SIZE, PAGE_SIZE + 1)


_FEW, _NOTHING = range(1, PAGE_SIZE + 1), range(1)


def measure(run: Run) -> list[Figure]:
    home = run.folder / "audit"
    say(f"Making a database of {run.events:,} events.")
    data.make(home, KEYS, varied=True)
    data.add_person(home, PROJECT_ADMIN, "Grace")
    with data.filling(home) as connection:
        made = events.insert(connection, run.events)
        events.make_admin_of_all(connection, PROJECT_ADMIN)
    figures = []
    with servers.compass(home) as url:
        for email, who, deep in (
            (data.ADMIN, "organization admin", made.thousandth),
            (PROJECT_ADMIN, "admin of 100 projects", made.thousandth_of_projects),
        ):
            addresses = _addresses(made, deep, run.events)
            say(f"Measuring {len(addresses)} pages as {who}, {run.pages} times each.")
            with httpx.Client(base_url=url, timeout=30) as client:
                browser.sign_in(client, email, data.PASSWORD)
                times = _times(client, addresses, run.pages)
            start = f"Audit log, {run.events:,} events, {who}"
            figures += [
                Figure(f"{start}: {each.name}", "ms", its, Goal(50, below=True))
                for each, its in zip(addresses, times, strict=True)
            ]
    return figures


def _addresses(made: events.Made, deep: str, count: int) -> list[_Address]:
    """What is `rare` was done at the beginning alone: whoever looks for it from the end on must
    pass by all the rest."""
    person, rare = events.email_of(3), events.RARE
    half = (now() - events.EVERY * count / 2).date().isoformat()
    return [
        _Address("first page", {}),
        _Address("thousandth page", {"before": deep}),
        _Address("by person", {"actor": person}),
        _Address("by action", {"action": "key.revoked"}),
        _Address("by rare action", {"action": rare}),
        _Address("by project", {"project": made.project}),
        _Address("by key", {"key": made.key}),
        _Address("by days", {"since": "2020-01-01", "until": half}),
        _Address("by person and action", {"actor": person, "action": "key.revoked"}),
        _Address("by person and rare action", {"actor": person, "action": rare}, _FEW),
        _Address("by key and action", {"key": made.key, "action": "key.revoked"}, _FEW),
        _Address("by project and person", {"project": made.project, "actor": person}, _FEW),
        _Address("none by two", {"actor": "compass-server", "action": "key.revoked"}, _NOTHING),
        _Address(
            "none by five",
            {
                "actor": person, "action": "key.rotated", "project": made.project,
                "since": "2020-01-01", "until": half,
            },
            _NOTHING,
        ),
    ]  # fmt: skip


def _times(client: httpx.Client, addresses: list[_Address], count: int) -> list[list[float]]:
    """Milliseconds from sending the request to having read the answer, one after the other."""
    values: list[list[float]] = [[] for _ in addresses]
    for number in range(_WARM_UP + count):
        for address, its in zip(addresses, values, strict=True):
            start = time.perf_counter()
            response = client.get(PATH, params=address.query)
            taken = time.perf_counter() - start
            _check(response, address)
            if number >= _WARM_UP:
                its.append(taken * 1000)
    return values


def _check(response: httpx.Response, address: _Address) -> None:
    page = response.raise_for_status().text
    count = page.count(_ROW)
    if count not in address.shown or (_NONE in page) is not (count == 0):
        raise click.ClickException(f"{count} events are on {response.url}.")
