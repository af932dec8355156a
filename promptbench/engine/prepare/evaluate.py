"""Scores one text with the checks of a case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache

from promptbench.core.protocols import Check, JudgedCheck, Subject
from promptbench.core.types import Answer, CallFacts, Json, Reading, Repair, Request, Rung, Score
from promptbench.parsing.ladder import BUILT_IN, Ladder


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the checks say of one text. `repairs` holds the first hundred: a broken megabyte needs a repair a line.

    It is `errored` where it hangs on a judge that gave no verdict, or nothing but advisory checks looks at it: then
    nobody can say whether it passes.
    """

    passed: bool
    rung: Rung | None
    well_formed: bool
    repairs: tuple[Repair, ...]
    scores: tuple[Score, ...]
    errored: bool = False

    def as_dict(self) -> dict[str, Json]:
        return asdict(self)


_MOST_REPAIRS = 100
_FORMAT_CHECKS = ("json", "json schema")
# What judges answered to the questions of checks; None where one was not called, or did not answer.
Answers = Callable[[Request], Answer | None]


def nobody(question: Request) -> None:
    """The answers where no judge is asked."""


def evaluate(
    text: str,
    checks: Sequence[Check],
    accept: Rung,
    variables: Mapping[str, Json],
    call: CallFacts | None = None,
    threshold: float | None = None,
    answers: Answers = nobody,
    ladder: Ladder = BUILT_IN,
) -> Evaluation:
    """Scores a text, and the call that gave it. It is read as JSON once, and only if a check wants that.

    It passes when every check passes, or, with a `threshold`, when the weighted mean of the scores reaches it.
    """
    reading: list[Reading] = []
    told: list[Reading] = []

    def read() -> Reading:
        if not reading:
            reading.append(ladder.read(text))
        return reading[0]

    subject = Subject(text, read, accept, variables, call, told.append)
    scores = tuple(
        check.concluded(subject, answers) if isinstance(check, Judged) else check.score(subject) for check in checks
    )
    known = _known(checks, scores, threshold)
    passed, errored = bool(known), known is None
    found = reading or told
    if not found:
        return Evaluation(passed, None, False, (), scores, errored)
    rung = found[0].rung
    well_formed = rung.within(accept) and all(score.passed for score in scores if score.check in _FORMAT_CHECKS)
    return Evaluation(passed, rung, well_formed, found[0].repairs[:_MOST_REPAIRS], scores, errored)


def as_subject(text: str, accept: Rung, variables: Mapping[str, Json], ladder: Ladder = BUILT_IN) -> Subject:
    """A text of which nothing else is known. It is read as JSON once, and only if a check wants that."""
    return Subject(text, cache(lambda: ladder.read(text)), accept, variables)


def questions(
    text: str, checks: Sequence[Check], accept: Rung, variables: Mapping[str, Json], ladder: Ladder = BUILT_IN
) -> list[Asked]:
    """What the checks want to ask their judges about a text, each with its check."""
    subject = as_subject(text, accept, variables, ladder)
    judged = (check.check for check in checks if isinstance(check, Judged))
    return [Asked(check, question) for check in judged for question in check.requests(subject)]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the check that asks it."""

    check: JudgedCheck
    question: Request


def _known(checks: Sequence[Check], scores: Sequence[Score], threshold: float | None) -> bool | None:
    """Whether the text passes; None where that hangs on what nobody told."""
    if any(score.weight and score.errored for score in scores):
        best = [replace(score, passed=True, value=1.0) if score.errored else score for score in scores]
        sure = _passed(scores, threshold)
        return sure if sure == _passed(best, threshold) else None
    nothing_counts = not any(score.weight for score in scores) and any(isinstance(check, Judged) for check in checks)
    return None if nothing_counts else _passed(scores, threshold)


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


@dataclass(frozen=True, slots=True)
class Judged:
    """A check that judges decide. While it is advisory it has no weight, whatever its author gave it."""

    check: JudgedCheck
    weight: float

    def score(self, subject: Subject) -> Score:
        return self.concluded(subject, nobody)

    def concluded(self, subject: Subject, answers: Answers) -> Score:
        """The score from what the judges answered."""
        found = self.check.conclude(subject, [answers(question) for question in self.check.requests(subject)])
        return replace(found, weight=self.weight * found.weight)
