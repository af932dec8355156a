"""contains: the answer has this text in it.

What: passes when every given text occurs in the answer; upper and lower case are the same.
When: a word, a name or a number must be mentioned.
Options: one text, or a list of texts of which all must occur. Or `all of` and `any of` (each a text or a list), with
    `whole words: yes` (`rate` is then not found in `separate`) and `ignore` (`case` unless you say otherwise,
    `nothing`, or a list of `case`, `accents`, `punctuation`, `white space`, `unicode`).
Example:
    checks: [{contains: [refund, '14 days']}, {contains: {any of: [yes, no], whole words: yes}}]
"""

from __future__ import annotations

from promptbench.checks._mentions import SCHEMA, Mentions, build_mentions
from promptbench.plugins import CheckContext, CheckSpec, Json


def build(argument: Json, context: CheckContext) -> Mentions:
    return build_mentions(argument, "all of", wanted=True)


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema=SCHEMA)
