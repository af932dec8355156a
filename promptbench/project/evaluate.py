"""Scores one text with the checks of a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


_MOST_REPAIRS = 100
_FORMAT_CHECKS = ("json", "json schema")


def evaluate(
    text: str,
    checks: Sequence[Check],
    accept: Rung,
    variables: Mapping[str, Json],
    call: CallFacts | None = None,
) -> Evaluation:
    """Scores a text, and the call that gave it. It is read as JSON once, and only if a check wants that."""
    reading: list[Reading] = []

    def read() -> Reading:
        if not reading:
            reading.append(read_json(text))
        return reading[0]

    subject = Subject(text, read, accept, variables, call)
    scores = tuple(check.score(subject) for check in checks)
    passed = all(score.passed for score in scores)
    if not reading:
        return Evaluation(passed, None, False, (), scores)
    rung = reading[0].rung
    well_formed = rung.within(accept) and all(score.passed for score in scores if score.check in _FORMAT_CHECKS)
    return Evaluation(passed, rung, well_formed, reading[0].repairs[:_MOST_REPAIRS], scores)
