"""What a run found, reduced to what a verdict needs: one byte an attempt, for each prompt, model and case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from types import MappingProxyType

from promptbench.core.types import Attempt, AttemptKey, Outcome, Rung
from promptbench.gate.measures import Measures

_ANSWERED, _PASSED, _READ, _WELL_FORMED, _ERRORED = 1, 2, 4, 8, 16
_DEPTH = 32
"""An answered attempt that was read as data has its depth on the ladder above the flags."""
_RUNGS = tuple(Rung)


@dataclass(frozen=True, slots=True)
class Cell:
    """The attempts of one prompt on one model and case. `codes` has a byte for each repeat; 0 is one not made.

    An attempt is a byte because a run of 100,000 cases has a cell for each of them, in memory until it is judged.
    """

    codes: bytes = b""

    @property
    def total(self) -> int:
        """Answered attempts; errored ones say nothing about the prompt."""
        return self._count(_ANSWERED)

    @property
    def passes(self) -> int:
        return self._count(_PASSED)

    @property
    def failures(self) -> int:
        return self.total - self.passes

    @property
    def errored(self) -> int:
        """Attempts to which the provider gave no answer."""
        return self._count(_ERRORED)

    @property
    def read(self) -> int:
        """Answers that were read as data."""
        return self._count(_READ)

    @property
    def well_formed(self) -> int:
        """Answers that were readable and valid."""
        return self._count(_WELL_FORMED)

    @property
    def depths(self) -> list[int]:
        """How far down the format ladder each answer that was read is, best first."""
        return sorted(code // _DEPTH for code in self.codes if code & _READ)

    @property
    def rung(self) -> Rung | None:
        """The middle rung of the repeats, the better of two; None where nothing was read."""
        depths = self.depths
        return _RUNGS[depths[(len(depths) - 1) // 2]] if depths else None

    def first(self, count: int) -> Cell:
        """The first `count` repeats only."""
        return self if len(self.codes) <= count else Cell(self.codes[:count])

    def made(self, repeat: int) -> bool:
        """Whether an attempt was made, answered or not."""
        return repeat < len(self.codes) and self.codes[repeat] != 0

    def answered(self, repeat: int) -> bool:
        return repeat < len(self.codes) and bool(self.codes[repeat] & _ANSWERED)

    def asked(self, count: int) -> bool:
        """Whether the first `count` repeats were all made, answered or not."""
        return len(self.codes) >= count and 0 not in self.codes[:count]

    def _count(self, flag: int) -> int:
        return _flagged(self.codes, flag)


class Table:
    """Cells by (variant, model, case). `add` takes attempts in any order; a later answer makes up for an error.

    `numbers` gives the cases that are known before their numbers, from 0 in its order; their names are not held again.
    Of the first `measured` repeats it keeps times and costs too.
    """

    def __init__(
        self,
        attempts: Iterable[Attempt] = (),
        numbers: Mapping[str, int] = MappingProxyType({}),
        *,
        measured: int = 0,
    ) -> None:
        self._measured = measured
        self._measures: dict[tuple[str, str], Measures] = {}
        self._numbers = numbers
        self._others: dict[str, int] = {}
        self._codes: dict[tuple[str, str], list[bytes]] = {}
        """By the case's number; shorter than there are cases where the last ones have no attempt."""
        self._shared: dict[bytes, bytes] = {}
        """One object stands for all cells that are equal."""
        self._cached: Counter[tuple[str, str]] = Counter()
        for attempt in attempts:
            self.add(attempt)

    def add(self, attempt: Attempt) -> None:
        key = attempt.key
        self._cached[key.variant, key.model] += attempt.cached
        codes, code = self.cell(key.variant, key.model, key.case).codes, _code(attempt)
        before = codes[key.repeat] if key.repeat < len(codes) else 0
        if code == _ERRORED and before & _ANSWERED:
            return
        if key.repeat < self._measured and code & _ANSWERED and not (before & _ANSWERED or attempt.cached):
            self._measures.setdefault((key.variant, key.model), Measures()).add(attempt)
        padded = codes.ljust(key.repeat, b"\0")
        codes = padded[: key.repeat] + bytes((code,)) + padded[key.repeat + 1 :]
        self._put((key.variant, key.model), key.case, codes)

    def _put(self, side: tuple[str, str], case: str, codes: bytes) -> None:
        number = self._number(case)
        if number is None:
            number = self._others[case] = len(self._numbers) + len(self._others)
        cells = self._codes.setdefault(side, [])
        cells.extend([b""] * (number + 1 - len(cells)))
        cells[number] = self._shared.setdefault(codes, codes)

    def _number(self, case: str) -> int | None:
        number = self._numbers.get(case)
        return self._others.get(case) if number is None else number

    def take(
        self, other: Table, side: tuple[str, str], name: tuple[str, str], cases: Container[str], tries: int = 1
    ) -> None:
        """Takes in what another table has of one side (variant and model) at some cases, under another name.

        Of a model that always answers the same, one attempt stands for `tries`.
        """
        self._cached[name] += other.cached(*side)
        self._measures[name] = other.measures(*side)
        for case, cell in other.cells(*side):
            if case in cases:
                codes = cell.codes * tries if len(cell.codes) == 1 else cell.codes
                self._put(name, case, codes)

    def answered(self, key: AttemptKey) -> bool:
        """Whether an attempt has its answer, so that it needs no asking."""
        return self.cell(key.variant, key.model, key.case).answered(key.repeat)

    def answers(self) -> int:
        """How many attempts have their answers."""
        return sum(_cell(codes).total for cells in self._codes.values() for codes in cells)

    def cached(self, variant: str, model: str) -> int:
        """How many attempts of one prompt on one model have their answers from the cache."""
        return self._cached[variant, model]

    def measures(self, variant: str, model: str) -> Measures:
        """Times and costs of one prompt on one model."""
        return self._measures.get((variant, model), Measures())

    def cell(self, variant: str, model: str, case: str) -> Cell:
        cells, number = self._codes.get((variant, model), ()), self._number(case)
        return _cell(cells[number] if number is not None and number < len(cells) else b"")

    def cells(self, variant: str, model: str) -> Iterator[tuple[str, Cell]]:
        """All cases of one prompt on one model."""
        cells = zip(chain(self._numbers, self._others), self._codes.get((variant, model), ()), strict=False)
        return ((case, _cell(codes)) for case, codes in cells if codes)


def _code(attempt: Attempt) -> int:
    if attempt.outcome not in (Outcome.PASSED, Outcome.FAILED):
        return _ERRORED
    code = _ANSWERED | (_PASSED if attempt.outcome is Outcome.PASSED else 0)
    if attempt.rung is not None:
        code |= _READ | (_WELL_FORMED if attempt.well_formed else 0) | attempt.rung.depth * _DEPTH
    return code


@lru_cache(maxsize=16_384)
def _flagged(codes: bytes, flag: int) -> int:
    """How many attempts have a flag; most cells of a run are alike."""
    return sum(1 for code in codes if code & flag)


@lru_cache(maxsize=4096)
def _cell(codes: bytes) -> Cell:
    return Cell(codes)
