"""The house's rules, held here rather than in memory."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import compass

ROOT = Path(__file__).parent.parent
SERVER = "compass.server"

# What each part may import of Compass, besides itself.
MAY_IMPORT = {
    f"{SERVER}.core": {f"{SERVER}.config", f"{SERVER}.db"},
    f"{SERVER}.config": set(),
    f"{SERVER}.db": {f"{SERVER}.config"},
    f"{SERVER}.queue": {f"{SERVER}.config"},
    f"{SERVER}.api": {
        f"{SERVER}.core", f"{SERVER}.config", f"{SERVER}.db", f"{SERVER}.queue",
        f"{SERVER}.requests",
    },
    f"{SERVER}.web": {
        f"{SERVER}.core", f"{SERVER}.config", f"{SERVER}.db", f"{SERVER}.queue",
        f"{SERVER}.requests", f"{SERVER}.resources",
    },
    f"{SERVER}.worker": {
        f"{SERVER}.core", f"{SERVER}.config", f"{SERVER}.db", f"{SERVER}.queue",
        # For its own process, which `serve` starts.
        f"{SERVER}.base", f"{SERVER}.logs",
    },
    "compass.cli": {"compass.sdk"},
    "compass.sdk": set(),
}  # fmt: skip

PUBLIC = {f"compass.{name}" for name in compass.__all__}

KNOWS_NO_HTTP = {"flask_login", "flask_wtf", "wtforms", "flask_smorest", "werkzeug", "htmx_flask"}


def modules(part: str) -> list[Path]:
    path = ROOT / part.replace(".", "/")
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_run_one_way(part: str) -> None:
    for path in modules(part):
        if not path.exists():
            continue
        for imported in imports(path):
            # What the package itself has is the client library's.
            name = "compass.sdk" if imported in PUBLIC else imported
            if not within(name, "compass") or name in {"compass", SERVER}:
                continue
            allowed = {part, *MAY_IMPORT[part]}
            assert any(within(name, each) for each in allowed), f"{path}: {name}"


def test_core_knows_no_http() -> None:
    for path in modules(f"{SERVER}.core"):
        for name in imports(path):
            assert name.split(".")[0] not in KNOWS_NO_HTTP, f"{path}: {name}"
            assert not within(name, "flask"), f"{path}: {name}"


def test_core_does_not_commit() -> None:
    """The caller owns the transaction."""
    for path in modules(f"{SERVER}.core"):
        assert ".commit(" not in path.read_text(encoding="utf-8"), path


def test_importing_compass_loads_neither_flask_nor_sqlalchemy() -> None:
    code = (
        "import sys, compass, compass.server_command;"
        "assert not {'flask', 'sqlalchemy', 'compass.server'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_setting_is_in_the_readme() -> None:
    source = (ROOT / "compass/server/config.py").read_text(encoding="utf-8")
    names = {
        str(node.args[0].value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "read"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }
    assert len(names) >= 11
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in names:
        assert f"`{name}`" in readme, name


def test_migrations_have_readable_names() -> None:
    for path in (ROOT / "migrations/versions").glob("*.py"):
        number, _, words = path.stem.partition("_")
        assert number.isdigit()
        assert len(words) > 3
        assert "def downgrade()" in path.read_text(encoding="utf-8")


def test_there_are_no_files_of_a_thousand_lines() -> None:
    for part in ("compass", "tests", "static", "templates"):
        for path in (ROOT / part).rglob("*.*"):
            if "vendor" in path.parts or path.suffix == ".pyc":
                continue
            assert len(path.read_text(encoding="utf-8").splitlines()) < 500, path
