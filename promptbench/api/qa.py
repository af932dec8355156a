"""Questions and answers of a run: sums while its attempts go by, figures when they are wanted.

Of each case the first answer counts, so that questions are independent of each other and their intervals hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from promptbench.api.nlu import first_answer, in_order, part
from promptbench.checks._normal import Normal
from promptbench.checks._paths import text_at
from promptbench.checks.answerable import Answerable
from promptbench.checks.expect import Expect
from promptbench.checks.token_f1 import TokenF1
from promptbench.core.protocols import Subject
from promptbench.core.types import Attempt, Score
from promptbench.metrics import bootstrap
from promptbench.metrics.squad import exact_match, token_f1
from promptbench.project.bench import BASELINE, Bench, BenchCase
from promptbench.project.checks import unwrapped
from promptbench.report.qa import Marks, Qa, QaSummary

_CHECKS = frozenset({"expect", "exact match", "token f1", "answerable", "grounded", "citations"})

_Marks = Counter[tuple[float, float]]
"""Questions by their exact match and F1, so that what is kept does not grow with them."""


@dataclass(slots=True)
class _Tally:
    """What adds up for one prompt on one model."""

    with_answer: _Marks = field(default_factory=Counter)
    without_answer: _Marks = field(default_factory=Counter)
    grounded: list[int] = field(default_factory=lambda: [0, 0])
    citations: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, case: BenchCase, variant: str, subject: Subject, scores: tuple[Score, ...]) -> None:
        for score in scores:
            counted = {"grounded": self.grounded, "citations": self.citations}.get(score.check)
            if counted is not None:
                counted[0] += score.passed
                counted[1] += 1
        checks = [unwrapped(check) for check in case.checks[variant or BASELINE]]
        strict = next(
            (check for check in checks if isinstance(check, (Expect, TokenF1)) and _is_of_a_question(check)), None
        )
        if strict is not None:
            self._compared(strict, subject)
        elif any(isinstance(check, Answerable) and not check.answerable for check in checks):
            right = float(all(check.score(subject).passed for check in checks if isinstance(check, Answerable)))
            self.without_answer[right, right] += 1

    def _compared(self, check: Expect | TokenF1, subject: Subject) -> None:
        text, problem = text_at(subject, check.path)
        text = Normal(tuple(step for step in check.normal.steps if step != "squad")).text(text)
        right = [str(item) for item in check.right]
        marks = (0.0, 0.0) if problem else (exact_match(text, right), round(token_f1(text, right), 6))
        (self.with_answer if any(right) else self.without_answer)[marks] += 1


def _is_of_a_question(check: object) -> bool:
    """Whether it compares as SQuAD does, or is about questions that have no answer."""
    return isinstance(check, (TokenF1, Answerable)) or (isinstance(check, Expect) and "squad" in check.normal.steps)


class QaTallies:
    """Looks at each attempt of a run once."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._tallies: dict[tuple[str, str], _Tally] = {}

    def add(self, attempt: Attempt) -> None:
        """Counts the first answer to a case that has a check of questions and answers."""
        key, found = attempt.key, first_answer(self._bench, attempt, _CHECKS)
        if found is None:
            return
        case, subject = found
        if {score.check for score in attempt.scores} & _CHECKS == {"expect"} and not any(
            _is_of_a_question(unwrapped(check)) for check in case.checks[key.variant or BASELINE]
        ):
            return
        self._tallies.setdefault((key.variant, key.model), _Tally()).add(case, key.variant, subject, attempt.scores)

    def found(self) -> Qa | None:
        """The figures; None where no case is a question."""
        summaries = [_summary(*item) for item in in_order(self._bench, self._tallies)]
        return Qa(summaries) if summaries else None


def _summary(prompt: str, side: str, model: str, tally: _Tally) -> QaSummary:
    none = sum(count for (exact, _), count in tally.without_answer.items() if exact)
    return QaSummary(
        prompt=prompt,
        side=side,
        model=model,
        overall=_marks(tally.with_answer + tally.without_answer),
        answerable=_marks(tally.with_answer),
        unanswerable=part(none, tally.without_answer.total()),
        grounded=part(*tally.grounded),
        citations=part(*tally.citations),
    )


def _marks(counts: _Marks) -> Marks | None:
    if not counts:
        return None
    exact = sum(count * exact for (exact, _), count in counts.items()) / counts.total()
    low, high = bootstrap.interval(counts, _mean_f1) or (None, None)
    return Marks(counts.total(), exact, _mean_f1(counts), low, high)


def _mean_f1(counts: Mapping[tuple[float, float], int]) -> float:
    return sum(count * f1 for (_, f1), count in counts.items()) / sum(counts.values())
