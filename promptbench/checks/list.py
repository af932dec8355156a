"""list: the answer lists these items, in this order.

What: compares the items of the answer with the list, one by one. The items are those of a JSON list, or the lines of a
    text without bullets and numbers, or what commas separate. The score is the F1 over the items that are in order.
When: a ranking, steps or a sequence.
Options: a list, or: `is` the list; `at` its path in a JSON answer, as in order.items[*].sku; `ignore` what does not
    count: case, white space, punctuation, accents, unicode; `at least` the score that is enough, such as 80%.
Example:
    checks: [{list: [open the lid, press start, wait]}]
"""

from __future__ import annotations

from promptbench.checks._items import SCHEMA, Items, build_items
from promptbench.plugins import CheckContext, CheckSpec, Json


def build(argument: Json, context: CheckContext) -> Items:
    return build_items(argument, "list", ordered=True)


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema=SCHEMA)
