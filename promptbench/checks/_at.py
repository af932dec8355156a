"""The option `at` of every check: look at one value of a JSON answer, or at each of several."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

from promptbench.checks._paths import Path, value_at
from promptbench.core.canonical import canonical
from promptbench.parsing.json_text import read
from promptbench.plugins import Check, Json, Reading, Rung, Score, Subject


@dataclass(frozen=True, slots=True)
class At:
    """A check of the value at `path`. If the path has `[*]`, each value must pass, and the score is their mean."""

    name: str
    path: Path
    check: Check

    def score(self, subject: Subject) -> Score:
        found, problem = subjects_at(subject, self.path)
        if problem is not None:
            return Score(self.name, False, 0.0, problem)
        scores = [self.check.score(inner) for inner in found]
        failed = next((number for number, score in enumerate(scores) if not score.passed), None)
        if failed is None:
            return replace(scores[0], value=fmean(score.value for score in scores))
        item = f" (value {failed + 1} of {len(scores)})" if len(scores) > 1 else ""
        reason = f"{self.path.written}{item}: {scores[failed].reason}"
        return replace(scores[failed], value=fmean(score.value for score in scores), reason=reason)


def subjects_at(subject: Subject, path: Path) -> tuple[list[Subject], str | None]:
    """Return the answer's value at a path as a subject, or several for `[*]`, or the problem if there is none."""
    value, problem = value_at(subject, path)
    if problem is not None:
        return [], problem
    values = value if None in path.steps and isinstance(value, list) else [value]
    return list(_subjects(subject, values)), None if values else f"{path.written} has no values"


def _subjects(subject: Subject, values: list[Json]) -> Iterator[Subject]:
    for value in values:
        # A text may itself be JSON. How it is written is not the format of the answer, so it is not reported.
        if isinstance(value, str):
            yield replace(subject, text=value, read=partial(read, value), report_reading=None)
        else:
            yield replace(subject, text=canonical(value), read=partial(Reading, Rung.RAW, value), report_reading=None)
