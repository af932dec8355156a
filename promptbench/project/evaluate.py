"""Scores one text with the checks of a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from promptbench.core.protocols import Check, Subject
from promptbench.core.types import CallFacts, Json, Reading, Repair, Rung, Score
from promptbench.formats.json_text import read as read_json


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the checks say of one text. `repairs` holds the first hundred: a broken megabyte needs a repair a line."""

    passed: bool
    rung: Rung | None
    well_formed: bool
    repairs: tuple[Repair, ...]
    scores: tuple[Score, ...]

    def as_dict(self) -> dict[str, Json]:
        return asdict(self)


_MOST_REPAIRS = 100
_FORMAT_CHECKS = ("json", "json schema")


def evaluate(
    text: str,
    checks: Sequence[Check],
    accept: Rung,
    variables: Mapping[str, Json],
    call: CallFacts | None = None,
    threshold: float | None = None,
) -> Evaluation:
    """Scores a text, and the call that gave it. It is read as JSON once, and only if a check wants that.

    It passes when every check passes, or, with a `threshold`, when the weighted mean of the scores reaches it.
    """
    reading: list[Reading] = []
    told: list[Reading] = []

    def read() -> Reading:
        if not reading:
            reading.append(read_json(text))
        return reading[0]

    subject = Subject(text, read, accept, variables, call, told.append)
    scores = tuple(check.score(subject) for check in checks)
    passed = _passed(scores, threshold)
    found = reading or told
    if not found:
        return Evaluation(passed, None, False, (), scores)
    rung = found[0].rung
    well_formed = rung.within(accept) and all(score.passed for score in scores if score.check in _FORMAT_CHECKS)
    return Evaluation(passed, rung, well_formed, found[0].repairs[:_MOST_REPAIRS], scores)


def _passed(scores: Sequence[Score], threshold: float | None) -> bool:
    weights = sum(score.weight for score in scores)
    if threshold is None or not weights:
        return all(score.passed for score in scores if score.weight)
    # A share such as 0.8 must be reached by 4 of 5, whatever the sums are in binary.
    return sum(score.weight * score.value for score in scores) >= threshold * weights - 1e-9


@dataclass(frozen=True, slots=True)
class Weighed:
    """A check that does not count like any other."""

    check: Check
    weight: float

    def score(self, subject: Subject) -> Score:
        return replace(self.check.score(subject), weight=self.weight)
