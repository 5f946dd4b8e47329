"""The command is there at once: without the server, and without what it does not need yet."""

import subprocess
import sys

from tests.cli.conftest import Cli

HEAVY = {"httpx", "rich", "flask", "sqlalchemy", "compass.server", "asyncio"}


def test_help_loads_neither_httpx_nor_rich() -> None:
    code = (
        "import sys; from compass.cli.app import compass\n"
        "try: compass(['--help'], prog_name='compass')\n"
        f"finally: print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_completion_knows_commands_options_and_names(cli: Cli, admin: str) -> None:
    def completes(line: str) -> set[str]:
        words = line.split(" ")
        done = cli.process(
            _COMPASS_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1)
        )
        assert done.code == 0
        return {each.partition(",")[2] for each in done.out.splitlines()}

    assert {"login", "run", "runs"} <= completes("compass ")
    assert completes("compass runs li") == {"list"}
    assert {"--follow", "--json"} <= completes("compass run --")
    workflow = '{"name": "nightly-report", "steps": [{"name": "a", "connection": "chat", '
    cli("connections", "create", "chat", "--kind", "http", "--config", "base_url=https://x.example",
        "--credentials-file", "-", input='{"auth": "none"}')  # fmt: skip
    made = cli("workflows", "apply", "-", input=workflow + '"method": "GET", "path": "/"}]}')
    assert made.code == 0, made.err
    assert completes("compass run ni") == {"nightly-report"}
    assert completes("compass connections get c") == {"chat"}


def test_completion_is_silent_where_names_can_not_be_had(cli: Cli) -> None:
    done = cli.process(
        _COMPASS_COMPLETE="bash_complete",
        COMP_WORDS="compass run ",
        COMP_CWORD="2",
        COMPASS_BASE_URL="http://127.0.0.1:1",
    )
    assert (done.out.strip(), done.err) == ("", "")


def test_each_shell_gets_its_script(cli: Cli) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_COMPASS_COMPLETE" in cli("completion", shell).out
