"""What is refused in the browser is recorded, in a transaction of its own.

Only of people who are signed in, and only where they tried to change something: what strangers
send must not become writes.
"""

import logging

from flask import request
from sqlalchemy.exc import SQLAlchemyError

from compass.server.core import audit
from compass.server.core.errors import Conflict, Forbidden, Gone, NotFound, Overreach, Refusal
from compass.server.db import db, transaction
from compass.server.web.door import is_signed_in, me

RECORDED = (Forbidden, NotFound, Conflict, Gone, Overreach)

log = logging.getLogger("compass.server")


def note(refusal: Refusal, status: int) -> None:
    """Records it if it is to be. Its own failure changes no answer."""
    if request.method != "POST" or not isinstance(refusal, RECORDED):
        return
    try:
        if not is_signed_in():
            return
        with transaction():
            route = (request.endpoint or "").removeprefix("web.")
            audit.refused(me(), route, status, str(refusal), request.view_args or {})
    except SQLAlchemyError as error:
        db.session.rollback()
        log.warning("A refusal could not be recorded: %s", type(error).__name__)
