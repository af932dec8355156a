"""set: the answer lists these items, in any order.

What: compares the items of the answer with the list; each counts as often as it is there. The items are those of a JSON
    list, or the lines of a text without bullets and numbers, or what commas separate. The score is the F1 over the
    items.
When: labels, tags or findings have to be complete, and their order means nothing.
Options: a list, or: `is` the list; `at` its path in a JSON answer, as in order.items[*].sku; `ignore` what does not
    count: case, white space, punctuation, accents, unicode; `at least` the score that is enough, such as 80%.
Example:
    checks: [{set: {is: [refund, delivery], at: topics, ignore: case}}]
"""

from promptbench.checks.list import SCHEMA, Items, build_items
from promptbench.plugins import CheckContext, CheckSpec, Json


def build(argument: Json, context: CheckContext) -> Items:
    return build_items(argument, "set", ordered=False)


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema=SCHEMA)
