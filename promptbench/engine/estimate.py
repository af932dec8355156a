"""What the first round of a run would take, before anything is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptbench.core.types import ModelRef, Request, Usage
from promptbench.engine.plan import Repeats, first_round
from promptbench.engine.scoring import checks_of
from promptbench.gateway import tokens
from promptbench.project.bench import PreparedSuite
from promptbench.project.evaluate import judge_requests


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one model: calls, tokens in as characters / 4, the most tokens out to expect, US dollars or None."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost: float | None

    def plus(self, usage: Usage, cost: float | None) -> Estimate:
        """With one more call."""
        return Estimate(
            self.calls + 1,
            self.input_tokens + usage.input_tokens,
            self.output_tokens + usage.output_tokens,
            None if cost is None or self.cost is None else self.cost + cost,
        )


_NOTHING = Estimate(0, 0, 0, 0.0)
CostOf = Callable[[ModelRef, Usage], float | None]
"""What a call with so many tokens is billed with."""


def estimates(prepared: PreparedSuite, repeats: Repeats, cost: CostOf) -> dict[str, Estimate]:
    """By model, for everything that the first round asks of the models."""
    found = {model.name: _NOTHING for model in prepared.models}
    sizes: dict[tuple[str, str, str], Usage] = {}
    for task in first_round(prepared, repeats):
        key = (task.key.variant, task.model.name, task.case.name)
        if key not in sizes:
            sizes[key] = tokens.estimate(prepared.request(task.model, task.variant, task.case, 0))
        usage = sizes[key]
        found[task.model.name] = found[task.model.name].plus(usage, cost(task.model.ref, usage))
    return found


def judge_estimates(prepared: PreparedSuite, repeats: Repeats, cost: CostOf) -> dict[str, Estimate]:
    """By judge, for the most that the first round asks of them: the same answer to a case is judged once."""
    found = dict.fromkeys(prepared.judges, _NOTHING)
    if not found:
        return found
    sizes: dict[tuple[str, str, str], list[tuple[ModelRef, Usage]]] = {}
    for task in first_round(prepared, repeats):
        key = (task.key.variant, task.model.name, task.case.name)
        if key not in sizes:
            answer = tokens.estimate(prepared.request(task.model, task.variant, task.case, 0)).output_tokens
            asked = judge_requests("", checks_of(task.case, task.key.variant), prepared.accept, task.case.variables)
            sizes[key] = [(item.request.model, _with_answer(item.request, answer)) for item in asked]
        for judge, usage in sizes[key]:
            found[str(judge)] = found[str(judge)].plus(usage, cost(judge, usage))
    return found


def _with_answer(question: Request, output_tokens: int) -> Usage:
    """What a question takes that shows an answer of so many tokens."""
    usage = tokens.estimate(question)
    return Usage(usage.input_tokens + output_tokens, usage.output_tokens)
