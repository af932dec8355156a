"""What a run could tell, and what a margin would take, before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import ceil

from promptbench.api.running import case_infos, gated_models, policy_of, repeats_of
from promptbench.core.words import number_of
from promptbench.engine.estimate import Estimate
from promptbench.engine.plan import round_sizes
from promptbench.gate.flips import CaseInfo
from promptbench.gate.policy import TRIES
from promptbench.gate.power import Outlook, Passing
from promptbench.project.bench import PreparedSuite
from promptbench.store.runs import RunStore


def outlook_of(prepared: PreparedSuite, runs: RunStore | None) -> Outlook | None:
    """None where nothing is compared: floors decide then. `runs` may hold calibrations of the suite."""
    models = gated_models(prepared)
    if prepared.champion is None or is_same(prepared) or not models:
        return None
    cases, policy = case_infos(prepared), policy_of(prepared)
    return Outlook.of(
        _independent(cases),
        policy,
        deterministic=all(model.deterministic for model in models),
        tagged={tag: _independent(case for case in cases if tag in case.tags) for tag in policy.tags},
        passing=_passing(prepared, runs),
    )


def is_same(prepared: PreparedSuite) -> bool:
    """Whether all that would be asked is in production already."""
    return prepared.champion is not None and all(item.hash == prepared.champion.hash for item in prepared.candidates)


def _independent(cases: Iterable[CaseInfo]) -> int:
    """How many guards these may be: what belongs together counts as one."""
    return len({(case.cluster,) if case.cluster else (case.name, "") for case in cases if not case.review_by})


def _passing(prepared: PreparedSuite, runs: RunStore | None) -> Passing | None:
    """What the latest calibrations say of cases that production mostly passes, by the model that is the least sure."""
    found = runs.calibrations().passing(prepared.suite.name) if runs else {}
    known = [found[model.name] for model in gated_models(prepared) if model.name in found]
    return Passing(*min(known)) if known else None


def most_questions(prepared: PreparedSuite) -> dict[str, int]:
    """How many questions each model gets if every case fails: the first round, and all tries besides."""
    sizes = round_sizes(prepared, repeats_of(prepared))
    if prepared.champion is not None and not is_same(prepared):
        tried = sum(not case.review_by for case in case_infos(prepared)) * len(prepared.variants) * TRIES
        for model in gated_models(prepared):
            sizes[model.name] += 0 if model.deterministic else tried
    return sizes


def told(
    prepared: PreparedSuite,
    outlook: Outlook | None,
    first: Mapping[str, int],
    most: Mapping[str, int],
    expected: Mapping[str, Estimate],
) -> Iterator[str]:
    """An outlook in words, with what the tries and the cases that a margin wants besides would be asked and cost.

    `first` and `most` are questions by model, in the first round and in all.
    """
    if outlook is None:
        if is_same(prepared):
            yield "this is in production: its floors decide, and whether it answers worse than it did"
        return
    yield from outlook.lines()
    if sum(most.values()) > sum(first.values()):
        grown = {name: most[name] / asked for name, asked in first.items() if asked}
        whole = number_of(sum(most.values()), "question")
        yield (
            f"a case that fails is tried up to {TRIES} times more with either prompt; if all did, that would be "
            f"{whole} in all, {_cost(expected, grown)}"
        )
    if outlook.missing:
        grown = dict.fromkeys(first, (outlook.cases + outlook.missing) / outlook.cases)
        questions = sum(ceil(asked * grown[name]) for name, asked in first.items())
        asked = f"{questions:,} questions in the first round, {_cost(expected, grown)}"
        yield f"with the cases that are missing it would be {asked}"


def _cost(expected: Mapping[str, Estimate], times: Mapping[str, float]) -> str:
    """What so many times as many calls to each model cost."""
    costs = [None if item.cost is None else item.cost * times.get(name, 1.0) for name, item in expected.items()]
    if None in costs:
        return "cost unknown"
    known = sum(cost for cost in costs if cost is not None)
    return f"about ${known:.4f}" if known else "no bill"
