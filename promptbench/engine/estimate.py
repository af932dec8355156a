"""Estimate the calls, tokens and cost of a run's first round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptbench.core.types import ModelRef, Request, Usage
from promptbench.engine.plan import Repeats, first_round
from promptbench.engine.scoring import checks_of
from promptbench.gateway import tokens
from promptbench.project.bench import Bench
from promptbench.project.evaluate import questions


@dataclass(frozen=True, slots=True)
class Estimate:
    """For one model: calls, input tokens (characters / 4), the most output tokens, US dollars or None if unknown."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost: float | None

    def plus(self, usage: Usage, cost: float | None) -> Estimate:
        """Return the estimate with one more call."""
        return Estimate(
            self.calls + 1,
            self.input_tokens + usage.input_tokens,
            self.output_tokens + usage.output_tokens,
            None if cost is None or self.cost is None else self.cost + cost,
        )


_NOTHING = Estimate(0, 0, 0, 0.0)
CostOf = Callable[[ModelRef, Usage], float | None]  # US dollars for a call with this usage


def estimates(bench: Bench, repeats: Repeats, cost: CostOf) -> dict[str, Estimate]:
    """Return the estimate of the first round by model."""
    found = {model.name: _NOTHING for model in bench.models}
    sizes: dict[tuple[str, str, str], Usage] = {}
    for task in first_round(bench, repeats):
        key = (task.key.variant, task.model.name, task.case.name)
        if key not in sizes:
            sizes[key] = tokens.estimate(bench.request(task.model, task.variant, task.case, 0))
        usage = sizes[key]
        found[task.model.name] = found[task.model.name].plus(usage, cost(task.model.ref, usage))
    return found


def judge_estimates(bench: Bench, repeats: Repeats, cost: CostOf) -> dict[str, Estimate]:
    """Return the most calls to each judge in the first round: the same answer to a case is judged only once."""
    found = dict.fromkeys(bench.judges, _NOTHING)
    if not found:
        return found
    sizes: dict[tuple[str, str, str], list[tuple[ModelRef, Usage]]] = {}
    for task in first_round(bench, repeats):
        key = (task.key.variant, task.model.name, task.case.name)
        if key not in sizes:
            answer = tokens.estimate(bench.request(task.model, task.variant, task.case, 0)).output_tokens
            about = questions("", checks_of(task.case, task.key.variant), bench.accept, task.case.variables)
            sizes[key] = [(item.question.model, _with_answer(item.question, answer)) for item in about]
        for judge, usage in sizes[key]:
            found[str(judge)] = found[str(judge)].plus(usage, cost(judge, usage))
    return found


def _with_answer(request: Request, output_tokens: int) -> Usage:
    """Return the usage of a request to a judge that contains an answer of this length."""
    usage = tokens.estimate(request)
    return Usage(usage.input_tokens + output_tokens, usage.output_tokens)
