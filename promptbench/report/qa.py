"""What a report says of questions and answers: figures as plain data, and the lines that show them to a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptbench.core.words import number_of
from promptbench.report.nlu import Part, bounds, percent, share_of


@dataclass(frozen=True, slots=True)
class Marks:
    """Means over `questions`, in [0, 1], as SQuAD 2.0 defines them. `low` and `high` are the bounds of the 95 %
    bootstrap interval of the F1.
    """

    questions: int
    exact_match: float
    token_f1: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class QaSummary:
    """One prompt on one model, by its first answer to each question. None where no case asks for such a thing.

    `overall` is of all questions whose answer is known, `answerable` of those that have one; `unanswerable` are the
    questions without an answer where none was given. `grounded` and `citations` are the answers that pass these checks.
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
    """What the checks of answers from documents found in a run."""

    summaries: Sequence[QaSummary]


def figures(summary: QaSummary) -> Iterator[tuple[str, str, str]]:
    """The figures of one prompt on one model: each with its name, and with what it is of."""
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
