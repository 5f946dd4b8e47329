"""`compass scan`: finds what leaked, tells where, and does not leak it once more."""

import os
import subprocess
from pathlib import Path

import pytest

from compass.cli import finder
from compass.server.core import tokens
from tests.cli.conftest import Cli

# Put together here: written out, they would be found in this very file.
KEY = "compass_sa_" + "zZyYxXwWvVuUtTsSrRqQpPoOnNmMlLkKjJiIhHgG" + "4ZTAvR"
TOKEN = "compass_pat_" + "0123456789ABCDEFGHIJabcdefghijKLMNOPQRST" + "4Fqx5K"
MISTYPED = KEY[:-1] + ("0" if KEY[-1] != "0" else "1")


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    command = ["git", *identity, *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_it_says_where_and_shows_the_hint(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "code"
    (folder / "deep/down").mkdir(parents=True)
    (folder / "deep/down/.env").write_text(f"# ours\nCOMPASS_API_KEY={KEY}\n")
    (folder / "clean.py").write_text("print('hello')\n")
    found = cli("scan", str(folder))
    assert found.code == 1
    assert found.out == f"{folder}/deep/down/.env:2: {tokens.hint(KEY)}\n"
    assert "Found 1 key in 2 files." in found.err


def test_a_clean_tree_is_a_zero(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(MISTYPED)
    found = cli("scan", str(tmp_path / "code.py"))
    assert (found.code, found.out, found.err) == (0, "", "No keys in 1 file.\n")


@pytest.mark.parametrize(
    "content",
    [
        f"x\\n{KEY}".encode(),
        f"https://x/?k%3D{KEY}".encode(),
        f"'{KEY}x'".encode(),
        f"{KEY}{TOKEN}".encode(),
        b"\x00\xff\xfe" + KEY.encode() + b"\x00",
        f"key = {TOKEN}\r\n".encode("utf-16"),
        KEY.encode("utf-16-be"),
        b"compass_sa_" + KEY.encode(),
        f"compass_sa_{'a' * 39}{KEY}".encode(),
    ],
)
def test_a_key_is_found_in_whatever_it_is_in(cli: Cli, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert cli("scan", str(tmp_path / "file")).code == 1


@pytest.mark.parametrize("content", ["", MISTYPED, KEY[:-1], KEY.upper(), f"compass_xx_{KEY[11:]}"])
def test_what_is_no_key_is_none(cli: Cli, tmp_path: Path, content: str) -> None:
    (tmp_path / "file").write_text(content)
    assert cli("scan", str(tmp_path / "file")).code == 0


@pytest.mark.parametrize("distance", [*range(-120, 3), 57, 58, 100, 101])
def test_a_key_over_the_edge_of_a_block_is_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, distance: int
) -> None:
    block = 512
    monkeypatch.setattr(finder, "_BLOCK", block)
    for encoding in ("utf-8", "utf-16-le"):
        start = (block + distance) // 2 * 2
        before = b"\n" * start
        (tmp_path / "file").write_bytes(before + KEY.encode(encoding) + b"\n" * 600)
        with (tmp_path / "file").open("rb") as file:
            assert list(finder.keys_in(file)) == [(start + 1, KEY)], (encoding, distance)


def test_a_file_as_long_as_its_blocks_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "_BLOCK", 512)
    (tmp_path / "file").write_bytes(KEY.encode().rjust(1024, b"\n"))
    with (tmp_path / "file").open("rb") as file:
        assert [key for _, key in finder.keys_in(file)] == [KEY]


def test_a_line_may_say_that_it_opens_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(f"a = '{KEY}'  # compass-scan: allow\nb = '{TOKEN}'\n")
    assert cli("scan", str(tmp_path / "file")).out == f"{tmp_path}/file:2: {tokens.hint(TOKEN)}\n"


def test_links_are_not_followed_and_git_is_left_out(cli: Cli, tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "code"
    for made in (outside, folder / ".git"):
        made.mkdir(parents=True)
        (made / "key").write_text(KEY)
    (folder / "link").symlink_to(outside)
    (folder / "file").symlink_to(outside / "key")
    (folder / "around").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    found = cli("scan", str(folder))
    assert (found.code, found.err) == (0, "No keys in 0 files.\n")
    assert cli("scan", str(folder / "file")).code == 1, "one that is named is looked at"


def test_standard_input(cli: Cli) -> None:
    found = cli("scan", "-", input=f"+{KEY}\n")
    assert (found.code, found.out) == (1, f"standard input:1: {tokens.hint(KEY)}\n")


def test_json_is_one_object(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(KEY)
    found = cli("scan", "--json", str(tmp_path / "file"))
    assert found.json == {
        "findings": [{"path": f"{tmp_path}/file", "line": 1, "hint": tokens.hint(KEY)}],
        "files": 1,
        "unreadable": [],
    }


def test_what_can_not_be_read_is_told(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    found = cli("scan", str(tmp_path / "link"))
    assert (found.code, "can't be read" in found.err) == (8, True)


def test_a_name_can_not_move_the_cursor(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a\x1b[2J\nb\u202e").write_text(KEY)
    out = cli("scan", str(folder)).out
    assert out.count("\n") == 1
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_a_key_in_a_name_is_found_and_not_shown(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    folder = tmp_path / f"backup-{KEY}"
    folder.mkdir()
    for name in ("a", "b", f"{TOKEN}.txt"):
        (folder / name).write_text("nothing")
    (folder / "c").symlink_to("nowhere")
    (folder / "d").write_text(KEY)
    shown = f"backup-{tokens.hint(KEY)}"
    told = [f"{shown}: it is in the name", f"{shown}/{tokens.hint(TOKEN)}.txt: it is in the name",
            f"{shown}/d:1: {tokens.hint(KEY)}"]  # fmt: skip
    for call in (".", str(folder), "--staged"):
        git(tmp_path, "add", ".")
        found = cli("scan", call)
        assert found.code == 1
        lines = [line[line.index("backup-") :] for line in found.out.splitlines()]
        assert sorted(lines) == sorted(told), call
        in_json = cli("scan", "--json", call).json["findings"]
        assert sorted(each["line"] for each in in_json) == [0, 0, 1]
    link = cli("scan", str(folder / "c"))
    assert f"{shown}/c can't be read" in link.err
    assert cli("scan", "--json", str(folder / "c")).json["unreadable"]


def test_nothing_to_look_at_is_a_usage_error(cli: Cli, tmp_path: Path) -> None:
    assert cli("scan").code == 2
    missing = cli("scan", str(tmp_path / "missing"))
    assert (missing.code, "There is no" in missing.err) == (2, True)


def test_staged_is_what_git_would_commit(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what lies in the folder, nor what was committed before."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    (tmp_path / "old").write_text(KEY)
    (tmp_path / "mended").write_text(KEY)
    git(tmp_path, "add", ".")
    first = cli("scan", "--staged")
    assert first.code == 1, "before the first commit, too"
    assert len(first.out.splitlines()) == 2
    git(tmp_path, "commit", "-q", "-m", "Before")
    (tmp_path / "unstaged").write_text(KEY)
    (tmp_path / "mended").write_text("clean now")
    (tmp_path / "new name é\n").write_text(f"\n\n{TOKEN}")
    git(tmp_path, "rm", "-q", "--cached", "old")
    git(tmp_path, "add", "mended", "new name é\n")
    (tmp_path / "new name é\n").write_text("taken out, but not staged")
    found = cli("scan", "--staged")
    assert (found.code, found.out) == (1, f"new name é\ufffd:3: {tokens.hint(TOKEN)}\n")
    assert cli("scan", "--staged", "mended").code == 0


def test_as_a_hook_it_stops_the_commit(cli: Cli, tmp_path: Path) -> None:
    from tests.cli.conftest import COMMAND

    git(tmp_path, "init", "-q")
    hook = tmp_path / ".git/hooks/pre-commit"
    hook.write_text(f"#!/bin/sh\nexec {COMMAND} scan --staged\n")
    hook.chmod(0o755)
    (tmp_path / "file").write_text(KEY)
    git(tmp_path, "add", ".")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        git(tmp_path, "commit", "-q", "-m", "Leak")
    assert tokens.hint(KEY).encode() in refused.value.stderr + refused.value.stdout
    (tmp_path / "file").write_text("mended")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "Clean")


def test_staged_needs_a_repository(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = cli("scan", "--staged")
    assert refused.code == 2
    assert "Error: git can't tell what is staged: there is no repository here." in refused.err
    assert "usage: git" not in refused.err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "needs git" in cli("scan", "--staged").err
