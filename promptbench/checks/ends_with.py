"""ends with: the answer, or one of its paragraphs, ends with this.

What: compares without the white space at the end and double quotes around the whole; upper and lower case are the same.
When: a fixed closing line, a signature or a question must come last.
Options: a text. Or `text` or `variable` (the text of one of the case's `vars`), and `paragraph` (1, 2, … or `last`;
    there is one empty line between them).
Example:
    checks: [{ends with: Is there anything else I can help with?}]
"""

from promptbench.checks import _options, starts_with
from promptbench.plugins import CheckContext, CheckSpec, Json


def build(argument: Json, context: CheckContext) -> starts_with.Edge:
    return starts_with.build_edge(
        "ends with", _options.value_or_options(argument, "text", ("text", "variable", "paragraph"))
    )


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema=_options.schema(_options.TEXT, **starts_with.PROPERTIES))
