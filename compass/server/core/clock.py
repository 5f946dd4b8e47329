"""Time: always aware, always UTC."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """RFC 3339 with milliseconds and `Z`, of a moment in UTC: 2026-11-01T09:30:00.000Z."""
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
