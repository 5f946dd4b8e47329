"""What lists and names have in common, whatever they are of."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.exc import IntegrityError

from compass.server.core.errors import Refusal
from compass.server.db import db, is_duplicate

Row = TypeVar("Row")


@contextmanager
def unique(otherwise: Refusal) -> Iterator[None]:
    """Lets a unique index decide: of two at once one wins, and the other raises `otherwise`.

    That is put into words before: after a failure nothing more can be read.
    """
    try:
        yield
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        raise otherwise from None


def after(
    query: Select[Row], column: Any, cursor: str | None, limit: int
) -> tuple[list[Row], str | None]:
    """Newest first, from the one after `cursor` (an id, of `column`) on; and the next cursor."""
    if cursor is not None:
        query = query.where(column < cursor)
    found: list[Any] = list(db.session.scalars(query.order_by(column.desc()).limit(limit + 1)))
    return found[:limit], found[limit - 1].id if len(found) > limit else None
