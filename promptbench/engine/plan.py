"""The calls of a run: prompt × model × case × repeat, champion and candidates interleaved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import islice

from promptbench.core.types import AttemptKey, ModelRef, Usage
from promptbench.engine.prepare.evaluate import judged_check, subject_of
from promptbench.engine.prepare.prepared_suite import (
    CaseTerms,
    PreparedCase,
    PreparedModel,
    PreparedSuite,
    Variant,
    slot_of,
)
from promptbench.engine.scoring import checks_by_answer
from promptbench.gateway import tokens
from promptbench.prompts.chain import render_unfilled
from promptbench.text.tokens import CHARACTERS_PER_TOKEN, estimate


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
    for model in prepared.models if len(prepared.cases) else ():
        # One request is repeated, also when that has confirmed the model.
        sizes[model.name] += prepared.deterministic(model) and not model.replays
    return sizes


@dataclass(frozen=True, slots=True)
class Estimate:
    """For one model: calls, input tokens (characters / 4), the most output tokens, US dollars or None if unknown."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    files: bool = False  # Input tokens are a guess, because nobody knows before a call what images and PDFs take.

    def plus(self, usage: Usage, cost: float | None) -> Estimate:
        """Return the estimate with one more call."""
        return Estimate(
            self.calls + 1,
            self.input_tokens + usage.input_tokens,
            self.output_tokens + usage.output_tokens,
            None if cost is None or self.cost is None else self.cost + cost,
            self.files,
        )


CostOf = Callable[[ModelRef, Usage], float | None]  # US dollars for a call with this usage
_Call = tuple[str, ModelRef, Usage]  # The name that it counts for, the model that is called, and what it takes.


def estimates(prepared: PreparedSuite, repeats: Repeats, cost: CostOf) -> dict[str, Estimate]:
    """Return the estimate of the first round by model."""

    def calls(task: Task) -> list[_Call]:
        return [(task.model.name, task.model.ref, usage) for usage in _usages(prepared, task)]

    return _sum(prepared, repeats, cost, [model.name for model in prepared.models], calls)


def judge_estimates(prepared: PreparedSuite, repeats: Repeats, cost: CostOf) -> dict[str, Estimate]:
    """Return the most calls to each judge in the first round: the same answer to a case is judged only once."""

    def calls(task: Task) -> list[_Call]:
        answer = [Usage(0, 0), *_usages(prepared, task)][-1].output_tokens
        asked = []
        for checks, values in checks_by_answer(task.case, task.key.variant):
            # Of an answer that is not known yet: something, wherever a check looks.
            subject = subject_of("…", prepared.accept, values, was=task.case.was)
            asked += [request for check in map(judged_check, checks) if check for request in check.requests(subject)]
        usages = [(request.model, tokens.estimate(request)) for request in asked]
        # A judge's request contains the answer.
        return [(str(model), model, Usage(usage.input_tokens + answer, usage.output_tokens)) for model, usage in usages]

    return _sum(prepared, repeats, cost, prepared.judges, calls) if prepared.judges else {}


def _sum(
    prepared: PreparedSuite,
    repeats: Repeats,
    cost: CostOf,
    models: Iterable[str],
    calls: Callable[[Task], list[_Call]],
) -> dict[str, Estimate]:
    files = any(variant.prompt.file_names for variant in prepared.variants)
    found = {model: Estimate(0, 0, 0, 0.0, files) for model in models}
    case, known = "", dict[tuple[str, str], list[_Call]]()
    for task in first_round(prepared, repeats):
        if task.case.name != case:
            # The tasks of a case are next to each other, so those of all cases need not be kept.
            case, known = task.case.name, {}
        key = (task.key.variant, task.model.name)
        if key not in known:
            known[key] = calls(task)
        for name, model, usage in known[key]:
            found[name] = found[name].plus(usage, cost(model, usage))
    return found


def _usages(prepared: PreparedSuite, task: Task) -> list[Usage]:
    """Return the usage of a task's call; or of those in each turn, which has all earlier ones before it, or step."""
    if (chain := prepared.chain_of(task.key.variant)) is not None:
        sent = [(it, render_unfilled(it, task.case.variables, task.case.history)) for it in chain.prompts]
        return [estimate(messages, prepared.params(task.model, it), it.tools) for it, messages in sent]
    first = tokens.estimate(prepared.request(task.model, task.variant, task.case, 0))
    usages = [first]
    for turn in task.case.turns[1:]:
        more = -(-len(turn.user) // CHARACTERS_PER_TOKEN) + first.output_tokens
        usages.append(Usage(usages[-1].input_tokens + more, first.output_tokens))
    return usages
