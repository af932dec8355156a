"""Limits on what a run may spend, and what it is expected to spend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from promptbench.core.errors import InputError
from promptbench.core.types import Usage
from promptbench.engine.plan import Estimate, estimates, judge_estimates
from promptbench.engine.prepare.prepared_suite import PreparedModel, PreparedSuite
from promptbench.gateway import Budget, Prices
from promptbench.project import Project
from promptbench.suite.file import dollars
from promptbench.workflows.judge.execute import prices_of, repeats_of


@dataclass(frozen=True, slots=True)
class Spending:
    """What one command may spend, over all its suites; None means no limit. Costs are in US dollars."""

    max_cost: float | None = None
    max_calls: int | None = None
    max_minutes: float | None = None

    @classmethod
    def read(cls, max_cost: str | None, max_calls: int | None, max_minutes: float | None) -> Spending:
        """Parse a cost such as `$2` or `2.50`. Raises InputError if it is invalid."""
        cost = None if max_cost is None else dollars(max_cost)
        if max_cost is not None and cost is None:
            raise InputError(f"expected an amount of US dollars, got '{max_cost}'", hint="write it as '$2' or 2.50")
        return cls(cost, max_calls, max_minutes)

    def budget(self) -> Budget:
        """Return the command's budget, with nothing spent yet."""
        return Budget(max_cost=self.max_cost, max_calls=self.max_calls, max_minutes=self.max_minutes)

    def budgets(self, whole: Budget, prepared: PreparedSuite) -> tuple[Budget, ...]:
        """Return the budgets of one suite's run: the command's, and the suite's own unless a flag overrides it."""
        own = prepared.suite.gate.max_cost
        return (whole,) if own is None or self.max_cost is not None else (Budget(max_cost=own), whole)

    def check(self, project: Project, prepared_suites: Iterable[PreparedSuite]) -> None:
        """Raise InputError if a cost limit cannot be kept because a price is unknown."""
        for prepared in prepared_suites:
            if self.max_cost is None and prepared.suite.gate.max_cost is None:
                continue
            require_prices(prices_of(project, prepared), prepared.reachable)


def require_prices(prices: Prices, models: Iterable[PreparedModel]) -> None:
    """Raise InputError if a cost limit on calls to these models cannot be kept."""
    for model in models:
        if prices.of_tokens(model.ref, Usage(0, 0)) is None:
            raise InputError(
                f"the price of {model.name} is unknown, so a cost limit cannot be kept",
                hint="add its price to a file named by the setting 'prices', or use --max-calls",
            )


def estimate_calls(project: Project, prepared: PreparedSuite) -> dict[str, Estimate]:
    """Return calls, tokens and cost of the first round by model."""
    return estimates(prepared, repeats_of(prepared), prices_of(project, prepared).of_tokens)


def estimate_judge_calls(project: Project, prepared: PreparedSuite) -> dict[str, Estimate]:
    """Return the most calls, tokens and cost of the first round by judge."""
    return judge_estimates(prepared, repeats_of(prepared), prices_of(project, prepared).of_tokens)
