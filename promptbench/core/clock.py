"""The one way in which times are written."""

from __future__ import annotations

from datetime import UTC, datetime


def today() -> str:
    """The day of now, in ISO 8601 and UTC."""
    return now()[:10]


def now() -> str:
    """The time in UTC as ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
