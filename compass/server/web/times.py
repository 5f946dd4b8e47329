"""Times for people: how far away, with the exact instant beside it."""

from datetime import datetime

from flask import Flask
from markupsafe import Markup

from compass.server.core.clock import now, rfc3339

_UNITS = (("year", 31_536_000), ("day", 86_400), ("hour", 3600))


def init_app(app: Flask) -> None:
    filters = {each.__name__: each for each in (ago, exact, exact_second, lasted, stamp)}
    app.jinja_env.filters.update(filters)


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


def lasted(seconds: float) -> str:
    """`42 ms`, `1.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 days 4 h`."""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    left, words = int(seconds), []
    for size, unit in ((86_400, "day"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}")
        elif words:
            break
    return " ".join(words[:2])


def exact(moment: datetime) -> str:
    """`1 Nov 2026, 09:30 UTC`"""
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def exact_second(moment: datetime) -> str:
    """`1 Nov 2026, 09:30:05 UTC`"""
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC"


def stamp(moment: datetime) -> Markup:
    """A <time> that shows how far away and holds the exact instant."""
    # All of it is our own, and a list has hundreds: Markup's own formatting is slow.
    return Markup(  # noqa: S704
        f'<time datetime="{rfc3339(moment)}" title="{exact(moment)}">{ago(moment)}</time>'
    )
