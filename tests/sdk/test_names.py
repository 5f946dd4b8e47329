"""The package's public names, what loads with them, and how they are typed."""

import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import compass
from compass.sdk import client, errors, session, shapes

ROOT = Path(__file__).parent.parent.parent

USER_CODE = """
from collections.abc import AsyncIterator, Iterator
from typing import assert_type

import compass
from compass import AsyncCompass, Compass, CompassError, Connection, Invalid, Key, Me
from compass import Rotated, Run, RunEvent, Workflow


def work() -> None:
    with Compass(timeout=5, max_retries=1) as client:
        assert_type(client.me(), Me)
        assert_type(client.keys.list(), Iterator[Key])
        assert_type(client.keys.revoke("key_1"), Key)
        assert_type(client.keys.rotate_self(overlap_hours=2), Rotated)
        made = client.connections.create("a", "http", {"base_url": "https://x"}, {"auth": "none"})
        assert_type(made, Connection)
        assert_type(client.workflows.replace("wfl_1", "name", [], output={"a": 1}), Workflow)
        run = client.runs.create("nightly-report", {"day": "2026-11-01"}, idempotency_key="1")
        assert_type(run, Run)
        assert_type(run.workflow.version, int)
        count: int = run.output["count"]
        assert_type(client.runs.list(status="failed", workflow="nightly-report"), Iterator[Run])
        for event in client.runs.follow(run.id):
            assert_type(event, RunEvent)
            print(event.seq + count, event.time.isoformat(), event.step or "")
        if run.error is not None:
            print(run.error.code)
    try:
        Compass().runs.wait("run_1", timeout=10).finished_at
    except compass.NotFound as error:
        print(error.status, error.request_id)
    except Invalid as error:
        print(error.errors["/input"][0])
    except CompassError:
        raise


async def work_awaited() -> None:
    async with AsyncCompass("key", base_url="https://x") as client:
        assert_type(await client.me(), Me)
        assert_type(await client.runs.create("nightly-report"), Run)
        assert_type(await client.runs.wait("run_1"), Run)
        assert_type(client.connections.list(), AsyncIterator[Connection])
        async for event in client.runs.follow("run_1"):
            assert_type(event, RunEvent)
"""

# Each is one mistake, and what mypy says of it.
MISTAKES = [
    ('Compass().runs.creat("x")', '"create"?'),
    ("Compass().runs.create(1)", "incompatible type"),
    ('Compass().runs.create("x", inputs={})', "Unexpected keyword"),
    ('Compass().runs.create("x").outputs', '"output"?'),
    ('Compass().runs.list(status="done")', "incompatible type"),
    ("Compass().me().user.name", '"None" of "Person | None"'),
    ('Compass().me().role = "admin"', "read-only"),
    ('Compass(api_kye="x")', "Unexpected keyword"),
    ('AsyncCompass().runs.create("x").output', "await"),
    ("for _ in AsyncCompass().keys.list(): pass", "__iter__"),
    ('Compass().connections.create("a", "ftp", {}, {})', "incompatible type"),
]


def mypy(code: str, folder: Path) -> str:
    """What a user's mypy says of this code, strict. What it learns of httpx is kept."""
    (folder / "user_code.py").write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir=../mypy", "--config-file="]
    result = subprocess.run(
        [*command, "user_code.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert not result.stderr
    return result.stdout


def test_users_code_is_typed_to_the_member(tmp_path: Path) -> None:
    assert mypy(USER_CODE, tmp_path).startswith("Success")


def test_users_mistakes_are_found(tmp_path: Path) -> None:
    lines = ["from compass import AsyncCompass, Compass", *(code for code, _ in MISTAKES)]
    found = mypy("\n".join(lines), tmp_path)
    for number, (code, words) in enumerate(MISTAKES, 2):
        told = [line for line in found.splitlines() if line.startswith(f"user_code.py:{number}:")]
        assert words in "\n".join(told), (code, told)


def test_each_public_name_is_what_it_says() -> None:
    homes = (client, errors, session, shapes)
    for name in compass.__all__:
        assert getattr(compass, name).__name__ == name
        assert any(name in vars(home) for home in homes)
    assert set(compass.__all__) <= set(dir(compass))
    assert compass.__all__ == sorted(compass.__all__)


def test_every_error_is_public() -> None:
    kinds = {each for each in vars(errors).values() if isinstance(each, type)}
    raised = {each.__name__ for each in kinds if issubclass(each, errors.CompassError)}
    assert raised <= set(compass.__all__)


def test_what_is_no_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Compas'"):
        compass.Compas  # noqa: B018
    with pytest.raises(ImportError):
        from compass import Compas  # noqa: F401


def test_each_call_keeps_its_name_words_and_parameters() -> None:
    """For help(), and for people at a prompt."""
    with compass.Compass("compass_sa_00000000000000000000000000000000000000004OSWh2") as each:
        for group in (each.keys, each.connections, each.workflows, each.runs):
            for name in (name for name in vars(type(group)) if not name.startswith("_")):
                assert getattr(group, name).__name__ == name
                assert getattr(group, name).__doc__, name
                assert getattr(type(group), name).__doc__, name
        parameters = inspect.signature(each.runs.wait)
        assert (
            str(parameters)
            == "(run_id: str, timeout: float | None = None, *, patience: float = 120.0)"
        )


def loaded_by(code: str) -> set[str]:
    code += "\nimport sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_the_package_loads_no_more_than_it_must() -> None:
    """`import compass` is what both commands wait for before they can do anything."""
    assert {name for name in loaded_by("import compass") if name.startswith("compass")} == {
        "compass"
    }
    loaded = loaded_by("from compass import Compass, NotFound, Run")
    assert not loaded & {"flask", "sqlalchemy", "compass.server", "httpx", "asyncio", "click"}


def test_a_client_loads_httpx_and_nothing_of_the_server() -> None:
    key = "compass_sa_00000000000000000000000000000000000000004OSWh2"
    loaded = loaded_by(f"from compass import Compass; Compass({key!r}).close()")
    assert "httpx" in loaded
    assert not loaded & {"flask", "sqlalchemy", "compass.server", "marshmallow"}


def test_it_is_installed_with_httpx_click_and_rich_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split("[<>=]", each)[0] for each in project["dependencies"]]
    assert names == ["click", "httpx", "rich"]
