"""`compass-server vault`: the keys that seal the credentials of connections."""

import click

from compass.server.command_line import operator_command
from compass.server.core import vault_rotation
from compass.server.core.access import Operator
from compass.server.core.vault_rotation import Batch
from compass.server.db import transaction


@click.group()
def vault() -> None:
    """The keys that seal the credentials of connections."""


@operator_command(vault, "rotate")
def rotate() -> None:
    """Seal all credentials anew by the newest key; can be stopped and repeated at any time."""
    total, batch = Batch(), Batch(last="")
    while batch.last is not None:
        with transaction():
            batch = vault_rotation.reseal_after(Operator(), batch.last)
        total.resealed += batch.resealed
        total.newest_already += batch.newest_already
        total.unopenable += batch.unopenable
    done, was_done = total.resealed, total.newest_already
    click.echo(f"{done} re-sealed, {was_done} sealed by the newest key already.")
    if total.unopenable:
        named = ", ".join(f"{each.name} ({each.project.name})" for each in total.unopenable)
        raise click.ClickException(
            f"No key of COMPASS_ENCRYPTION_KEYS opens the credentials of {named}. They were left "
            "as they are: add the key that sealed them, or give the credentials again."
        )
