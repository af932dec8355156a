"""not contains: the answer does not have this text in it.

What: fails when any of the given texts occurs in the answer; upper and lower case are the same.
When: something must never be said: an apology, a competitor, another customer's name.
Options: one text, or a list of texts of which none may occur. Or `any of` (the same), `all of` (fails only when they
    all occur), `whole words: yes` (`rate` is then not found in `separate`) and `ignore`, as for `contains`.
Example:
    checks: [{not contains: [sorry, 'as an AI']}, {not contains: {any of: [war, rate], whole words: yes}}]
"""

from promptbench.checks.contains import SCHEMA, Mentions, build_mentions
from promptbench.plugins import CheckContext, CheckSpec, Json


def build(argument: Json, context: CheckContext) -> Mentions:
    return build_mentions(argument, "any of", wanted=False)


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema=SCHEMA)
