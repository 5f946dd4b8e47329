"""The `compass-server` command, which says how to install the server where it is not."""

import importlib.util
import sys


def main() -> None:
    if importlib.util.find_spec("flask") is None:
        sys.exit(
            "compass-server needs the server extra. Install it: pip install 'compass-keys[server]'"
        )
    from compass.server.commands import cli

    cli(prog_name="compass-server")
