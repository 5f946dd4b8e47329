"""Copies htmx and Bootstrap's CSS out of build requirements into static/vendor.

Nothing of others' lies in git, and the installed product needs neither a CDN nor the
packages that the files come from.
"""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDORED = {
    "htmx.min.js": ("django_htmx", "static/django_htmx/htmx-2.min.js"),
    "bootstrap.min.css": ("flask_bootstrap", "static/bootstrap5/css/bootstrap.min.css"),
}


class CustomBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        vendor = Path(self.root) / "static" / "vendor"
        vendor.mkdir(parents=True, exist_ok=True)
        for name, (package, path) in VENDORED.items():
            spec = importlib.util.find_spec(package)
            if spec is None or spec.origin is None:
                raise RuntimeError(f"{package} is missing from the build requirements")
            source = Path(spec.origin).parent / path
            text = source.read_text(encoding="utf-8")
            # The source map is not shipped: a comment that names it would be a 404.
            kept = [line for line in text.splitlines() if "sourceMappingURL=" not in line]
            (vendor / name).write_text("\n".join(kept) + "\n", encoding="utf-8")
            shutil.copystat(source, vendor / name)
