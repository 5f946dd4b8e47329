"""The wheel: built from the checkout, installed into an empty environment, run in an empty
folder."""

import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.servers import clean_environment, serving
from tests.test_serve import create, set_up

ROOT = Path(__file__).parent.parent
PIP = ["-m", "pip", "--quiet", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with nothing but the wheel and its server extra."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    lock = ROOT / "requirements.lock"
    python = str(folder / "bin/python")
    install = [*PIP, "install", "--constraint", str(lock), f"{wheel}[server]"]
    subprocess.run([python, *install], check=True)
    return folder / "bin"


def test_it_packs_what_the_server_needs_and_nothing_else(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    for name in (
        "templates/base.html",
        "templates/keys/_row.html",
        "static/app.css",
        "static/vendor/htmx.min.js",
        "static/vendor/bootstrap.min.css",
        "migrations/env.py",
        "migrations/alembic.ini",
        "migrations/versions/0001_users_and_projects.py",
        "docs/authentication.md",
        "docs/sdk.md",
    ):
        assert f"compass/server/{name}" in names, name
    assert "compass/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "app.py"))]
    assert not [name for name in names if "__pycache__" in name]


def test_it_serves_in_an_empty_folder(environment: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    command = [str(environment / "compass-server")]
    with serving(folder / "instance", command=command, cwd=folder) as server:
        secret = create(set_up(server))
        assert server.get("/v1/me", secret).json()["project"]["name"] == "Default"
        assert server.get("/docs/authentication").status_code == 200
        assert {path.name for path in folder.iterdir() if path.suffix != ".log"} == {"instance"}


def test_without_the_extra_there_is_no_server(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=True)
    python = tmp_path / "bare/bin/python"
    lock = ROOT / "requirements.lock"
    subprocess.run([python, *PIP, "install", "--constraint", lock, wheel], check=True)
    result = subprocess.run(
        [tmp_path / "bare/bin/compass-server"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "pip install 'compass-keys[server]'" in result.stderr
    key = "compass_sa_00000000000000000000000000000000000000004OSWh2"
    uses = f"from compass import Compass; Compass({key!r}).close()"
    subprocess.run([python, "-c", uses], check=True)
    command = [str(tmp_path / "bare/bin/compass"), "whoami"]
    asked = subprocess.run(
        command, env=clean_environment(HOME=str(tmp_path)), capture_output=True, check=False
    )
    assert (asked.returncode, asked.stdout) == (3, b"")
    finds = "from importlib.util import find_spec as find; assert not find('flask')"
    subprocess.run([python, "-c", finds], check=True)
