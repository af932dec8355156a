"""latency: the answer came fast enough.

What: compares the time that the provider took for this one call, without any wait in a queue before it. A call whose
    time is unknown fails; a text that no call gave (a logged answer, a wish) passes.
When: an answer that is late is no answer. For the whole of a run there are p50 and p99 in the report.
Options: the longest time, such as 800 ms or 2 s; a bare number is in milliseconds. Or: `at most` the same.
Example:
    checks: [{latency: 2 s}]
"""

from __future__ import annotations

from promptbench.checks import _options
from promptbench.checks._limit import AtMost
from promptbench.checks._words import quoted
from promptbench.core.protocols import Check, CheckContext
from promptbench.core.types import Json

_UNITS = {"ms": 1, "s": 1_000, "seconds": 1_000, "second": 1_000, "min": 60_000, "minutes": 60_000, "minute": 60_000}
_TIME: Json = {"type": ["string", "number"]}
argument_schema: Json = {
    "anyOf": [_TIME, {"type": "object", "properties": {"at most": _TIME}, "required": ["at most"]}]
}


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when there is no time."""
    written = _options.value_or_options(argument, "at most", ("at most",)).get("at most")
    number = str(written).strip().lower().rstrip("abcdefghijklmnopqrstuvwxyz").strip()
    unit = str(written).strip().lower().removeprefix(number).strip() or "ms"
    if unit not in _UNITS:
        raise ValueError(f"{quoted(written)} is no time: write 800 ms or 2 s")
    milliseconds = float(_options.decimal(number if isinstance(written, str) else written, "latency")) * _UNITS[unit]
    if milliseconds <= 0:
        raise ValueError("the longest time must be more than nothing")
    return AtMost("latency", "the time", milliseconds, lambda call: call.latency_ms, _shown)


def _shown(milliseconds: float) -> str:
    return f"{milliseconds / 1_000:.3g} s" if milliseconds >= 1_000 else f"{milliseconds:.3g} ms"
