"""The calls of a run: prompt × model × case × repeat, champion and candidates interleaved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from promptbench.core.types import AttemptKey
from promptbench.engine.prepare.prepared_suite import BASELINE, PreparedCase, PreparedModel, PreparedSuite, Variant


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
    """The first round's tries on a nondeterministic model; `critical` is for critical cases on gated models."""

    usual: int
    critical: int = 0

    def at(self, *, critical: bool) -> int:
        return max(self.usual, self.critical) if critical else self.usual


def first_round(
    prepared: PreparedSuite, repeats: Repeats, done: Callable[[AttemptKey], bool] = lambda key: False
) -> Iterator[Task]:
    """Yield every prompt × case × model: once if the model is deterministic, else as often as `repeats` says.

    Both prompts of a case are adjacent, so that a model's bad hour affects them alike. A case whose attempts are all
    `done` is not built, which most cases of a resumed run may be.
    """
    slots = {
        critical: [
            (variant, model, repeat)
            for model in prepared.models
            for repeat in range(_tries(prepared, model, repeats, critical=critical))
            for variant in (prepared.variants if model.uses_prompt else (None,))
        ]
        for critical in (False, True)
    }
    for name in prepared.cases.names:
        wanted = slots[name in prepared.cases.critical]
        open_slots = [slot for slot in wanted if not done(_key(slot[0], slot[1], name, slot[2]))]
        case = prepared.cases[name] if open_slots else None
        yield from (Task(variant, model, case, repeat) for variant, model, repeat in open_slots if case)


def _tries(prepared: PreparedSuite, model: PreparedModel, repeats: Repeats, *, critical: bool) -> int:
    if not model.uses_prompt or prepared.deterministic(model):
        return 1
    return repeats.at(critical=critical and model.gated)


def _key(variant: Variant | None, model: PreparedModel, case: str, repeat: int) -> AttemptKey:
    return AttemptKey(variant.hash if variant else BASELINE, model.name, case, repeat)


def first_round_size(prepared: PreparedSuite, repeats: Repeats) -> int:
    """Return the number of tasks that `first_round` yields."""
    return sum(round_sizes(prepared, repeats).values())


def round_sizes(prepared: PreparedSuite, repeats: Repeats) -> dict[str, int]:
    """Return the number of tasks of `first_round` by model."""
    critical = len(prepared.cases.critical)
    counts = {False: len(prepared.cases) - critical, True: critical}
    return {
        model.name: sum(count * _tries(prepared, model, repeats, critical=which) for which, count in counts.items())
        * (len(prepared.variants) if model.uses_prompt else 1)
        for model in prepared.models
    }
