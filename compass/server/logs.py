"""Logging to standard error, with every key and one-time token masked.

The masking is in the formatter, after the traceback has been rendered: whatever a message,
an argument or an exception carried, the line that is written has no secret of ours.
"""

import logging
import re
from typing import Any

from compass.server.core import tokens

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_ONE_TIME = re.compile(r"(compass_setup_|/invitations/|/reset/)[0-9A-Za-z_-]{4,}")


def mask(text: str) -> str:
    return _ONE_TIME.sub(r"\1…", tokens.mask(text))


class MaskingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


def config() -> dict[str, Any]:
    """For logging.config.dictConfig; also what Granian's own loggers write through."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "generic": {"()": "compass.server.logs.MaskingFormatter", "fmt": FORMAT},
            "access": {"()": "compass.server.logs.MaskingFormatter", "fmt": FORMAT},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": "generic",
                "stream": "ext://sys.stderr",
            },
            "access": {
                "class": "logging.StreamHandler",
                "formatter": "access",
                "stream": "ext://sys.stderr",
            },
        },
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            "_granian": {"handlers": ["console"], "level": "WARNING", "propagate": False},
            "granian.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
            "alembic": {"level": "WARNING"},
        },
    }
