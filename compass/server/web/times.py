"""Times for people: how far away, with the exact instant beside it."""

from datetime import datetime

from flask import Flask
from markupsafe import Markup

from compass.server.core.clock import now, rfc3339

_UNITS = (("year", 31_536_000), ("day", 86_400), ("hour", 3600))


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(ago=ago, exact=exact, stamp=stamp)


def ago(moment: datetime) -> str:
    """`5 minutes ago`, `in 365 days`. Days up to two years: a lifetime is counted in them."""
    seconds = (moment - now()).total_seconds()
    size = abs(seconds)
    if size < 60:
        return "just now" if seconds <= 0 else "in less than a minute"
    unit, length = "minute", 60
    for name, many in _UNITS:
        if size >= many * (2 if name == "year" else 1):
            unit, length = name, many
            break
    # Rounded for what comes, so that a key made for 30 days has 30 days a second later.
    count = round(size / length) if seconds > 0 else int(size // length)
    words = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"in {words}" if seconds > 0 else f"{words} ago"


def exact(moment: datetime) -> str:
    """`1 Nov 2026, 09:30 UTC`"""
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def stamp(moment: datetime) -> Markup:
    """A <time> that shows how far away and holds the exact instant."""
    # All of it is our own, and a list has hundreds: Markup's own formatting is slow.
    return Markup(  # noqa: S704
        f'<time datetime="{rfc3339(moment)}" title="{exact(moment)}">{ago(moment)}</time>'
    )
