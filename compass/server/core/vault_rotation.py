"""Sealing all credentials anew, by the newest key: a few at a time, so that it can be stopped after
any of them, and done again from the start with nothing lost."""

from dataclasses import dataclass, field

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from compass.server.config import settings
from compass.server.core import audit, vault
from compass.server.core.access import Operator
from compass.server.core.errors import Conflict
from compass.server.core.models import Connection
from compass.server.db import changed, db

AT_ONCE = 100


@dataclass
class Batch:
    """`last` is the id of the last connection in it, None where there is none left."""

    resealed: int = 0
    newest_already: int = 0
    unopenable: list[Connection] = field(default_factory=list)
    last: str | None = None


def reseal_after(operator: Operator, cursor: str | None) -> Batch:
    """Of the next connections, in the order of their ids. What no key opens is left as it is.

    Raises Conflict where there are no keys.
    """
    if not settings().has_vault_keys:
        # Asking for them would make new ones, which open nothing.
        raise Conflict(
            "There are no encryption keys here. Set COMPASS_ENCRYPTION_KEYS, or put the file "
            "encryption_keys back into COMPASS_HOME."
        )
    query = select(Connection).where(Connection.id > (cursor or "")).order_by(Connection.id)
    next_ones = db.session.scalars(query.options(joinedload(Connection.project)).limit(AT_ONCE))
    batch = Batch()
    for connection in next_ones:
        batch.last = connection.id
        try:
            is_done = _reseal(connection.id, connection.sealed)
        except vault.SealedError:
            batch.unopenable.append(connection)
        else:
            batch.resealed += is_done
            batch.newest_already += not is_done
    if batch.resealed:
        audit.record(operator, "vault.rotated", None, resealed=batch.resealed)
    return batch


def _reseal(connection_id: str, sealed: str | None) -> bool:
    """Whether there was anything to do. Raises SealedError.

    What somebody else stores meanwhile is not written over, but looked at in its turn.
    """
    while sealed is not None and not vault.is_newest(sealed):
        same = update(Connection).where(Connection.id == connection_id, Connection.sealed == sealed)
        if changed(same.values(sealed=vault.reseal(sealed))):
            return True
        sealed = db.session.scalar(select(Connection.sealed).where(Connection.id == connection_id))
    return False
