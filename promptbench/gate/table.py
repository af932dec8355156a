"""What a run found, reduced to what a verdict needs: counts for each prompt, model and case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from promptbench.core.types import Attempt, Outcome, Rung


@dataclass(slots=True)
class Cell:
    """The attempts of one prompt on one model and case, by repeat."""

    passed: dict[int, bool] = field(default_factory=dict)
    readable: dict[int, bool] = field(default_factory=dict)
    depths: dict[int, int] = field(default_factory=dict)
    errored: set[int] = field(default_factory=set)

    @property
    def total(self) -> int:
        """Answered attempts; errored ones say nothing about the prompt."""
        return len(self.passed)

    @property
    def passes(self) -> int:
        return sum(self.passed.values())

    @property
    def failures(self) -> int:
        return self.total - self.passes

    def first(self, count: int) -> Cell:
        """The first `count` repeats only."""
        return Cell(
            {repeat: value for repeat, value in self.passed.items() if repeat < count},
            {repeat: value for repeat, value in self.readable.items() if repeat < count},
            {repeat: value for repeat, value in self.depths.items() if repeat < count},
            {repeat for repeat in self.errored if repeat < count},
        )

    def asked(self, count: int) -> bool:
        """Whether the first `count` repeats were all made, answered or not."""
        return all(repeat in self.passed or repeat in self.errored for repeat in range(count))

    @property
    def rung(self) -> Rung | None:
        """The middle rung of the repeats, the better of two; None where nothing was read."""
        depths = sorted(self.depths.values())
        return list(Rung)[depths[(len(depths) - 1) // 2]] if depths else None


class Table:
    """Cells by (variant, model, case). `add` takes attempts in any order; a later answer makes up for an error."""

    def __init__(self, attempts: Iterable[Attempt] = ()) -> None:
        self._cells: dict[tuple[str, str, str], Cell] = {}
        for attempt in attempts:
            self.add(attempt)

    def add(self, attempt: Attempt) -> None:
        key = attempt.key
        cell = self._cells.setdefault((key.variant, key.model, key.case), Cell())
        if attempt.outcome in (Outcome.PASSED, Outcome.FAILED):
            cell.errored.discard(key.repeat)
            cell.passed[key.repeat] = attempt.outcome is Outcome.PASSED
            if attempt.rung is not None:
                cell.depths[key.repeat] = attempt.rung.depth
                cell.readable[key.repeat] = attempt.well_formed
        elif key.repeat not in cell.passed:
            cell.errored.add(key.repeat)

    def cell(self, variant: str, model: str, case: str) -> Cell:
        return self._cells.get((variant, model, case), _EMPTY)

    def cells(self, variant: str, model: str) -> Iterator[tuple[str, Cell]]:
        """All cases of one prompt on one model."""
        return ((case, cell) for (one, other, case), cell in self._cells.items() if (one, other) == (variant, model))


_EMPTY = Cell()
