"""slots: the answer has these slots with these values, and no others.

What: compares the spans of the answer with those that the case names under `expect:`, at the same path. Each is a slot
    with its value, as in `{city: Berlin}`, where a list has several values and null is none; or a list of objects with
    `slot`, `value`, `start` and `end`. If all have offsets these decide, else the values do; a span counts when its
    slot and its bounds are exactly right. The score is the F1 of the case, and the report of a run has the F1 over all
    spans, as CoNLL counts it.
When: slot filling and entities, where what is too much counts as well as what is missing.
Options: the slots, or: `at` their path in a JSON answer; `is` the slots; `at least` the F1 that is enough, such as 80%
    (1 by default). A case whose `expect:` names the slots needs all of them right whatever `at least` is: write them
    under `is` then.
Example:
    checks: [{slots: {at: slots, is: {city: Berlin, date: tomorrow}}}]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptbench.checks import _options
from promptbench.checks._paths import Path, optional, value_at
from promptbench.checks._scores import first_of, graded, quoted, readable, verdict
from promptbench.metrics.nlu import Span, compare, f1, spans
from promptbench.plugins import Check, CheckContext, CheckSpec, ExpectingCheck, Json, Score, Subject

_KNOWN = ("at", "is", "at least")
_SLOTS: Json = {"type": ["object", "array", "null"]}


@dataclass(frozen=True, slots=True)
class Slots(ExpectingCheck):
    """`wanted` are the right spans, or None if the case does not name them."""

    path: Path | None
    at_least: float
    wanted: tuple[Span, ...] | None = None

    def score(self, subject: Subject) -> Score:
        got, problem = self.spans(subject)
        if problem:
            return verdict("slots", problem)
        if self.wanted is None:
            return Score("slots", True, 1.0)
        found = compare(self.wanted, got)
        reasons = [f"{_shown(span)} is missing" for span in found.missing]
        reasons += [f"unexpected {_shown(span)}" for span in found.extra]
        return graded("slots", f1(*found.counts), self.at_least, first_of(reasons, 3))

    def spans(self, subject: Subject) -> tuple[Sequence[Span], str | None]:
        """Return the spans of the answer, or the problem. There are none if the path is missing."""
        reading, problem = readable(subject)
        if problem:
            return (), problem
        value: Json = reading.value
        if self.path is not None:
            value, problem = value_at(subject, self.path)
            value = None if problem else value
        try:
            return spans(value), None
        except ValueError as error:
            return (), str(error)

    def with_expected(self, expected: Json) -> Slots:
        if self.wanted is not None:
            return self
        try:
            value = self.path.find(expected) if self.path else expected
        except LookupError:
            return self
        return replace(self, wanted=tuple(spans(value)))


def build(argument: Json, context: CheckContext) -> Check:
    given = _options.options(argument, _KNOWN) if _is_options(argument) else {"is": argument} if argument else {}
    wanted = tuple(spans(given["is"])) if "is" in given else None
    return Slots(optional(given.get("at")), _options.at_least(given), wanted)


def _is_options(argument: Json) -> bool:
    # A mapping is options and not slots if it has `is` with slots in it, or nothing but options.
    if not isinstance(argument, dict) or not argument:
        return False
    names = {_options.option_name(str(key)): value for key, value in argument.items()}
    return names.keys() <= {*_KNOWN} or isinstance(names.get("is"), (dict, list))


def _shown(span: Span) -> str:
    offsets = f" at {span.start}–{span.end}" if span.has_offsets else ""
    return f"{quoted(span.slot)[1:-1]}{'' if span.value is None else ' ' + quoted(span.value)}{offsets}"


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(_SLOTS, **{"at": _options.PATH, "is": _SLOTS, "at_least": _options.AMOUNT}),
)
