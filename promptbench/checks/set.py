"""set: the answer lists these items, in any order.

What: compares the items of the answer with the list; each counts as often as it is there. The items are those of a JSON
    list, or the lines of a text without bullets and numbers, or what commas separate. The score is the F1 over the
    items.
When: labels, tags or findings have to be complete, and their order means nothing.
Options: a list, or: `is` the list; `at` its place in a JSON answer, as in order.items[*].sku; `ignore` what does not
    count: case, white space, punctuation, accents, unicode; `at least` the score that is enough, such as 80%.
Example:
    checks: [{set: {is: [refund, delivery], at: topics, ignore: case}}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _items
from promptbench.checks._graded import failed, graded
from promptbench.checks._items import Wanted, f1
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = _items.SCHEMA


@dataclass(frozen=True, slots=True)
class IsSet:
    wanted: Wanted

    def score(self, subject: Subject) -> Score:
        got, as_text, problem = self.wanted.found(subject)
        if problem:
            return failed("set", problem)
        matched = self.wanted.match(got, as_text=as_text)
        hits = len(got) - matched.count(None)
        value = f1(hits, len(got), len(self.wanted.items))
        return graded("set", value, self.wanted.at_least, self.wanted.differences(got, matched))


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a list, or has one."""
    return IsSet(_items.wanted(argument, "set"))
