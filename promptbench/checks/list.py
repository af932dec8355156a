"""list: the answer lists these items, in this order.

What: compares the items of the answer with the list, one by one. The items are those of a JSON list, or the lines of a
    text without bullets and numbers, or what commas separate. The score is the F1 over the items that are in order.
When: a ranking, steps or a sequence.
Options: a list, or: `is` the list; `at` its place in a JSON answer, as in order.items[*].sku; `ignore` what does not
    count: case, white space, punctuation, accents, unicode; `at least` the score that is enough, such as 80%.
Example:
    checks: [{list: [open the lid, press start, wait]}]
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from promptbench.checks import _items
from promptbench.checks._graded import failed, graded
from promptbench.checks._items import Wanted, f1
from promptbench.checks._words import quoted
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = _items.SCHEMA


@dataclass(frozen=True, slots=True)
class IsList:
    wanted: Wanted

    def score(self, subject: Subject) -> Score:
        got, as_text, problem = self.wanted.found(subject)
        if problem:
            return failed("list", problem)
        matched = self.wanted.match(got, as_text=as_text)
        value = f1(_in_order(matched), len(got), len(self.wanted.items))
        reason = self.wanted.differences(got, matched) or self._order(got, matched)
        return graded("list", value, self.wanted.at_least, reason)

    def _order(self, got: Sequence[Json], matched: Sequence[int | None]) -> str:
        first = next((place for place, number in enumerate(matched) if number != place), 0)
        there, wanted = (quoted(items[first]) if items else "nothing" for items in (got, self.wanted.items))
        return f"the order is wrong: item {first + 1} is {there}, not {wanted}"


def _in_order(matched: Sequence[int | None]) -> int:
    """The length of the longest increasing subsequence, by patience sorting in n log n."""
    tails: list[int] = []
    for number in matched:
        if number is not None:
            at = bisect_left(tails, number)
            tails[at : at + 1] = [number]
    return len(tails)


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a list, or has one."""
    return IsList(_items.wanted(argument, "list"))
