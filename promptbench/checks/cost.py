"""cost: the call was cheap enough.

What: compares what this one call cost, in US dollars, all its tries together. A call whose cost is unknown, for want of
    a price or of token counts, fails; a text that no call gave (a logged answer, a wish) passes.
When: single calls that run away: a long answer, a prompt that grew. For the whole of a run there is 'max cost' under
    'gate'.
Options: the highest cost, such as $0.002 or 0.002. Or: `at most` the same.
Example:
    checks: [{cost: $0.002}]
"""

from __future__ import annotations

from promptbench.checks import _options
from promptbench.checks._limit import AtMost
from promptbench.core.protocols import Check, CheckContext
from promptbench.core.types import Json

_AMOUNT: Json = {"type": ["string", "number"]}
argument_schema: Json = {
    "anyOf": [_AMOUNT, {"type": "object", "properties": {"at most": _AMOUNT}, "required": ["at most"]}]
}


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when there is no amount."""
    written = _options.value_or_options(argument, "at most", ("at most",)).get("at most")
    dollars = float(
        _options.decimal(written.strip().removeprefix("$") if isinstance(written, str) else written, "cost")
    )
    if dollars < 0:
        raise ValueError("the highest cost cannot be negative")
    return AtMost("cost", "the cost", dollars, lambda call: call.cost, lambda amount: f"${amount:.4g}")
