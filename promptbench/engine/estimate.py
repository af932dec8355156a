"""What the first round of a run would take, before anything is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptbench.core.types import ModelRef, Usage
from promptbench.engine.plan import first_round
from promptbench.gateway import tokens
from promptbench.project.bench import Bench


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one model: calls, tokens in as characters / 4, the most tokens out to expect, US dollars or None."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost: float | None


def estimates(bench: Bench, repeats: int, cost: Callable[[ModelRef, Usage], float | None]) -> dict[str, Estimate]:
    """By model, for everything that the first round asks. `cost` is what a call with so many tokens is billed with."""
    found = {model.name: Estimate(0, 0, 0, 0.0) for model in bench.models}
    sizes: dict[tuple[str, str, str], Usage] = {}
    for task in first_round(bench, repeats):
        key = (task.key.variant, task.model.name, task.case.name)
        if key not in sizes:
            sizes[key] = tokens.estimate(bench.request(task.model, task.variant, task.case, 0))
        usage, so_far = sizes[key], found[task.model.name]
        one = cost(task.model.ref, usage)
        found[task.model.name] = Estimate(
            so_far.calls + 1,
            so_far.input_tokens + usage.input_tokens,
            so_far.output_tokens + usage.output_tokens,
            None if one is None or so_far.cost is None else so_far.cost + one,
        )
    return found
