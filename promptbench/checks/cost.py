"""cost: the call was cheap enough.

What: compares what this one call cost, in US dollars, all its tries together. A call whose cost is unknown, for want of
    a price or of token counts, fails; a text that did not come from a call (a logged or example answer) passes.
When: single calls that run away: a long answer, a prompt that grew. For the whole of a run there is 'max cost' under
    'gate'.
Options: the highest cost, such as $0.002 or 0.002. Or: `at most` the same.
Example:
    checks: [{cost: $0.002}]
"""

from promptbench.checks import _options
from promptbench.checks._limit import AtMost
from promptbench.plugins import CheckContext, CheckSpec, Json


def build(argument: Json, context: CheckContext) -> AtMost:
    written = _options.value_or_options(argument, "at most", ("at most",)).get("at most")
    amount = written.strip().removeprefix("$") if isinstance(written, str) else written
    dollars = float(_options.decimal(amount, "cost"))
    if dollars < 0:
        raise ValueError("the highest cost cannot be negative")
    return AtMost("cost", "cost", dollars, lambda call: call.cost, lambda amount: f"${amount:.4g}")


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(_options.AMOUNT, required=["at most"], at_most=_options.AMOUNT),
)
