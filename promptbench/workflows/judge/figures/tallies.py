"""Tallies of the answers of a run, one for each prompt on each model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from promptbench.core.protocols import Check, Subject
from promptbench.core.types import Attempt, Score, Side
from promptbench.engine.prepare.checks import unwrapped
from promptbench.engine.prepare.evaluate import subject_of
from promptbench.engine.prepare.prepared_suite import BASELINE, PreparedCase, PreparedSuite, slot_of
from promptbench.report.nlu import Part
from promptbench.stats.beta import clopper_pearson_upper


class _FirstAnswerTally(Protocol):
    def add(self, case: PreparedCase, subject: Subject, checks: Sequence[Check], scores: Sequence[Score]) -> None:
        """Count one answer. `checks` are those of the case, without weights and readings around them."""


_T = TypeVar("_T", bound=_FirstAnswerTally)


class FirstAnswerTallies(Generic[_T]):
    """Tallies of the first answer to each case.

    Further answers to a case depend on the first one: confidence intervals that count them would be too narrow.
    """

    def __init__(
        self,
        prepared: PreparedSuite,
        checks: Collection[str],
        make: Callable[[], _T],
        counts: Callable[[Check], bool] = lambda check: True,
    ) -> None:
        self._prepared = prepared
        self._checks = checks
        self._make = make
        self._counts = counts
        self._tallies: dict[tuple[str, str], _T] = {}

    def add(self, attempt: Attempt) -> None:
        """Count an attempt if it is the first answer to a case, and one of `checks` scored it."""
        key, answer = attempt.key, attempt.answer
        if key.repeat or answer is None or attempt.fallback is not None:
            return
        if not any(score.check in self._checks for score in attempt.scores):
            return
        case = self._prepared.cases[key.case]
        if case.turns:
            # The figures are about one answer to one input.
            return
        subject = subject_of(answer.text, self._prepared.accept, case.variables, self._prepared.ladder)
        checks = [unwrapped(check) for check in case.checks[key.variant or BASELINE]]
        named = (check for check, score in zip(checks, attempt.scores, strict=False) if score.check in self._checks)
        if not any(map(self._counts, named)):
            return
        if (key.variant, key.model) not in self._tallies:
            self._tallies[key.variant, key.model] = self._make()
        self._tallies[key.variant, key.model].add(case, subject, checks, attempt.scores)

    def by_prompt(self) -> Iterator[tuple[str, str, str, _T]]:
        """Yield the prompt's label, its side, the model and the tally, in the order of the report."""
        for model in self._prepared.models:
            for variant in self._prepared.prompts_of(model):
                if (tally := self._tallies.get((slot_of(variant), model.name))) is not None:
                    label, side = (variant.label, variant.side) if variant else ("", Side.BASELINE)
                    yield label.removesuffix(".prompt"), side.value, model.name, tally


def proportion(right: int, of: int) -> Part | None:
    """Return a proportion with its exact 95 % interval (Clopper and Pearson, 1934), or None if `of` is 0."""
    if not of:
        return None
    low = 1.0 - clopper_pearson_upper(of - right, of, 0.975)
    return Part(right, of, low, clopper_pearson_upper(right, of, 0.975))
