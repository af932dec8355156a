"""What a run asks: prompt × model × case × repeat, champion and candidates interleaved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
        return _key(self.variant, self.model, self.case.name, self.repeat)


def first_round(bench: Bench, repeats: int, done: Callable[[AttemptKey], bool] = lambda key: False) -> Iterator[Task]:
    """Every prompt at every case on every model: once where the answer is always the same, else `repeats` times.

    Both prompts of a case stand next to each other, so that a model's bad hour hits them alike. A case of which all is
    `done` is not even built: most of an interrupted run of many cases may be.
    """
    slots = [
        (variant, model, repeat)
        for model in bench.models
        for repeat in range(_asked(bench, model, repeats))
        for variant in (bench.variants if model.uses_prompt else (None,))
    ]
    for name in bench.cases.names:
        open_slots = [slot for slot in slots if not done(_key(slot[0], slot[1], name, slot[2]))]
        if not open_slots:
            continue
        case = bench.cases[name]
        for variant, model, repeat in open_slots:
            yield Task(variant, model, case, repeat)


def _asked(bench: Bench, model: BenchModel, repeats: int) -> int:
    """How often the first round asks a model the same."""
    return repeats if model.uses_prompt and not bench.deterministic(model) else 1


def _key(variant: Variant | None, model: BenchModel, case: str, repeat: int) -> AttemptKey:
    return AttemptKey(variant.hash if variant else BASELINE, model.name, case, repeat)


def first_round_size(bench: Bench, repeats: int) -> int:
    """How many tasks `first_round` yields."""
    return sum(round_sizes(bench, repeats).values())


def round_sizes(bench: Bench, repeats: int) -> dict[str, int]:
    """How many tasks of `first_round` go to each model."""
    return {
        model.name: len(bench.cases) * (len(bench.variants) if model.uses_prompt else 1) * _asked(bench, model, repeats)
        for model in bench.models
    }
