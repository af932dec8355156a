"""tokens: the call took few enough tokens.

What: compares the tokens of this one call as the provider counted them: those of the answer, of the prompt, or both. A
    call whose tokens are unknown fails; a text that no call gave (a logged answer, a wish) passes.
When: answers that ramble, prompts that grow with their values.
Options: the highest number of tokens in the answer, or: `at most` the same; `of` answer, prompt or both.
Example:
    checks: [{tokens: {at most: 300, of: answer}}]
"""

from __future__ import annotations

from promptbench.checks import _options
from promptbench.checks._limit import AtMost
from promptbench.core.protocols import Check, CheckContext
from promptbench.core.types import CallFacts, Json

_PARTS = ("answer", "prompt", "both")
_COUNT: Json = {"type": "integer", "minimum": 0}
argument_schema: Json = {
    "anyOf": [
        _COUNT,
        {"type": "object", "properties": {"at most": _COUNT, "of": {"enum": list(_PARTS)}}, "required": ["at most"]},
    ]
}


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when there is no number of tokens."""
    given = _options.value_or_options(argument, "at most", ("at most", "of"))
    most = _options.count(given.get("at most"), "at most")
    of = _options.choice(given.get("of", "answer"), "of", _PARTS)

    def measure(call: CallFacts) -> float | None:
        if call.usage is None:
            return None
        answer, prompt = call.usage.output_tokens, call.usage.input_tokens
        return {"answer": answer, "prompt": prompt, "both": answer + prompt}[of]

    what = "the number of tokens" if of == "both" else f"the number of tokens of the {of}"
    return AtMost("tokens", what, most, measure, lambda count: f"{count:,.0f}")
