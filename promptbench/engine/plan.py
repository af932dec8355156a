"""The calls of a run: prompt × model × case × repeat, champion and candidates interleaved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import islice

from promptbench.core.types import AttemptKey
from promptbench.engine.prepare.prepared_suite import (
    CaseTerms,
    PreparedCase,
    PreparedModel,
    PreparedSuite,
    Variant,
    slot_of,
)


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt to make. `variant` is None for a model that uses no prompt."""

    variant: Variant | None
    model: PreparedModel
    case: PreparedCase
    repeat: int

    @property
    def key(self) -> AttemptKey:
        return AttemptKey(slot_of(self.variant), self.model.name, self.case.name, self.repeat)


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
    prompts = {model.name: {slot_of(item): item for item in prepared.prompts_of(model)} for model in prepared.models}

    @cache
    def slots(critical: bool, terms: CaseTerms) -> list[tuple[PreparedModel, int]]:
        tries = {model.name: _tries(prepared, model, repeats, terms, critical=critical) for model in prepared.models}
        return [(model, repeat) for model in prepared.models for repeat in range(tries[model.name])]

    for name in prepared.cases.names:
        case: PreparedCase | None = None
        for model, repeat in slots(name in prepared.cases.critical, prepared.cases.terms(name)):
            for item in in_random_order(list(prompts[model.name]), seed, name, repeat):
                if not done(AttemptKey(item, model.name, name, repeat)):
                    case = case or prepared.cases[name]
                    yield Task(prompts[model.name][item], model, case, repeat)


def _tries(prepared: PreparedSuite, model: PreparedModel, repeats: Repeats, terms: CaseTerms, *, critical: bool) -> int:
    tries = max(terms.repeats, repeats.at(critical=critical and model.gated))
    return int(terms.allow(model.name)) * (1 if prepared.deterministic(model) else tries)


def confirmation(prepared: PreparedSuite, number: int, seed: str = "") -> Iterator[Task]:
    """Yield one request twice, about the case with this number, to each model that is declared deterministic."""
    for model in prepared.unconfirmed:
        prompts = {slot_of(item): item for item in prepared.prompts_of(model)}
        for name in islice(prepared.cases.on(model.name), number, number + 1):
            first, case = in_random_order(list(prompts), seed, name, 0)[0], prepared.cases[name]
            yield from (Task(prompts[first], model, case, repeat) for repeat in (0, 1))


def first_round_size(prepared: PreparedSuite, repeats: Repeats) -> int:
    """Return the number of tasks that `first_round` yields."""
    return sum(round_sizes(prepared, repeats).values())


def round_sizes(prepared: PreparedSuite, repeats: Repeats) -> dict[str, int]:
    """Return the number of tasks of `first_round` by model."""
    cases = prepared.cases
    counts = Counter((cases.terms(name), name in cases.critical) for name in cases.names)
    sizes = {
        model.name: sum(
            count * _tries(prepared, model, repeats, terms, critical=which) for (terms, which), count in counts.items()
        )
        * len(prepared.prompts_of(model))
        for model in prepared.models
    }
    for model in prepared.unconfirmed if len(prepared.cases) else ():
        sizes[model.name] += 1
    return sizes
