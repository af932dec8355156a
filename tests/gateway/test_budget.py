from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from promptbench.core.errors import Exit
from promptbench.core.types import Answer, ModelRef, Usage
from promptbench.gateway import Budget, BudgetReached, Gateway
from tests.helpers.asking import ask_for
from tests.helpers.scripted import FATAL, TRANSIENT, Scripted

MODEL = "scripted/m"


def hold(budget: Budget, cost: float, count: int) -> int:
    """How many of `count` calls that cost what they were expected to are let through, one after the other."""

    async def run() -> int:
        for made in range(count):
            try:
                await budget.hold(cost)
            except BudgetReached:
                return made
            budget.settle(cost, cost)
        return count

    return asyncio.run(run())


def test_it_stops_before_it_is_exceeded() -> None:
    budget = Budget(max_cost=1.0)
    assert hold(budget, 0.3, 10) == 3
    assert budget.spent == pytest.approx(0.9)
    assert hold(budget, 0.0, 10) == 10, "what costs nothing goes on"
    assert hold(Budget(max_calls=4), 9.0, 10) == 4
    assert hold(Budget(), 9.0, 10) == 10


def test_minutes_by_the_clock() -> None:
    now = [100.0]
    budget = Budget(max_minutes=2, clock=lambda: now[0])
    assert hold(budget, 0.0, 1) == 1
    budget.check(119.0)
    with pytest.raises(BudgetReached, match="the 2 minutes are over"):
        budget.check(120.0)
    now[0] = 221.0
    with pytest.raises(BudgetReached) as caught:
        budget.check()
    assert caught.value.exit is Exit.ENVIRONMENT


def test_what_is_in_flight_counts_until_it_costs_less() -> None:
    budget = Budget(max_cost=1.0)

    async def run() -> None:
        await budget.hold(0.6)
        second = asyncio.create_task(budget.hold(0.6))
        await asyncio.sleep(0)
        assert not second.done()
        budget.settle(0.6, 0.1)
        await second
        third = asyncio.create_task(budget.hold(0.6))
        await asyncio.sleep(0)
        budget.settle(0.6, 0.6)
        with pytest.raises(BudgetReached, match=r"\$0.7000 of \$1 are spent, and the next call could cost \$0.6000"):
            await third

    asyncio.run(run())


def test_a_budget_outlives_a_loop() -> None:
    budget = Budget(max_cost=1.0)

    async def contended() -> None:
        await budget.hold(0.4)
        waiting = asyncio.create_task(budget.hold(0.8))
        await asyncio.sleep(0)
        budget.settle(0.4, 0.0)
        await waiting
        budget.settle(0.8, 0.0)

    asyncio.run(contended())
    asyncio.run(contended())
    assert budget.spent == 0.0


class Gate:
    """A gateway whose model costs a dollar a token out."""

    def __init__(self, provider: Scripted, budget: Budget, retries: int = 4) -> None:
        async def at_once(seconds: float) -> None:
            await asyncio.sleep(0)

        self.budget = budget
        self.gateway = Gateway(
            {MODEL: provider},
            retries=retries,
            bill=self._bill,
            budgets=[budget],
            notice=lambda text: None,
            sleep=at_once,
            random=lambda: 0.0,
        )

    @staticmethod
    def _bill(model: ModelRef, usage: Usage) -> float:
        return float(usage.output_tokens)

    def ask(self, count: int, tokens: int = 10) -> list[Any]:
        async def run() -> list[Any]:
            request = ask_for(MODEL, params={"maxOutputTokens": tokens})
            asks: list[Coroutine[Any, Any, Any]] = [self.gateway.call(request) for _ in range(count)]
            return await asyncio.gather(*asks, return_exceptions=True)

        return asyncio.run(run())


class Counted(Scripted):
    """Answers with three tokens."""

    async def complete(self, request: Any) -> Answer:
        answer = await super().complete(request)
        return Answer(answer.text, answer.model, usage=Usage(1, 3))


def test_every_try_is_a_call() -> None:
    provider = Scripted(["fine", *[TRANSIENT] * 10])
    gate = Gate(provider, Budget(max_calls=3))
    assert gate.ask(1)[0].answer
    outcome = gate.ask(1)[0]
    assert isinstance(outcome, BudgetReached)
    assert provider.calls == 3


def test_the_cost_is_never_exceeded_by_what_is_in_flight() -> None:
    provider = Counted(["x"], concurrency=8, seconds=0.01)
    gate = Gate(provider, Budget(max_cost=40.0))
    outcomes = gate.ask(30)
    answers = [outcome for outcome in outcomes if not isinstance(outcome, BudgetReached)]
    assert provider.most_at_once == 4, "each of 10 dollars at most"
    # At 33 spent, another call of up to 10 does not fit.
    assert (len(answers), gate.budget.spent) == (11, 33.0)


def test_what_failed_is_booked_only_where_it_may_be_billed() -> None:
    silent = type(TRANSIENT)(TRANSIENT.kind, "the connection broke")
    refused, broken = Gate(Scripted([FATAL]), Budget(max_cost=100)), Gate(Scripted([silent]), Budget(max_cost=100), 0)
    refused.ask(1)
    broken.ask(1)
    assert (refused.budget.spent, broken.budget.spent) == (0.0, 10.0)
