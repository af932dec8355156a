"""Split the cases of a run over several machines.

All machines must compute the same split, so it depends only on the suite's cases and on the durations that are
committed next to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heapreplace
from statistics import median_low

from promptbench.core.errors import InputError

MOST = 10_000


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `of` parts; `number` counts from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Parse `3/10`. Raises InputError if it is not a shard."""
        match = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text, re.ASCII)
        if not match:
            raise InputError(f"'{text}' is not a valid shard: expected NUMBER/COUNT, such as 3/10")
        number, of = int(match[1]), int(match[2])
        if not 1 <= number <= of <= MOST:
            raise InputError(
                f"'{text}' is not a valid shard: shard {number} of {of} does not exist; the first one is 1/{max(of, 1)}"
            )
        return cls(number, of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def share(self, whole: float) -> float:
        """Return this shard's part of a limit. Those of all shards together are at most `whole`.

        They are whole numbers, unless there is less than one for each shard: of 1.5 calls a minute, two would be made.
        """
        return whole / self.of if whole < self.of else whole // self.of + (self.number <= whole % self.of)

    def share_of_calls(self, whole: int | None, option: str) -> int | None:
        """Return this shard's part of a number of calls, None if there is no limit.

        Raises InputError if there is less than one call for each shard.
        """
        if whole is not None and whole < self.of:
            raise InputError(
                f"{option} {whole} is less than one call for each of {self.of} shards",
                hint=f"shards divide it between them: set it to {self.of} or more, or use fewer shards",
            )
        return whole and int(self.share(whole))

    def cases(self, names: Iterable[str], durations: Mapping[str, int]) -> list[str]:
        """Return this shard's cases, in their order. `durations` are whole milliseconds of the cases that are known.

        The longest case goes first, each to the shard with the least work (Graham 1969, LPT: no shard takes longer than
        4/3 of the best split). An unknown case takes the median. If none is known, they are dealt in turn.
        """
        order = list(names)
        usual = median_low(durations.values()) if durations else 1
        takes = {name: max(0, durations.get(name, usual)) for name in order}
        # Per shard: time, number of cases, number of the shard.
        loads = [(0, 0, number) for number in range(1, self.of + 1)]
        heapify(loads)
        mine = set()
        for name in sorted(order, key=lambda name: -takes[name]):
            time, count, number = loads[0]
            heapreplace(loads, (time + takes[name], count + 1, number))
            if number == self.number:
                mine.add(name)
        return [name for name in order if name in mine]
