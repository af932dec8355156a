"""The calls of a run: prompt × model × case × repeat, champion and candidates interleaved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

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
        return AttemptKey(self.variant.hash if self.variant else BASELINE, self.model.name, self.case.name, self.repeat)


@dataclass(frozen=True, slots=True)
class Repeats:
    """The first round's tries on a nondeterministic model; `critical` is for critical cases on gated models."""

    usual: int
    critical: int = 0

    def at(self, *, critical: bool) -> int:
        return max(self.usual, self.critical) if critical else self.usual


def in_random_order(variants: Sequence[str], seed: str, case: str, repeat: int) -> list[str]:
    """Return the prompts of one try in an order that depends on the seed, such as the run's name, and nothing else.

    All prompts of a try are called one after the other, so that a model's bad hour affects them alike. If one were
    always first, it would meet a cold cache or a fresh rate limit more often.
    """
    return sorted(variants, key=lambda name: blake2b(f"{seed} {case} {repeat} {name}".encode()).digest())


def first_round(
    prepared: PreparedSuite, repeats: Repeats, done: Callable[[AttemptKey], bool] = lambda key: False, seed: str = ""
) -> Iterator[Task]:
    """Yield every prompt × case × model: once if the model is deterministic, else as often as `repeats` says.

    The prompts of a try are adjacent, in random order by the `seed`. A case whose attempts are all `done` is not built,
    which most cases of a resumed run may be. Models that are not yet confirmed as deterministic repeat one request.
    """
    yield from (task for task in confirmation(prepared, 0, seed) if task.repeat and not done(task.key))
    variants = {variant.hash: variant for variant in prepared.variants}
    slots = {
        critical: [
            (model, repeat)
            for model in prepared.models
            for repeat in range(_tries(prepared, model, repeats, critical=critical))
        ]
        for critical in (False, True)
    }
    for name in prepared.cases.names:
        case: PreparedCase | None = None
        for model, repeat in slots[name in prepared.cases.critical]:
            order = in_random_order(list(variants), seed, name, repeat) if model.uses_prompt else [BASELINE]
            for item in order:
                if not done(AttemptKey(item, model.name, name, repeat)):
                    case = case or prepared.cases[name]
                    yield Task(variants.get(item), model, case, repeat)


def _tries(prepared: PreparedSuite, model: PreparedModel, repeats: Repeats, *, critical: bool) -> int:
    return 1 if prepared.deterministic(model) else repeats.at(critical=critical and model.gated)


def confirmation(prepared: PreparedSuite, number: int, seed: str = "") -> Iterator[Task]:
    """Yield one request twice, about the case with this number, to each model that is declared deterministic."""
    variants = {variant.hash: variant for variant in prepared.variants}
    if models := prepared.unconfirmed if number < len(prepared.cases) else ():
        case = prepared.cases[list(prepared.cases.names)[number]]
        for model in models:
            order = in_random_order(list(variants), seed, case.name, 0) if model.uses_prompt else [BASELINE]
            yield from (Task(variants.get(order[0]), model, case, repeat) for repeat in (0, 1))


def first_round_size(prepared: PreparedSuite, repeats: Repeats) -> int:
    """Return the number of tasks that `first_round` yields."""
    return sum(round_sizes(prepared, repeats).values())


def round_sizes(prepared: PreparedSuite, repeats: Repeats) -> dict[str, int]:
    """Return the number of tasks of `first_round` by model."""
    critical = len(prepared.cases.critical)
    counts = {False: len(prepared.cases) - critical, True: critical}
    sizes = {
        model.name: sum(count * _tries(prepared, model, repeats, critical=which) for which, count in counts.items())
        * (len(prepared.variants) if model.uses_prompt else 1)
        for model in prepared.models
    }
    for model in prepared.unconfirmed if len(prepared.cases) else ():
        sizes[model.name] += 1
    return sizes
