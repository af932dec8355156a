"""starts with: the answer, or one of its paragraphs, begins with this.

What: compares without the white space at the start; upper and lower case are the same.
When: a greeting, a fixed opening or the repeated request must come first.
Options: a text. Or `text`, `word` (the first word is this one, without quotes before it and punctuation behind it) or
    `variable` (the text of one of the case's `vars`), and `paragraph` (1, 2, … or `last`; there is one empty line
    between them).
Example:
    checks: [{starts with: Dear}, {starts with: {word: However, paragraph: 2}}]
"""

from __future__ import annotations

from promptbench.checks import _edges, _options
from promptbench.plugins import CheckContext, CheckSpec, Json


def build(argument: Json, context: CheckContext) -> _edges.Edge:
    return _edges.build_edge(
        "starts with", _options.value_or_options(argument, "text", ("text", "word", "variable", "paragraph"))
    )


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(_options.TEXT, **_edges.PROPERTIES, word=_options.TEXT),
)
