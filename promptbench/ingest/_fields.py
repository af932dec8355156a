"""Fields of foreign records, taken as they come: nothing here raises, and what is not of its kind is not there."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Mapping
from datetime import UTC, datetime

from promptbench.core.canonical import escape_surrogates
from promptbench.core.types import Json
from promptbench.formats.embedded_json import decode_embedded

_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_SCALES = (1.0, 1e3, 1e6, 1e9)


def as_text(value: Json) -> str | None:
    """A text as it is, a number as a text; None for all else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def as_nonblank(value: Json) -> str | None:
    """A text or number that is not blank."""
    found = as_text(value)
    return found if found and not found.isspace() else None


def as_number(value: Json) -> float | None:
    """A finite number, or the text of one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def as_count(value: Json) -> int | None:
    """A whole number from 0 on, or the text of one, as OTLP writes them."""
    found = as_number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def as_object(value: Json) -> dict[str, Json]:
    """An object, or the JSON text of one; an empty one for all else."""
    found = decode_embedded(value)
    return found if isinstance(found, dict) else {}


def as_list(value: Json) -> list[Json]:
    """A list, or the JSON text of one; an empty one for all else."""
    found = decode_embedded(value)
    return found if isinstance(found, list) else []


def to_text(value: Json) -> str | None:
    """What came back, as a text: JSON where it is data. None for None."""
    if value is None or isinstance(value, str):
        return value
    try:
        return escape_surrogates(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        return str(value)


def omit_fields(value: Mapping[str, Json], known: Container[str]) -> dict[str, Json]:
    """The fields that are not among the `known` ones and hold something."""
    return {key: item for key, item in value.items() if key not in known and item not in (None, "", [], {})}


def as_iso_time(value: Json) -> str | None:
    """A time as ISO 8601 in UTC: from ISO text, with or without a zone, or from seconds to nanoseconds since 1970."""
    found = _datetime(value)
    if found is None:
        return None
    return found.isoformat(timespec="milliseconds" if found.microsecond else "seconds").replace("+00:00", "Z")


def milliseconds_between(start: Json, end: Json) -> float | None:
    """The milliseconds from one time to a later one, each in any form that `moment` takes."""
    first, last = _datetime(start), _datetime(end)
    if first is None or last is None or last < first:
        return None
    return (last - first).total_seconds() * 1_000


def _datetime(value: Json) -> datetime | None:
    try:
        if isinstance(value, datetime):
            found = value
        elif (seconds := as_number(value)) is not None:
            scale = next((scale for scale in _SCALES if 0 < seconds / scale < _LATEST), None)
            return datetime.fromtimestamp(seconds / scale, UTC) if scale else None
        elif isinstance(value, str):
            found = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
        else:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
