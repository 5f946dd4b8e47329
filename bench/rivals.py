"""What answers `GET /v1/me`: Compass, and what it is measured against."""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
import httpx

from bench import data, servers
from bench.load import Target
from tests.servers import clean_environment

FEW_KEYS = 1000


@dataclass(frozen=True)
class Field:
    """Where they come up; each stays up until `stack` ends. `body` is what Compass answers."""

    folder: Path
    stack: ExitStack
    few: data.Database
    body: str

    def bare(self) -> Target:
        url = servers.other("bench.bare:app", BENCH_BODY=self.body)
        return self._target("Bare Flask", self.stack.enter_context(url), self.few.headers)

    def many(self, keys: int) -> Target:
        return compass(self.stack, data.make(self.folder / "many", keys), keys)

    def knox(self) -> Target:
        return self._django("django-rest-knox", "knox_app")

    def api_key(self) -> Target:
        return self._django("djangorestframework-api-key", "apikey_app")

    def _django(self, name: str, module: str) -> Target:
        """Its own keys, made by its own means in a database of its own."""
        settings = {
            "BENCH_BODY": self.body,
            "BENCH_DATABASE": str(self.folder / f"{module}.sqlite3"),
        }
        headers = self.folder / f"{module}.headers"
        with headers.open("w") as file:
            command = [sys.executable, "-m", f"bench.{module}"]
            environment = clean_environment(**settings)
            subprocess.run(command, env=environment, stdout=file, check=True)
        server = servers.other(f"bench.{module}:application", **settings)
        return self._target(name, self.stack.enter_context(server), headers)

    def _target(self, name: str, url: str, headers: Path) -> Target:
        """Refuses one that answers something else than Compass."""
        target = Target(name, f"{url}/v1/me", headers)
        if json.loads(answer(target)) != json.loads(self.body):
            raise click.ClickException(f"{name} does not answer what Compass answers")
        return target


def compass(stack: ExitStack, database: data.Database, keys: int) -> Target:
    url = stack.enter_context(servers.compass(database.home))
    return Target(f"Compass, {keys:,} keys", f"{url}/v1/me", database.headers)


def answer(target: Target) -> str:
    """With the first of its keys. Raises for anything but 200."""
    with target.headers.open() as lines:
        header = next(lines).strip()
    response = httpx.get(target.url, headers={"Authorization": header})
    return response.raise_for_status().text
