"""The guide to the library says nothing that isn't so."""

import inspect
import re
from pathlib import Path
from textwrap import dedent

from compass import Compass
from compass.sdk import errors
from tests.sdk.test_keys import KEY
from tests.sdk.test_names import ROOT, mypy

GUIDE = (ROOT / "docs/sdk.md").read_text(encoding="utf-8")


def test_its_code_is_typed_well(tmp_path: Path) -> None:
    """All of it, one piece after the other, as somebody would type it in."""
    pieces = re.findall(r"^( *)```python\n(.*?)^\1```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert len(pieces) >= 9
    code = "\n".join(dedent(code) for _, code in pieces)
    found = mypy(code, tmp_path)
    assert found.startswith("Success"), found


def test_every_error_is_in_it() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE))
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    assert named == {each.__name__ for each in kinds if issubclass(each, errors.CompassError)}


def test_every_call_is_in_it() -> None:
    with Compass(KEY) as client:
        for group in ("keys", "connections", "workflows", "runs"):
            rows = re.findall(rf"^\| `client\.{group}\..*", GUIDE, re.MULTILINE)
            for name in (n for n in vars(type(getattr(client, group))) if not n.startswith("_")):
                assert f".{name}(" in " ".join(rows), (group, name)
        parameters = inspect.signature(type(client)).parameters
    assert set(parameters) == {"api_key", "base_url", "timeout", "max_retries", "transport"}
    for name in [*parameters, "KeyExpires"]:
        assert name in GUIDE, name
