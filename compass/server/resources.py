"""Where templates, static files, migrations and docs are: in the package, or in the checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parent.parent


def folder(name: str) -> Path:
    packed = _PACKAGE / name
    return packed if packed.is_dir() else _CHECKOUT / name
