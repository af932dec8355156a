"""A bound on dollars, calls and minutes that is never exceeded."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Self

from promptbench.core.errors import EnvironmentFailure


class BudgetReached(EnvironmentFailure):
    """The next call could exceed the budget. The message says which part is used up."""


class Budget:
    """US dollars, calls and minutes that may be spent; None means no bound.

    Every try is a call. A call in flight counts with its expected cost; a caller waits for it if its refund could allow
    the next call. `clock` is in seconds.
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
        """Reserve one call of about `cost` dollars. Raises BudgetReached if that exceeds the budget."""
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

    def take(self, cost: float, calls: int) -> None:
        """Count calls that are sent together and may cost this much. Raises BudgetReached if that is too much."""
        self.check(calls=calls)
        if self.max_cost is not None and self.spent + self._held + cost > self.max_cost:
            spent = f"${self.spent:.4f} of ${self.max_cost:g} are spent"
            raise BudgetReached(f"{spent}, and the next {calls} calls could cost ${cost:.4f}")
        self.calls += calls
        self.spent += cost

    def settle(self, held: float, spent: float) -> None:
        """Replace what was reserved for a call by what it cost."""
        self._held -= held
        self._in_flight -= 1
        self.spent += spent
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def check(self, delay: float = 0.0, calls: int = 1) -> None:
        """Raise BudgetReached if not this many `calls` may be made in `delay` seconds."""
        if self._max_calls is not None and self.calls + calls > self._max_calls:
            raise BudgetReached(f"{self.calls} of {self._max_calls} calls are made")
        if self._max_minutes is not None and self._clock() + delay - self._started >= self._max_minutes * 60:
            raise BudgetReached(f"the {self._max_minutes:g} minutes are over")


class Charge:
    """One call's share of several budgets, as a context: `reserved` on entry, replaced by `spent` on exit."""

    __slots__ = ("_budgets", "reserved", "spent")

    def __init__(self, budgets: Sequence[Budget], reserved: float) -> None:
        self._budgets = budgets
        self.reserved = self.spent = reserved

    async def __aenter__(self) -> Self:
        holding: list[Budget] = []
        try:
            for budget in self._budgets:
                await budget.hold(self.reserved)
                holding.append(budget)
        except BaseException:
            for budget in holding:
                budget.settle(self.reserved, 0.0)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for budget in self._budgets:
            budget.settle(self.reserved, self.spent)
