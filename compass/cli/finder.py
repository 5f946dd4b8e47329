"""Finds keys in bytes and files, offline: by their pattern, then by their checksum.

Bytes, not text: a key in a binary or in a file of any encoding is as leaked as one in a script.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from compass.sdk import keys

_START = b"compass_"
_KEY = re.compile(rb"(?=(compass_(?:sa|pat)_[0-9A-Za-z]{46}))")
# UTF-16, in either order: what PowerShell's `>` writes.
_WIDE_START = b"\0".join(bytes([byte]) for byte in _START)
_WIDE_KEY = re.compile(
    rb"(?=(" + _WIDE_START + rb"\0(?:s\0a|p\0a\0t)\0_(?:\0[0-9A-Za-z]){46}))"
)  # fmt: skip
_LONGEST = 2 * len("compass_pat_") + 2 * 46

ALLOWED = b"compass-scan: allow"

_BLOCK = 1024 * 1024
_REPOSITORY = "160000"


@dataclass(frozen=True)
class Finding:
    """Where a key is; line 0 is the name itself. `hint` is what may be shown of the key."""

    # Without the keys that are part of it.
    path: str
    line: int
    hint: str


class NotARepository(Exception):  # noqa: N818 (what git says)
    """`--staged` outside of a repository, or without git."""


def keys_in(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """(line, key) of each key with a right checksum. Reads block by block."""
    line, rest, more = 1, b"", True
    while more:
        block = file.read(_BLOCK)
        more = len(block) == _BLOCK
        data = rest + block
        # What begins nearer to the end than a key is long may go on in the next block.
        end = len(data) - _LONGEST if more else len(data)
        seen = 0
        for start, key in _found(data):
            if start < end and not _is_allowed(data, start):
                line += data.count(b"\n", seen, start)
                seen = start
                yield line, key
        if more:
            line += data.count(b"\n", seen, end)
        rest = data[end:]


def _is_allowed(data: bytes, start: int) -> bool:
    """Whether its line says that it opens nothing, as those in tests and guides do."""
    end = data.find(b"\n", start)
    return ALLOWED in data[data.rfind(b"\n", 0, start) + 1 : end if end >= 0 else len(data)]


def _found(data: bytes) -> Iterable[tuple[int, str]]:
    found = []
    # Looking for the start alone is several times as fast, and nearly all files have none.
    if _START in data:
        found += [(match.start(), match.group(1)) for match in _KEY.finditer(data)]
    if _WIDE_START in data:
        wide = _WIDE_KEY.finditer(data)
        found += [(match.start(), match.group(1).replace(b"\0", b"")) for match in wide]
    decoded = [(start, key.decode("ascii")) for start, key in sorted(found)]
    return [(start, key) for start, key in decoded if keys.complaint(key) is None]


class Scan:
    """Counts what it reads, and keeps what it could not read, while it yields what it finds."""

    def __init__(self) -> None:
        self.files = 0
        self._unreadable: list[str] = []
        self._named: set[str] = set()

    @property
    def unreadable(self) -> list[str]:
        return [keys.mask(path) for path in self._unreadable]

    def tree(self, path: str) -> Iterator[Finding]:
        """A file, or all files below a folder. No link is followed but one that is given."""
        if Path(path).is_dir():
            for file in self._below(path):
                yield from self._file(file)
        else:
            yield from self._file(path, follow=True)

    def stream(self, name: str, file: BinaryIO) -> Iterator[Finding]:
        self.files += 1
        for line, key in keys_in(file):
            yield Finding(keys.mask(name), line, keys.hint(key))

    def staged(self, paths: Iterable[str] = ()) -> Iterator[Finding]:
        """What the next commit would have, as git has it: not what lies in the folder."""
        for path, blob in _staged_blobs(paths):
            yield from self._names(path)
            yield from self.stream(path, BytesIO(blob))

    def _names(self, path: str) -> Iterator[Finding]:
        """Keys in the names of a file and the folders it is in, those of a folder once."""
        data = os.fsencode(path)
        for start, key in _found(data):
            end = data.find(b"/", start)
            named = os.fsdecode(data if end < 0 else data[:end])
            if (found := f"{named}/{start}") not in self._named:
                self._named.add(found)
                yield Finding(keys.mask(named), 0, keys.hint(key))

    def _file(self, path: str, follow: bool = False) -> Iterator[Finding]:
        yield from self._names(path)
        # Opened first and asked then, so that it is the same file; pipes are not waited for.
        flags = 0 if follow else getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            with open(path, "rb", opener=lambda path, mode: os.open(path, mode | flags)) as file:
                if follow or S_ISREG(os.fstat(file.fileno()).st_mode):
                    yield from self.stream(path, file)
        except OSError:
            self._unreadable.append(path)

    def _below(self, folder: str) -> Iterator[str]:
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                self._unreadable.append(folder)
                continue
            below = [each.path for each in entries if _is_folder(each) and each.name != ".git"]
            waiting += reversed(below)
            yield from (each.path for each in entries if _is_file(each))


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def _staged_blobs(paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """(path, content) of each file that the next commit adds or changes."""
    # Outside of a repository `git diff` is another command, and prints its usage.
    _git("rev-parse", "--is-inside-work-tree")
    listed = _git(
        "diff", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", "--diff-filter=ACMT",
        "--", *paths,
    ).split(b"\0")  # fmt: skip
    blobs: list[tuple[str, str]] = []
    for about, path in zip(listed[::2], listed[1::2], strict=False):
        _, mode, _, blob, _ = about.decode("ascii").split(" ")
        if mode != _REPOSITORY:
            blobs.append((os.fsdecode(path), blob))
    with _running("cat-file", "--batch") as git:
        assert git.stdin is not None and git.stdout is not None  # noqa: S101, PT018 (mypy)
        for name, blob in blobs:
            git.stdin.write(blob.encode("ascii") + b"\n")
            git.stdin.flush()
            size = int(git.stdout.readline().split(b" ")[2])
            yield name, git.stdout.read(size + 1)[:-1]
        git.stdin.close()


def _git(*arguments: str) -> bytes:
    with _running(*arguments) as git:
        answer, complaint = git.communicate()
    if git.returncode:
        said = complaint.decode(errors="replace").strip().splitlines() or ["it gave no reason."]
        # Of what it says, the reason is marked; advice and its usage may follow.
        reason = next((line for line in said if line.startswith("fatal: ")), said[-1])
        if "not a git repository" in reason:
            reason = "there is no repository here. Go to one, or name files without --staged."
        raise NotARepository(f"git can't tell what is staged: {reason.removeprefix('fatal: ')}")
    return answer


def _running(*arguments: str) -> "subprocess.Popen[bytes]":
    command, pipe = ["git", "--literal-pathspecs", *arguments], subprocess.PIPE
    try:
        english = os.environ | {"LC_ALL": "C"}
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=english)  # noqa: S603
    except FileNotFoundError:
        raise NotARepository("--staged needs git, which is not installed.") from None
