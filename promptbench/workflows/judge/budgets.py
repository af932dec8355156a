"""Limits on what a run may spend, and what it is expected to spend."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from promptbench.core.errors import InputError
from promptbench.core.types import Usage
from promptbench.core.words import number_of
from promptbench.engine.plan import CostOf, Estimate, Repeats, estimates, round_sizes
from promptbench.engine.prepare.prepared_suite import PreparedModel, PreparedSuite
from promptbench.engine.shards import Shard
from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.power import PassRate, PowerForecast
from promptbench.gate.trial import CONFIRM, RETEST
from promptbench.gateway import Budget, Prices
from promptbench.project import Project
from promptbench.store.runs import RunStore
from promptbench.suite.file import dollars
from promptbench.text.tokens import ASSUMED_FILE
from promptbench.workflows.judge.execute import case_infos, gated_models, policy_of, prices_of, repeats_of


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

    def part(self, shard: Shard) -> Spending:
        """Return what a shard of a run may spend. Raises InputError if there is not a call for each shard."""
        return Spending(
            self.max_cost and self.max_cost / shard.of,
            shard.share_of_calls(self.max_calls, "--max-calls"),
            self.max_minutes,
        )

    def budgets(self, whole: Budget, prepared: PreparedSuite) -> tuple[Budget, ...]:
        """Return the budgets of one suite's run: the command's, and the suite's own unless a flag overrides it."""
        own, of = prepared.suite.gate.max_cost, prepared.shard.of if prepared.shard else 1
        return (whole,) if own is None or self.max_cost is not None else (Budget(max_cost=own / of), whole)

    def check(self, project: Project, prepared_suites: Iterable[PreparedSuite]) -> None:
        """Raise InputError if a cost limit cannot be kept because a price is unknown."""
        for prepared in prepared_suites:
            if self.max_cost is None and prepared.suite.gate.max_cost is None:
                continue
            require_prices(prices_of(project, prepared.reachable), prepared.reachable)


def require_prices(prices: Prices, models: Iterable[PreparedModel]) -> None:
    """Raise InputError if a cost limit on calls to these models cannot be kept."""
    for model in models:
        if prices.of_tokens(model.ref, Usage(0, 0)) is None:
            raise InputError(
                f"the price of {model.name} is unknown, so a cost limit cannot be kept",
                hint="add its price to a file named by the setting 'prices', or use --max-calls",
            )


def estimate_calls(
    project: Project,
    prepared: PreparedSuite,
    batched: Collection[str] = (),
    count: Callable[[PreparedSuite, Repeats, CostOf], dict[str, Estimate]] = estimates,
) -> dict[str, Estimate]:
    """Return calls, tokens and cost of the first round by model; calls to the `batched` references are by batch.

    With `judge_estimates` to `count` them, they are the most calls, by judge.
    """
    cost = prices_of(project, prepared.reachable).of_tokens
    return count(prepared, repeats_of(prepared), lambda it, usage: cost(it, usage, by_batch=str(it) in batched))


def forecast_power(prepared: PreparedSuite, runs: RunStore | None) -> PowerForecast | None:
    """Return the forecast, or None if nothing is compared and floors decide. `runs` may hold calibrations."""
    models = gated_models(prepared)
    if prepared.champion is None or is_same(prepared) or not models:
        return None
    policy = policy_of(prepared)
    # The model with the fewest cases decides.
    cases = min(([case for case in case_infos(prepared) if case.runs_on(model.name)] for model in models), key=len)
    found = runs.calibrations().pass_rates(prepared.suite.name) if runs else {}
    known = [found[model.name] for model in models if model.name in found]
    return PowerForecast.of(
        _independent(cases),
        policy,
        deterministic=all(model.deterministic for model in models),
        tagged={tag: _independent(case for case in cases if tag in case.tags) for tag in policy.tags},
        # The least reliable model decides.
        passing=PassRate(*min(known)) if known else None,
    )


def is_same(prepared: PreparedSuite) -> bool:
    """Return True if every candidate is the production version."""
    return prepared.champion is not None and all(item.hash == prepared.champion.hash for item in prepared.candidates)


def _independent(cases: Iterable[CaseInfo]) -> int:
    return len({(case.cluster,) if case.cluster else (case.name, "") for case in cases if not case.review_by})


def maximum_calls(prepared: PreparedSuite) -> dict[str, int]:
    """Return the number of calls by model if every case fails: the first round and all retries."""
    sizes = round_sizes(prepared, repeats_of(prepared))
    if prepared.champion is not None and not is_same(prepared):
        retried = [case for case in case_infos(prepared) if not case.review_by]
        for model in gated_models(prepared):
            cases = 0 if model.deterministic else sum(case.runs_on(model.name) for case in retried)
            sizes[model.name] += cases * len(prepared.variants) * (RETEST + CONFIRM)
    return sizes


def describe_forecast(
    prepared: PreparedSuite,
    forecast: PowerForecast | None,
    first: Mapping[str, int],
    most: Mapping[str, int],
    expected: Mapping[str, Estimate],
) -> Iterator[str]:
    """Yield the forecast in words, with the calls and cost of the retries and of the cases that a margin lacks.

    `first` and `most` are calls by model, in the first round and in total.
    """
    if forecast is None:
        if is_same(prepared):
            yield "this is the production version: the verdict is on its floors and its earlier answers"
        return
    yield from forecast.lines()
    if sum(most.values()) > sum(first.values()):
        factors = {name: most[name] / calls for name, calls in first.items() if calls}
        total = number_of(sum(most.values()), "call")
        yield (
            f"a failing case is tried up to {RETEST + CONFIRM} times more with each prompt; if all fail, that is "
            f"{total} in total, {_cost(expected, factors)}"
        )
    if forecast.missing:
        factors = dict.fromkeys(first, (forecast.cases + forecast.missing) / forecast.cases)
        calls = sum(ceil(count * factors[name]) for name, count in first.items())
        yield f"with the missing cases: {calls:,} calls in the first round, {_cost(expected, factors)}"


def describe_continuation(calls: Mapping[str, int], expected: Mapping[str, Estimate], command: str) -> Iterator[str]:
    """Yield how the same command continues a candidate, if that takes `calls` to models, with their cost."""
    if calls:
        factors = {name: number / expected[name].calls for name, number in calls.items()}
        cost = _cost({name: expected[name] for name in calls}, factors)
        more = number_of(sum(calls.values()), "more call")
        yield f"`{command}` continues this candidate with {more} ({cost}), pooled with these tries"


def _cost(expected: Mapping[str, Estimate], factors: Mapping[str, float]) -> str:
    costs = [None if item.cost is None else item.cost * factors.get(name, 1.0) for name, item in expected.items()]
    if None in costs:
        return "cost unknown"
    known = sum(cost for cost in costs if cost is not None)
    return f"about ${known:.4f}" if known else "free"


def describe_estimate(estimate: Estimate) -> str:
    """Return tokens and cost of calls in words, to follow their number; empty for a model without tokens."""
    if not estimate.input_tokens:
        return ""
    rule = "characters / 4" + f", and {ASSUMED_FILE:,} for each file, whose tokens are unknown" * estimate.files
    tokens = f"{estimate.input_tokens:,} tokens in ({rule}), up to {estimate.output_tokens:,} out"
    return f"; estimated {tokens}, {_cost({'': estimate}, {})}"
