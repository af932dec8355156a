"""Conversions of foreign fields. None of them raises: a value of another kind counts as absent."""

import json
import math
from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime

from promptbench.core.canonical import escape_surrogates
from promptbench.core.types import FailureTier, Json
from promptbench.parsing import _strict

_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
# Seconds, milliseconds, microseconds and nanoseconds since 1970.
_SCALES = (1.0, 1e3, 1e6, 1e9)


def decode_embedded(value: Json) -> Json:
    """Return the object or list in a text of strict JSON; any other value unchanged.

    Exports put whole objects into strings and table cells.
    """
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    found = _strict.parse(value)
    return value if found is _strict.MISSING else found


def as_text(value: Json) -> str | None:
    """Return a text unchanged and a number as text; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def as_nonblank(value: Json) -> str | None:
    """Return a text or number as text, unless it is blank."""
    found = as_text(value)
    return found if found and not found.isspace() else None


def as_number(value: Json) -> float | None:
    """Return a finite number, or the one that a text contains."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def as_count(value: Json) -> int | None:
    """Return a whole number from 0 on, or the one that a text contains: OTLP writes integers as text."""
    found = as_number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def as_object(value: Json) -> dict[str, Json]:
    """Return an object, or the one in a JSON text; an empty one for anything else."""
    found = decode_embedded(value)
    return found if isinstance(found, dict) else {}


def as_list(value: Json) -> list[Json]:
    """Return a list, or the one in a JSON text; an empty one for anything else."""
    found = decode_embedded(value)
    return found if isinstance(found, list) else []


def to_text(value: Json) -> str | None:
    """Return a text unchanged and data as JSON; None for None."""
    if value is None or isinstance(value, str):
        return value
    try:
        return escape_surrogates(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        return str(value)


def join_nonblank(*values: Json) -> str:
    """Return the values that are not blank, joined as `a: b`."""
    return ": ".join(filter(None, map(as_nonblank, values)))


def omit_fields(value: Mapping[str, Json], known: Container[str] = ()) -> dict[str, Json]:
    """Return the fields that are neither `known` nor empty."""
    return {key: item for key, item in value.items() if key not in known and item not in (None, "", [], {})}


def as_iso_time(value: Json) -> str | None:
    """Return a time as ISO 8601 in UTC: from ISO text, with or without a zone, or from a number since 1970.

    The number is in seconds, milliseconds, microseconds or nanoseconds.
    """
    found = _parse_time(value)
    if found is None:
        return None
    return found.isoformat(timespec="milliseconds" if found.microsecond else "seconds").replace("+00:00", "Z")


def milliseconds_between(start: Json, end: Json) -> float | None:
    """Return the milliseconds from one time to a later one, each in any form that `as_iso_time` reads, else None."""
    first, last = _parse_time(start), _parse_time(end)
    if first is None or last is None or last <= first:
        return None
    return (last - first).total_seconds() * 1_000


def _parse_time(value: Json) -> datetime | None:
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


# A source's verdict about the content is a score. Most scores are from 0 to 1, so one below 0.5 is a failure, and so is
# a word such as `wrong`. Where less is better, as with toxicity, a low score is not a failure.

# Finish reasons of an incomplete answer, in the words of all providers, in lower case.
TRUNCATING = frozenset(
    {
        "length", "max_tokens", "max_output_tokens", "content_filter", "refusal", "model_context_window_exceeded",
        "pause_turn", "safety", "recitation", "prohibited_content", "blocklist", "spii",
    }
)  # fmt: skip
TRUE_WORDS = frozenset(
    {"true", "1", "1.0", "yes", "y", "pass", "passed", "ok", "correct", "right", "good", "success", "valid"}
)
FALSE_WORDS = frozenset(
    {
        "false", "0", "0.0", "no", "n", "fail", "failed", "failure", "error", "incorrect", "wrong", "bad", "invalid",
        "thumbs_down", "thumbs-down", "negative", "i",
    }
)  # fmt: skip
_LESS_IS_BETTER = ("toxic", "hallucin", "bias", "harm", "risk", "pii", "error", "latency", "cost", "distance", "length")
_THRESHOLD = 0.5


def classify_failure(
    *, error: str | None = None, finish_reason: str | None = None, refusal: bool = False, verdict: str | None = None
) -> tuple[str | None, FailureTier | None]:
    """Return what marks a call as failed, and the tier; (None, None) if nothing does.

    Args:
        error: What came instead of an answer.
        verdict: The source's own verdict about the answer. Each tier takes precedence over the next.
    """
    if error is not None:
        return error, FailureTier.TRANSPORT
    if refusal:
        return "refusal", FailureTier.TRUNCATED
    if finish_reason is not None and finish_reason.lower() in TRUNCATING:
        return f"finish reason {finish_reason}", FailureTier.TRUNCATED
    if finish_reason is not None and finish_reason.lower() == "error":
        return "finish reason error", FailureTier.TRANSPORT
    return (verdict, FailureTier.CONTENT) if verdict is not None else (None, None)


def parse_truth(value: Json) -> bool | None:
    """Return a boolean, a number that is 0 or 1, or one of the usual words as a boolean; None for anything else."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def find_low_score(scores: Iterable[tuple[str, Json]]) -> str | None:
    """Return the first score by which the answer is wrong, as `score NAME VALUE`; None if there is none."""
    for name, value in scores:
        if _is_low(name, value):
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            return f"{name} {shown}" if "score" in name.lower() else f"score {name} {shown}"
    return None


def iterate_scores(value: Json) -> Iterable[tuple[str, Json]]:
    """Yield name and value of each score, from an object of values or of lists of values."""
    for name, found in value.items() if isinstance(value, Mapping) else ():
        for one in found if isinstance(found, list) else [found]:
            yield str(name), one


def _is_low(name: str, value: Json) -> bool:
    if any(word in name.lower() for word in _LESS_IS_BETTER):
        return False
    amount = None if isinstance(value, bool) else as_number(value)
    return parse_truth(value) is False if amount is None else amount < _THRESHOLD
