"""What people said about the cases and answers of a suite: `reviews.jsonl` next to it, one mark a line.

The lines are those that `suite agreement --labels` reads, so marks of answers measure a judge too.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from promptbench.core.clock import now
from promptbench.core.errors import Diagnostics, EnvironmentFailure, InputError
from promptbench.core.types import Json
from promptbench.metrics.agreement import Confusion, Kappa
from promptbench.project import Project, input_error
from promptbench.store.runs import RunStore
from promptbench.suite.labelled import WITHDRAWN, Labelled, read_labelled
from promptbench.suite.sheets import SheetCase, case_rows
from promptbench.workflows.judge.inspect_run import REVIEWS

FILE = REVIEWS
# The labels of a case: take it, do not, take it as the reviewer changed it.
CASE_LABELS = ("yes", "no", "edit")
ANSWER_LABELS = ("pass", "fail")
_MOST_BYTES = 5_000_000  # of a file that may be a review sheet


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
            said = {"label": mark.label, "should be": mark.should_be or None, "note": mark.note or None}
            line = {key: value for key, value in {**written, **said}.items() if value is not None}
            line |= {"reviewer": mark.reviewer, "time": now()}
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


class ReviewItem(NamedTuple):
    """An answer of a `run` to review, or, without an answer, a case: a `row` of a review sheet."""

    case: str
    answer: str | None
    model: str | None
    run: str = ""
    row: Json = None


def review_items(project: Project, file: Path, sheet: str = "") -> Sequence[ReviewItem]:
    """Return the rows of a review sheet, or the different answers of a suite's newest finished run; none without one.

    Raise InputError if the sheet is not one of `review_sheets`.
    """
    if sheet and sheet not in review_sheets(project, file):
        raise InputError(f"review sheet '{sheet}' not found")
    if sheet:
        rows = _rows(project.settings.root / sheet)
        return [ReviewItem(str(row.value.get("case")), None, None, row=row.value) for row in rows]
    with project.recordings() as runs:
        newest = (runs.run(item.run) for item in runs.grid().verdicts() if item.finished) if runs else iter(())
        info = next((info for info in newest if info.facts["path"] == project.shown(file)), None)
    return _answers(project.settings.state, info.id) if info else ()


@lru_cache(maxsize=2)
def _answers(state: Path, run: str) -> Sequence[ReviewItem]:
    with RunStore(state) as runs:
        first = [(it.key, it.answer.text) for it in runs.attempts(run) if it.key.repeat == 0 and it.answer]
    keys = dict.fromkeys((key.case, text, key.model) for key, text in first if text)
    return [ReviewItem(*key, run) for key in keys]


def mark_item(
    folder: Path, item: ReviewItem, label: str, reviewer: str, *, note: str = "", should_be: str = ""
) -> None:
    """Append a reviewer's mark to those of the suite in `folder`; `withdrawn` takes back the last one.

    Raise InputError if the label is unknown.
    """
    about, labels = ("case", CASE_LABELS) if item.answer is None else ("answer", ANSWER_LABELS)
    if label not in (*labels, WITHDRAWN):
        raise InputError(f"unknown label '{label}'")
    right = should_be if label == "fail" else ""
    said = Labelled(item.case, label in ("pass", "yes", "edit"), item.answer, item.model, label=label)
    add_marks(folder, [replace(said, reviewer=reviewer, note=note, should_be=right)], about)


def review_sheets(project: Project, file: Path) -> list[str]:
    """Return the sheets with a column `review`, in the project's folder and next to a suite."""
    folders = dict.fromkeys((project.settings.root, file.parent))
    paths = [path for folder in folders for path in sorted([*folder.glob("*.csv"), *folder.glob("*.xlsx")])]
    small = (path for path in paths if path.stat().st_size < _MOST_BYTES)
    return [project.shown(path) for path in small if any(row.reviewed for row in _rows(path))]


def _rows(path: Path) -> list[SheetCase]:
    return [row for row in case_rows(path, path.as_posix(), Diagnostics()) if row]
