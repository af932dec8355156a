"""What a run may spend, and what it is expected to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from promptbench.api.running import prices_of, repeats_of
from promptbench.api.workspace import Project
from promptbench.core.errors import InputError
from promptbench.core.types import Usage
from promptbench.engine.estimate import Estimate, estimates, judge_estimates
from promptbench.gateway import Budget, Prices
from promptbench.project.bench import PreparedModel, PreparedSuite
from promptbench.suite.models import dollars


@dataclass(frozen=True, slots=True)
class Spending:
    """What one command may spend, over all its suites; None where there is no bound. Costs are in US dollars."""

    max_cost: float | None = None
    max_calls: int | None = None
    max_minutes: float | None = None

    @classmethod
    def read(cls, max_cost: str | None, max_calls: int | None, max_minutes: float | None) -> Spending:
        """With the cost as people write it, `$2` or `2.50`. Raises InputError."""
        cost = None if max_cost is None else dollars(max_cost)
        if max_cost is not None and cost is None:
            raise InputError(f"'{max_cost}' is no amount of US dollars", hint="write it as '$2' or 2.50")
        return cls(cost, max_calls, max_minutes)

    def budget(self) -> Budget:
        """The command's budget, as full as it can be."""
        return Budget(max_cost=self.max_cost, max_calls=self.max_calls, max_minutes=self.max_minutes)

    def budgets(self, whole: Budget, prepared: PreparedSuite) -> tuple[Budget, ...]:
        """The budgets of one suite's run: the command's, and the suite's own where no flag says otherwise."""
        own = prepared.suite.gate.max_cost
        return (whole,) if own is None or self.max_cost is not None else (Budget(max_cost=own), whole)

    def check(self, project: Project, prepared_suites: Iterable[PreparedSuite]) -> None:
        """Raises InputError where a bound on the cost cannot be kept, because a price is unknown."""
        for prepared in prepared_suites:
            if self.max_cost is None and prepared.suite.gate.max_cost is None:
                continue
            require_prices(prices_of(project, prepared), prepared.reachable)


def require_prices(prices: Prices, models: Iterable[PreparedModel]) -> None:
    """Raises InputError where a bound on the cost of calls to some models cannot be kept."""
    for model in models:
        if prices.of_tokens(model.ref, Usage(0, 0)) is None:
            raise InputError(
                f"the price of {model.name} is unknown, so a bound on the cost cannot be kept",
                hint="write its price into a file and name that in the setting 'prices', or use --max-calls",
            )


def expected(project: Project, prepared: PreparedSuite) -> dict[str, Estimate]:
    """By model: calls, tokens and cost of the first round."""
    return estimates(prepared, repeats_of(prepared), prices_of(project, prepared).of_tokens)


def expected_of_judges(project: Project, prepared: PreparedSuite) -> dict[str, Estimate]:
    """By judge: the most calls, tokens and cost of the first round."""
    return judge_estimates(prepared, repeats_of(prepared), prices_of(project, prepared).of_tokens)
