"""Checks of what a call took, not of what it said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptbench.checks._words import verdict
from promptbench.core.protocols import Subject
from promptbench.core.types import CallFacts, Score


@dataclass(frozen=True, slots=True)
class AtMost:
    """Passes when what `measure` finds is at most `most`.

    A text that no call gave took nothing, so nothing is said against it: a wish must not fail, and a logged answer must
    not count as a failure, for want of a figure. A call of which the figure is unknown fails: a limit that cannot be
    checked does not hold. It is not `errored`, since the provider did answer.
    """

    check: str
    what: str
    most: float
    measure: Callable[[CallFacts], float | None]
    shown: Callable[[float], str]

    def score(self, subject: Subject) -> Score:
        if subject.call is None:
            return verdict(self.check, [])
        got = self.measure(subject.call)
        if got is None:
            return verdict(self.check, [f"{self.what} is unknown, so it cannot be checked"])
        too_much = f"{self.what} is {self.shown(got)}, not at most {self.shown(self.most)}"
        return verdict(self.check, [too_much] if got > self.most else [])
