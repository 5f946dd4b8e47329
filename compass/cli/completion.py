"""`compass completion`: the script that teaches a shell to complete the command."""

import click
from click.shell_completion import ShellComplete, get_completion_class

from compass.cli.command import Command


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script for the Tab key.

    It completes commands, options, and names of workflows and connections.

    \b
      bash   eval "$(compass completion bash)"          in ~/.bashrc
      zsh    eval "$(compass completion zsh)"           in ~/.zshrc
      fish   compass completion fish | source           in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 (for the type checker)
    root = click.get_current_context().find_root().command
    # Not `kind.source`, which for bash first starts bash to ask for its version.
    click.echo(ShellComplete.source(kind(root, {}, "compass", "_COMPASS_COMPLETE")))
