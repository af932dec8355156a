"""latency: the answer came fast enough.

What: compares the time that the provider took for this one call, without any wait in a queue before it. A call whose
    time is unknown fails; a text that did not come from a call (a logged or example answer) passes.
When: an answer that comes too late is useless. For the whole of a run there are p50 and p99 in the report.
Options: the longest time, such as 800 ms or 2 s; a bare number is in milliseconds. Or: `at most` the same.
Example:
    checks: [{latency: 2 s}]
"""

from promptbench.checks import _options
from promptbench.checks._limit import AtMost
from promptbench.checks._scores import quoted
from promptbench.plugins import CheckContext, CheckSpec, Json

_UNITS = {"ms": 1, "s": 1_000, "seconds": 1_000, "second": 1_000, "min": 60_000, "minutes": 60_000, "minute": 60_000}


def build(argument: Json, context: CheckContext) -> AtMost:
    written = _options.value_or_options(argument, "at most", ("at most",)).get("at most")
    number = str(written).strip().lower().rstrip("abcdefghijklmnopqrstuvwxyz").strip()
    unit = str(written).strip().lower().removeprefix(number).strip() or "ms"
    if unit not in _UNITS:
        raise ValueError(f"expected a time such as 800 ms or 2 s, got {quoted(written)}")
    milliseconds = float(_options.decimal(number if isinstance(written, str) else written, "latency")) * _UNITS[unit]
    if milliseconds <= 0:
        raise ValueError("the longest time must be more than 0")
    return AtMost("latency", "time", milliseconds, lambda call: call.latency_ms, _shown)


def _shown(milliseconds: float) -> str:
    return f"{milliseconds / 1_000:.3g} s" if milliseconds >= 1_000 else f"{milliseconds:.3g} ms"


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(_options.AMOUNT, required=["at most"], at_most=_options.AMOUNT),
)
