"""What may be spent, and an end before more is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from promptbench.core.errors import EnvironmentFailure


class BudgetReached(EnvironmentFailure):
    """The next call could go beyond the budget. The message says which part of it is used up."""


class Budget:
    """US dollars, calls and minutes that may be spent; None where there is no bound.

    Every try is a call. A call in flight counts with what it is expected to cost; a caller waits for it when only it
    stands between the budget and the next call. `clock` is in seconds.
    """

    def __init__(
        self,
        *,
        max_cost: float | None = None,
        max_calls: int | None = None,
        max_minutes: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_cost = max_cost
        self.spent = 0.0
        self.calls = 0
        self._max_calls = max_calls
        self._max_minutes = max_minutes
        self._clock = clock
        self._started = clock()
        self._held = 0.0
        self._in_flight = 0
        self._waiting: list[asyncio.Future[None]] = []

    async def hold(self, cost: float) -> None:
        """Takes one call of about `cost` dollars out of the budget. Raises BudgetReached when it is too much."""
        self.check()
        while self.max_cost is not None and self.spent + self._held + cost > self.max_cost:
            if not self._in_flight:
                raise BudgetReached(
                    f"${self.spent:.4f} of ${self.max_cost:g} are spent, and the next call could cost ${cost:.4f}"
                )
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
            self.check()
        self.calls += 1
        self._held += cost
        self._in_flight += 1

    def settle(self, held: float, spent: float) -> None:
        """Puts back what was held for a call, and books what it did cost."""
        self._held -= held
        self._in_flight -= 1
        self.spent += spent
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def check(self, delay: float = 0.0) -> None:
        """Raises BudgetReached when no call may be made in `delay` seconds."""
        if self._max_calls is not None and self.calls >= self._max_calls:
            raise BudgetReached(f"{self.calls} of {self._max_calls} calls are made")
        if self._max_minutes is not None and self._clock() + delay - self._started >= self._max_minutes * 60:
            raise BudgetReached(f"the {self._max_minutes:g} minutes are over")
