"""tokens: the call took few enough tokens.

What: compares the tokens of this one call as the provider counted them: those of the answer, of the prompt, or both. A
    call whose tokens are unknown fails; a text that did not come from a call (a logged or example answer) passes.
When: answers that ramble, prompts that grow with their values.
Options: the highest number of tokens in the answer, or: `at most` the same; `of` answer, prompt or both.
Example:
    checks: [{tokens: {at most: 300, of: answer}}]
"""

from promptbench.checks import _options
from promptbench.checks._limit import AtMost
from promptbench.plugins import CallFacts, CheckContext, CheckSpec, Json

_PARTS = ("answer", "prompt", "both")
_COUNT: Json = {"type": "integer", "minimum": 0}


def build(argument: Json, context: CheckContext) -> AtMost:
    given = _options.value_or_options(argument, "at most", ("at most", "of"))
    most = _options.count(given.get("at most"), "at most")
    of = _options.choice(given.get("of", "answer"), "of", _PARTS)

    def measure(call: CallFacts) -> float | None:
        if call.usage is None:
            return None
        answer, prompt = call.usage.output_tokens, call.usage.input_tokens
        return {"answer": answer, "prompt": prompt, "both": answer + prompt}[of]

    return AtMost(
        "tokens", "tokens" if of == "both" else f"tokens of the {of}", most, measure, lambda count: f"{count:,.0f}"
    )


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(_COUNT, required=["at most"], at_most=_COUNT, of={"enum": list(_PARTS)}),
)
