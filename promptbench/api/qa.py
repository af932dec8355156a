"""Figures of questions and answers of a run: exact match, F1, unanswerable questions, grounding and citations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from promptbench.api.tallies import FirstAnswerTallies, proportion
from promptbench.checks.answerable import Answerable
from promptbench.checks.exact_match import ExactMatch
from promptbench.checks.token_f1 import TokenF1
from promptbench.core.protocols import Check, Subject
from promptbench.core.types import Score
from promptbench.metrics import bootstrap
from promptbench.metrics.squad import exact_match, token_f1
from promptbench.project.bench import PreparedCase, PreparedSuite
from promptbench.report.qa import Marks, Qa, QaSummary

_CHECKS = frozenset({"exact match", "token f1", "answerable", "grounded", "citations"})

# Questions by exact match and F1, so that memory does not grow with their number.
_MarkCounts = Counter[tuple[float, float]]


@dataclass(slots=True)
class _QaTally:
    """Counts for one prompt on one model; `grounded` and `citations` are passed answers and all answers."""

    with_answer: _MarkCounts = field(default_factory=Counter)
    without_answer: _MarkCounts = field(default_factory=Counter)
    grounded: list[int] = field(default_factory=lambda: [0, 0])
    citations: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, case: PreparedCase, subject: Subject, checks: Sequence[Check], scores: Sequence[Score]) -> None:
        for score in scores:
            counts = {"grounded": self.grounded, "citations": self.citations}.get(score.check)
            if counts is not None:
                counts[0] += score.passed
                counts[1] += 1
        comparison = next((check for check in checks if isinstance(check, (ExactMatch, TokenF1))), None)
        answerable = [check for check in checks if isinstance(check, Answerable)]
        if comparison is not None:
            self._add_comparison(comparison, subject)
        elif any(not check.answerable for check in answerable):
            mark = float(all(check.score(subject).passed for check in answerable))
            self.without_answer[mark, mark] += 1

    def _add_comparison(self, check: ExactMatch | TokenF1, subject: Subject) -> None:
        text, problem = check.text(subject)
        marks = (0.0, 0.0) if problem else (exact_match(text, check.right), round(token_f1(text, check.right), 6))
        (self.with_answer if any(check.right) else self.without_answer)[marks] += 1


class QaTallies(FirstAnswerTallies[_QaTally]):
    """Tallies of the answers that a check of questions and answers scored."""

    def __init__(self, prepared: PreparedSuite) -> None:
        super().__init__(prepared, _CHECKS, _QaTally)

    def figures(self) -> Qa | None:
        """Return the figures, or None if no case is a question."""
        summaries = [_summary(*item) for item in self.by_prompt()]
        return Qa(summaries) if summaries else None


def _summary(prompt: str, side: str, model: str, tally: _QaTally) -> QaSummary:
    unanswered = sum(count for (exact, _), count in tally.without_answer.items() if exact)
    return QaSummary(
        prompt=prompt,
        side=side,
        model=model,
        overall=_marks(tally.with_answer + tally.without_answer),
        answerable=_marks(tally.with_answer),
        unanswerable=proportion(unanswered, tally.without_answer.total()),
        grounded=proportion(*tally.grounded),
        citations=proportion(*tally.citations),
    )


def _marks(counts: _MarkCounts) -> Marks | None:
    if not counts:
        return None
    exact = sum(count * exact for (exact, _), count in counts.items()) / counts.total()
    low, high = bootstrap.interval(counts, _mean_f1) or (None, None)
    return Marks(counts.total(), exact, _mean_f1(counts), low, high)


def _mean_f1(counts: Mapping[tuple[float, float], int]) -> float:
    return sum(count * f1 for (_, f1), count in counts.items()) / sum(counts.values())
