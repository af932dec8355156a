"""Limits on what a call took: the checks `cost`, `latency` and `tokens`."""

from collections.abc import Callable
from dataclasses import dataclass

from promptbench.checks._scores import mismatch, verdict
from promptbench.plugins import CallFacts, Score, Subject


@dataclass(frozen=True, slots=True)
class AtMost:
    """A check that `measure` of the call is at most `most`."""

    check: str
    what: str
    most: float
    measure: Callable[[CallFacts], float | None]
    shown: Callable[[float], str]

    def score(self, subject: Subject) -> Score:
        # A text without a call took nothing: an example answer must not fail for want of a figure.
        if subject.call is None:
            return verdict(self.check)
        got = self.measure(subject.call)
        # It fails instead of being errored, because the provider did answer.
        if got is None:
            return verdict(self.check, f"{self.what} is unknown, so it cannot be checked")
        too_much = mismatch(self.what, f"at most {self.shown(self.most)}", self.shown(got))
        return verdict(self.check, too_much if got > self.most else None)
