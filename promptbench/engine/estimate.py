"""Estimate the calls, tokens and cost of a run's first round."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from promptbench.core.types import ModelRef, Usage
from promptbench.engine.plan import Repeats, Task, first_round
from promptbench.engine.prepare.evaluate import judged_check, subject_of
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.scoring import checks_by_answer
from promptbench.gateway import tokens
from promptbench.prompts.chain import render_unfilled
from promptbench.text.tokens import CHARACTERS_PER_TOKEN, estimate


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
        answer = _usages(prepared, task)[-1].output_tokens
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
    known: dict[tuple[str, str, str], list[_Call]] = {}
    for task in first_round(prepared, repeats):
        key = (task.key.variant, task.model.name, task.case.name)
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
