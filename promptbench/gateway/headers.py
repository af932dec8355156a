"""Read the rate limits that a server announces in the headers of its answers.

OpenAI, Azure and many others: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, resets as Go durations (`6m0s`).
Anthropic: `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`, resets as RFC
3339 times. A limit of 0 or below, which Azure sends, is ignored.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

KINDS = ("requests", "tokens", "input-tokens", "output-tokens")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_HALF_A_DAY = 43_200.0


@dataclass(frozen=True, slots=True)
class Announced:
    """Announced limits per minute by kind (`requests`, `tokens`, `input-tokens`, `output-tokens`).

    `wait` is the number of seconds until a used-up limit is available again.
    """

    per_minute: Mapping[str, float] = field(default_factory=dict)
    wait: float = 0.0


def read(headers: Mapping[str, str], now: datetime | None = None) -> Announced:
    """Return the announced limits. Names are in lower case; unreadable values are ignored."""
    limits: dict[str, float] = {}
    wait = 0.0
    for kind in KINDS:
        parts = [
            headers.get(f"x-ratelimit-{part}-{kind}", headers.get(f"anthropic-ratelimit-{kind}-{part}"))
            for part in ("limit", "remaining", "reset")
        ]
        limit, remaining = _number(parts[0]), _number(parts[1])
        reset = None if parts[2] is None else seconds_until(parts[2], now)
        if limit is None or limit <= 0:
            continue
        used = 0 if remaining is None or reset is None else limit - remaining
        # At the rate at which a daily limit refills, all of it takes a day.
        if used <= 0 or (reset or 0.0) * limit / used <= _HALF_A_DAY:
            limits[kind] = limit
        if remaining is not None and remaining <= 0 and reset is not None:
            wait = max(wait, reset)
    return Announced(limits, wait)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(int(text))
    except ValueError:
        return None


def seconds_until(text: str, now: datetime | None = None) -> float | None:
    """Return the seconds of a Go duration, a number of seconds or the time until an RFC 3339 date; else None."""
    text = text.strip()
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if when.tzinfo is None else max(0.0, (when - (now or datetime.now(UTC))).total_seconds())
