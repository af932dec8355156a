"""What a run asks: prompt × model × case × repeat, champion and candidates interleaved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from promptbench.core.types import AttemptKey
from promptbench.project.bench import BASELINE, PreparedCase, PreparedModel, PreparedSuite, Variant


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt to make. `variant` is None for a model that uses no prompt."""

    variant: Variant | None
    model: PreparedModel
    case: PreparedCase
    repeat: int

    @property
    def key(self) -> AttemptKey:
        return _key(self.variant, self.model, self.case.name, self.repeat)


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often the first round asks the same of a model that does not always answer the same: at a usual case, and at
    one that is `critical` to a model that must pass.
    """

    usual: int
    critical: int = 0

    def at(self, *, critical: bool) -> int:
        return max(self.usual, self.critical) if critical else self.usual


def first_round(
    prepared: PreparedSuite, repeats: Repeats, done: Callable[[AttemptKey], bool] = lambda key: False
) -> Iterator[Task]:
    """Every prompt at every case on every model: once where the answer is always the same, else as `repeats` says.

    Both prompts of a case stand next to each other, so that a model's bad hour hits them alike. A case of which all is
    `done` is not even built: most of an interrupted run of many cases may be.
    """
    slots = {
        critical: [
            (variant, model, repeat)
            for model in prepared.models
            for repeat in range(_asked(prepared, model, repeats, critical=critical))
            for variant in (prepared.variants if model.uses_prompt else (None,))
        ]
        for critical in (False, True)
    }
    for name in prepared.cases.names:
        asked = slots[name in prepared.cases.critical]
        open_slots = [slot for slot in asked if not done(_key(slot[0], slot[1], name, slot[2]))]
        if not open_slots:
            continue
        case = prepared.cases[name]
        for variant, model, repeat in open_slots:
            yield Task(variant, model, case, repeat)


def _asked(prepared: PreparedSuite, model: PreparedModel, repeats: Repeats, *, critical: bool) -> int:
    """How often the first round asks a model the same."""
    if not model.uses_prompt or prepared.deterministic(model):
        return 1
    return repeats.at(critical=critical and model.gated)


def _key(variant: Variant | None, model: PreparedModel, case: str, repeat: int) -> AttemptKey:
    return AttemptKey(variant.hash if variant else BASELINE, model.name, case, repeat)


def first_round_size(prepared: PreparedSuite, repeats: Repeats) -> int:
    """How many tasks `first_round` yields."""
    return sum(round_sizes(prepared, repeats).values())


def round_sizes(prepared: PreparedSuite, repeats: Repeats) -> dict[str, int]:
    """How many tasks of `first_round` go to each model."""
    critical = len(prepared.cases.critical)
    counts = {False: len(prepared.cases) - critical, True: critical}
    return {
        model.name: sum(count * _asked(prepared, model, repeats, critical=which) for which, count in counts.items())
        * (len(prepared.variants) if model.uses_prompt else 1)
        for model in prepared.models
    }
