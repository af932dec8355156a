"""The attempts of a run, reduced to what a verdict needs: one byte each, by prompt, model and case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from types import MappingProxyType

from promptbench.core.protocols import OutcomeRow
from promptbench.core.types import Attempt, AttemptKey, Outcome, Rung
from promptbench.gate.latency_cost import LatencyCost

_ANSWERED, _PASSED, _READ, _WELL_FORMED, _ERRORED = 1, 2, 4, 8, 16
# The depth of a parsed answer on the format ladder is stored above the flags.
_DEPTH = 32
# Errored attempts have no depth, so these flags share its bits: they mean something only beside `_ERRORED`. An attempt
# that only lacks its judge is errored and not missing.
_MISSING, _REJECTED = 64, 32
_FEWEST_REFUSALS = 3
_RUNGS = tuple(Rung)


@dataclass(frozen=True, slots=True)
class AttemptCell:
    """The attempts of one prompt on one model and case. `codes` has a byte for each repeat; 0 means not made.

    An attempt is a byte because a run of 100,000 cases keeps a cell for each of them in memory until it is judged.
    """

    codes: bytes = b""

    @property
    def total(self) -> int:
        """The number of answered attempts; errored ones say nothing about the prompt."""
        return self._count(_ANSWERED)

    @property
    def passes(self) -> int:
        """The number of passed attempts."""
        return self._count(_PASSED)

    @property
    def failures(self) -> int:
        """The number of answered attempts that did not pass."""
        return self.total - self.passes

    @property
    def errored(self) -> int:
        """The number of attempts without an answer from the provider."""
        return self._count(_ERRORED)

    @property
    def read(self) -> int:
        """The number of answers that were parsed as data."""
        return self._count(_READ)

    @property
    def well_formed(self) -> int:
        """The number of answers that were readable and valid."""
        return self._count(_WELL_FORMED)

    @property
    def depths(self) -> list[int]:
        """The depths of the parsed answers on the format ladder, best first."""
        return sorted(code // _DEPTH for code in self.codes if code & _READ)

    @property
    def rung(self) -> Rung | None:
        """The median rung of the repeats, the better of two; None if nothing was parsed."""
        depths = self.depths
        return _RUNGS[depths[(len(depths) - 1) // 2]] if depths else None

    @property
    def tries(self) -> tuple[bool | None, ...]:
        """The attempts in order, up to the first that was not made: True if passed, None without an answer."""
        return _tries(self.codes)

    @property
    def high(self) -> tuple[int | None, ...]:
        """The depths on the format ladder in the order of `tries`, None if nothing was parsed."""
        return _depths(self.codes)

    def with_refusals(self, other: AttemptCell, *, deterministic: bool) -> AttemptCell:
        """Return the cell with its missing answers as failures, if the prompt is the reason that they are missing.

        That is so if no try has an answer, of at least three, while the other prompt has one to each: a content filter,
        a context that is too long. On a deterministic model, which is called once, the provider must have rejected the
        request.
        """
        count = len(self.codes)
        missing = min(self.errored, self._count(_MISSING))
        if not count or missing < count or not all(map(other.answered, range(count))):
            return self
        if self._count(_REJECTED) < count if deterministic else count < _FEWEST_REFUSALS:
            return self
        return _cell(bytes((_ANSWERED,)) * count)

    def first(self, count: int) -> AttemptCell:
        """Return the first `count` repeats."""
        return self if len(self.codes) <= count else AttemptCell(self.codes[:count])

    def made(self, repeat: int) -> bool:
        """Return True if an attempt was made, answered or not."""
        return repeat < len(self.codes) and self.codes[repeat] != 0

    def answered(self, repeat: int) -> bool:
        """Return True if an attempt was answered."""
        return repeat < len(self.codes) and bool(self.codes[repeat] & _ANSWERED)

    def asked(self, count: int) -> bool:
        """Return True if the first `count` repeats were all made, answered or not."""
        return len(self.codes) >= count and 0 not in self.codes[:count]

    def _count(self, flag: int) -> int:
        return _flagged(self.codes, flag)


class AttemptMatrix:
    """Cells by (variant, model, case). Attempts may come in any order; a later answer replaces an error.

    Args:
        numbers: the cases known in advance with their numbers, from 0 in its order; their names are not stored again.
        measured: the number of first repeats whose times and costs are kept too.
    """

    def __init__(
        self,
        attempts: Iterable[Attempt] = (),
        numbers: Mapping[str, int] = MappingProxyType({}),
        *,
        measured: int = 0,
    ) -> None:
        self._measured = measured
        self._latency_cost: dict[tuple[str, str], LatencyCost] = {}
        self._numbers = numbers
        self._others: dict[str, int] = {}
        # By the case's number; the list is shorter if the last cases have no attempt.
        self._codes: dict[tuple[str, str], list[bytes]] = {}
        # Equal cells share one object.
        self._shared: dict[bytes, bytes] = {}
        self._cached: Counter[tuple[str, str]] = Counter()
        for attempt in attempts:
            self.add(attempt)

    @classmethod
    def of(cls, rows: Iterable[OutcomeRow], numbers: Mapping[str, int], *, measured: int = 0) -> AttemptMatrix:
        """Return the table of recorded attempts; the arguments are otherwise those of the class."""
        table = cls((), numbers, measured=measured)
        for row in rows:
            table._add(*row)
        return table

    def add(self, attempt: Attempt) -> None:
        """Add an attempt."""
        key, answer = attempt.key, attempt.answer
        self._add(
            *(key.variant, key.model, key.case, key.repeat, attempt.outcome, attempt.rung, attempt.well_formed),
            *(attempt.missing, attempt.rejected, attempt.cached, answer.provider_ms if answer else None, attempt.cost),
        )

    def _add(
        self,
        variant: str,
        model: str,
        case: str,
        repeat: int,
        outcome: str,
        rung: str | None,
        well_formed: bool,
        missing: bool,
        rejected: bool,
        cached: bool,
        time: float | None,
        cost: float | None,
    ) -> None:
        side, codes = (variant, model), self.cell(variant, model, case).codes
        code = _code(outcome, rung, well_formed, missing, rejected)
        self._cached[side] += cached
        before = codes[repeat] if repeat < len(codes) else 0
        if code & _ERRORED and before & _ANSWERED:
            return
        if repeat < self._measured and code & _ANSWERED and not (before & _ANSWERED or cached):
            self._latency_cost.setdefault(side, LatencyCost()).add(time, cost)
        padded = codes.ljust(repeat, b"\0")
        self._put(side, case, padded[:repeat] + bytes((code,)) + padded[repeat + 1 :])

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
        self,
        other: AttemptMatrix,
        side: tuple[str, str],
        name: tuple[str, str],
        cases: Container[str],
        tries: Callable[[str], int] | None = None,
    ) -> None:
        """Copy the attempts of one side (variant and model) of another table at some cases, under another name.

        With `tries`, the first attempt of a deterministic model stands for as many as that returns for its case.
        """
        self._cached[name] += other.cached(*side)
        self._latency_cost[name] = other.latency_cost(*side)
        for case, cell in other.cells(*side):
            if case in cases:
                self._put(name, case, cell.codes[:1] * tries(case) if tries else cell.codes)

    def answered(self, key: AttemptKey) -> bool:
        """Return True if an attempt has its answer."""
        return self.cell(key.variant, key.model, key.case).answered(key.repeat)

    def answers(self) -> int:
        """Return the number of attempts with an answer."""
        return sum(_cell(codes).total for cells in self._codes.values() for codes in cells)

    def answering(self) -> set[str]:
        """Return the models that have answered anything."""
        return {model for (_, model), cells in self._codes.items() if any(_cell(codes).total for codes in cells)}

    def cached(self, variant: str, model: str) -> int:
        """Return how many answers of one prompt on one model came from the cache."""
        return self._cached[variant, model]

    def latency_cost(self, variant: str, model: str) -> LatencyCost:
        """Return the times and costs of one prompt on one model."""
        return self._latency_cost.get((variant, model), LatencyCost())

    def cell(self, variant: str, model: str, case: str) -> AttemptCell:
        """Return the attempts of one prompt on one model and case; empty if there are none."""
        cells, number = self._codes.get((variant, model), ()), self._number(case)
        return _cell(cells[number] if number is not None and number < len(cells) else b"")

    def cells(self, variant: str, model: str) -> Iterator[tuple[str, AttemptCell]]:
        """Yield the cases of one prompt on one model with their attempts."""
        cells = zip(chain(self._numbers, self._others), self._codes.get((variant, model), ()), strict=False)
        return ((case, _cell(codes)) for case, codes in cells if codes)


@lru_cache(maxsize=1024)
def _code(outcome: str, rung: str | None, well_formed: bool, missing: bool, rejected: bool) -> int:
    if outcome not in (Outcome.PASSED, Outcome.FAILED):
        return _ERRORED | (_MISSING * missing) | (_REJECTED * rejected)
    code = _ANSWERED | (_PASSED if outcome == Outcome.PASSED else 0)
    return code if rung is None else code | _READ | (_WELL_FORMED if well_formed else 0) | Rung(rung).depth * _DEPTH


@lru_cache(maxsize=16_384)
def _flagged(codes: bytes, flag: int) -> int:
    # Cached because most cells of a run are alike.
    return sum(1 for code in codes if code & flag)


@lru_cache(maxsize=16_384)
def _tries(codes: bytes) -> tuple[bool | None, ...]:
    return tuple(bool(code & _PASSED) if code & _ANSWERED else None for code in codes.partition(b"\0")[0])


@lru_cache(maxsize=16_384)
def _depths(codes: bytes) -> tuple[int | None, ...]:
    return tuple(code // _DEPTH if code & _READ else None for code in codes.partition(b"\0")[0])


@lru_cache(maxsize=4096)
def _cell(codes: bytes) -> AttemptCell:
    return AttemptCell(codes)
