"""The current time in the one format that promptbench writes."""

from datetime import UTC, datetime


def today() -> str:
    """Return the current date in UTC as ISO 8601."""
    return now()[:10]


def now() -> str:
    """Return the current time in UTC as ISO 8601, to the millisecond."""
    return stamp(datetime.now(UTC))


def stamp(time: datetime) -> str:
    """Return a time as `now` writes it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
