"""What a run could tell, and what a margin would take, before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil

from promptbench.api.running import case_infos, gated_models, policy_of
from promptbench.engine.estimate import Estimate
from promptbench.gate.power import Outlook
from promptbench.project.bench import Bench


def outlook_of(bench: Bench) -> Outlook | None:
    """None where nothing is compared: without a champion floors decide."""
    models = gated_models(bench)
    if bench.champion is None or not models:
        return None
    deterministic = all(model.deterministic for model in models)
    independent = len({case.cluster or (case.name,) for case in case_infos(bench) if not case.review_by})
    return Outlook.of(independent, policy_of(bench), deterministic=deterministic)


def told(outlook: Outlook | None, questions: Mapping[str, int], expected: Mapping[str, Estimate]) -> Iterator[str]:
    """An outlook in words, with what the cases that a margin wants besides would be asked and cost."""
    if outlook is None:
        return
    yield from outlook.lines()
    if outlook.missing:
        grown = (outlook.cases + outlook.missing) / outlook.cases
        costs = [estimate.cost for estimate in expected.values()]
        known = sum(cost for cost in costs if cost is not None)
        price = "cost unknown" if None in costs else f"about ${known * grown:.4f}" if known else "no bill"
        yield f"with those it would be {ceil(sum(questions.values()) * grown):,} questions, {price}"
