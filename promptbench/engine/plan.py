"""What a run asks: prompt × model × case × repeat, champion and candidates interleaved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from promptbench.core.types import AttemptKey
from promptbench.project.bench import BASELINE, Bench, BenchCase, BenchModel, Variant


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt to make. `variant` is None for a model that uses no prompt."""

    variant: Variant | None
    model: BenchModel
    case: BenchCase
    repeat: int

    @property
    def key(self) -> AttemptKey:
        variant = self.variant.hash if self.variant else BASELINE
        return AttemptKey(variant, self.model.name, self.case.name, self.repeat)


def first_round(bench: Bench, repeats: int) -> Iterator[Task]:
    """Every prompt at every case on every model: once where the answer is always the same, else `repeats` times.

    Both prompts of a case stand next to each other, so that a model's bad hour hits them alike.
    """
    for case in bench.cases:
        for model in bench.models:
            if not model.uses_prompt:
                yield Task(None, model, case, 0)
                continue
            for repeat in range(1 if bench.deterministic(model) else repeats):
                for variant in bench.variants:
                    yield Task(variant, model, case, repeat)


def first_round_size(bench: Bench, repeats: int) -> int:
    """How many tasks `first_round` yields."""
    return sum(round_sizes(bench, repeats).values())


def round_sizes(bench: Bench, repeats: int) -> dict[str, int]:
    """How many tasks of `first_round` go to each model."""
    return {
        model.name: len(bench.cases)
        * (len(bench.variants) if model.uses_prompt else 1)
        * (1 if bench.deterministic(model) or not model.uses_prompt else repeats)
        for model in bench.models
    }
