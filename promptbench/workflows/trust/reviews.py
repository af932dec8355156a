"""What people said about the cases and answers of a suite: `reviews.jsonl` next to it, one mark a line.

The lines are those that `suite agreement --labels` reads, so marks of answers measure a judge too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from promptbench.core.clock import now
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import EnvironmentFailure
from promptbench.metrics.agreement import Confusion, Kappa
from promptbench.project import input_error
from promptbench.suite.labelled import Labelled, read_labelled

FILE = "reviews.jsonl"
# The labels of a case: take it, do not, take it as the reviewer changed it.
CASE_LABELS = ("yes", "no", "edit")


@dataclass(frozen=True, slots=True)
class ReviewersCompared:
    """Two reviewers' marks of the same things. `differing` are the cases that only one of them accepts.

    `kappa` is None without such marks, or if all are the same.
    """

    reviewers: tuple[str, str]
    shared: int
    kappa: Kappa | None
    differing: Sequence[str]


def read_marks(folder: Path, about: str = "case") -> list[Labelled]:
    """Return the newest mark of each reviewer about the cases of the suite in `folder`, or about its answers.

    Raise InputError with every error in the file.
    """
    path, found = folder / FILE, Diagnostics()
    marks = read_labelled(path, path.as_posix(), found, about) if path.exists() else []
    if found.errors:
        raise input_error(found)
    return marks


def add_marks(folder: Path, marks: Iterable[Labelled], about: str = "case") -> int:
    """Append the marks that say something new, and return their number. Nothing that is there changes.

    Raise InputError if the file has errors, EnvironmentFailure if it cannot be written.
    """
    known = {*read_marks(folder, about)}
    path, lines = folder / FILE, list[str]()
    for mark in marks:
        if mark not in known:
            written = {"case": mark.case, "about": about, "answer": mark.answer, "model": mark.model}
            said = {"label": mark.label, "reviewer": mark.reviewer, "time": now()}
            line = {key: value for key, value in {**written, **said}.items() if value is not None}
            lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    try:
        if lines:
            end = "\n" if path.exists() and not path.read_bytes().endswith(b"\n") else ""
            # In one write, so that two processes do not mix their lines.
            with path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(end + "".join(lines))
    except OSError as error:
        raise EnvironmentFailure(f"{path} cannot be written: {error.strerror}") from None
    return len(lines)


def accepted(marks: Iterable[Labelled]) -> dict[str, bool]:
    """Return the reviewed cases by name: True if every reviewer accepts the case, by their last mark."""
    found: dict[str, bool] = {}
    for mark in {(mark.case, mark.reviewer): mark for mark in marks}.values():
        found[mark.case] = mark.passed and found.get(mark.case, True)
    return found


def compare_reviewers(marks: Sequence[Labelled]) -> list[ReviewersCompared]:
    """Return the agreement of each pair of reviewers that marked the same cases or answers."""
    by_reviewer: dict[str, dict[tuple[str, str | None], bool]] = {}
    for mark in marks:
        by_reviewer.setdefault(mark.reviewer, {})[mark.case, mark.answer] = mark.passed
    compared = []
    for pair in combinations(sorted(by_reviewer), 2):
        one, other = by_reviewer[pair[0]], by_reviewer[pair[1]]
        shared = [key for key in one if key in other]
        counts = Confusion.of([one[key] for key in shared], [other[key] for key in shared])
        if shared:
            differing = [key[0] for key in shared if one[key] is not other[key]]
            compared.append(ReviewersCompared(pair, len(shared), counts.kappa(), differing))
    return compared
