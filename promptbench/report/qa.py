"""Figures on questions and answers as plain data, and their words in a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptbench.core.words import number_of
from promptbench.report.nlu import Part, bounds, percent, share_of


@dataclass(frozen=True, slots=True)
class Marks:
    """Means over `questions`, in [0, 1], as SQuAD 2.0 defines them.

    `low` and `high` are the bounds of the 95 % bootstrap interval of the F1.
    """

    questions: int
    exact_match: float
    token_f1: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class QaSummary:
    """One prompt on one model, by its first answer to each question. None if no case is of that kind.

    `overall` is over all questions with a known answer, `answerable` over those that have one; `unanswerable` counts
    the questions without an answer for which none was given. `grounded` and `citations` are the
    answers that pass these checks.
    """

    prompt: str
    side: str
    model: str
    overall: Marks | None
    answerable: Marks | None
    unanswerable: Part | None
    grounded: Part | None
    citations: Part | None


@dataclass(frozen=True, slots=True)
class Qa:
    """The figures of the checks of answers from documents in a run."""

    summaries: Sequence[QaSummary]


def figures(summary: QaSummary) -> Iterator[tuple[str, str, str]]:
    """Yield the figures of one prompt on one model: name, value, and the questions that it is of."""
    if summary.overall:
        yield "exact match", percent(summary.overall.exact_match), number_of(summary.overall.questions, "question")
        yield "token F1", _f1(summary.overall), ""
    if summary.answerable and summary.unanswerable:
        about = f"{number_of(summary.answerable.questions, 'question')} with an answer"
        yield "token F1, answerable", _f1(summary.answerable), about
    parts = {
        "unanswerable left so": (summary.unanswerable, "question"),
        "grounded": (summary.grounded, "answer"),
        "citations right": (summary.citations, "answer"),
    }
    for name, (part, of) in parts.items():
        if part:
            yield name, share_of(part), number_of(part.of, of)


def _f1(marks: Marks) -> str:
    if marks.low is None or marks.high is None:
        return percent(marks.token_f1)
    return f"{percent(marks.token_f1)} ({bounds(marks.low, marks.high)})"
