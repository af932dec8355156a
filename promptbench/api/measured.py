"""A measurement on record as a report: the calls summed up, the words around them, what is known from runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from math import inf

from promptbench.api.advising import advise, beside_own, costs
from promptbench.api.summing import contrasts, rate, summed
from promptbench.api.workspace import Project
from promptbench.core.measured import MeasuredCall
from promptbench.core.types import Json
from promptbench.core.words import number_of, percent
from promptbench.project.bench import PreparedSuite, Variant
from promptbench.prompts.prompt import Prompt, Template
from promptbench.report.measurement import Accuracy, HistoryLine, MeasuredModel, MeasurementReport
from promptbench.report.words import duration
from promptbench.stats.quantiles import rank_bounds
from promptbench.store.measurements import MeasurementInfo
from promptbench.store.runs import RunStore

_SAMPLE = 50
"""Cases by which the share of the examples in a prompt is told."""
_DRIFT = 0.05
"""How much slower or faster a model must become to be worth a word."""
_LATE = 0.1
_LATE_LEAST = 5.0
"""Milliseconds of lateness, and the share of a p50, from which it is worth a word."""
_ENOUGH_FOR_P99 = 368
_RUNS = 20
_RUN_HINT = ": `promptbench run` on the suite tells it"


def examples_of(prepared: PreparedSuite, variant: Variant) -> float:
    """The share of the prompt's examples in what is sent, by characters: turns that the prompt's author wrote, a user's
    message and the model's answer to it. What is called an example inside of one message cannot be told from the rest.
    """
    examples = sum(len(item.source) for item in _examples(variant.prompt))
    if not examples:
        return 0.0
    cases = list(islice(prepared.cases, _SAMPLE))
    sent = [
        sum(len(message.content) for message in variant.prompt.render(case.variables, case.history)) for case in cases
    ]
    return min(1.0, examples * len(sent) / sum(sent)) if sum(sent) else 0.0


def _examples(prompt: Prompt) -> Iterator[Template]:
    before: Template | None = None
    for item in prompt.messages:
        turn = item if isinstance(item, Template) else None
        if turn is not None and turn.role == "assistant":
            if before is not None and before.role == "user":
                yield before
            yield turn
        before = turn


def report_of(project: Project, runs: RunStore, info: MeasurementInfo, per_month: int | None) -> MeasurementReport:
    """What is on record about a measurement."""
    accuracies = _accuracies(runs, info)
    models = [replace(model, accuracy=accuracies.get(model.model)) for model in _models(runs, info, per_month)]
    facts = info.facts
    cases, calls = int(facts["cases"]), int(facts["calls"])
    return MeasurementReport(
        name=info.id,
        started=info.started,
        suite=info.suite,
        prompt=info.prompt,
        version=info.version,
        about=f"{facts['label']}, {number_of(cases, 'case')}, {number_of(calls, 'call')} to each model",
        how=how_of(facts),
        complete=info.finished is not None,
        models=models,
        contrasts=list(contrasts(models)),
        beside_own=list(beside_own(models)),
        advice=advise(models, _RUN_HINT if info.suite else ""),
        notes=list(_notes(models, facts)),
        per_month=per_month,
    )


def how_of(facts: Mapping[str, Json]) -> str:
    """The load in words."""
    load = facts["load"]
    match load["arrivals"]:
        case "closed":
            at_once = "one call at a time" if load["concurrency"] == 1 else f"{load['concurrency']} calls at once"
            how = f"{at_once}, the next when one has ended"
        case "trace":
            how = f"arrivals as in a trace of {load['trace']:,}"
        case kind:
            how = f"{kind} arrivals, {load['rate']:g} a second to each model"
    return f"{how}; {number_of(int(facts['warm_up']), 'call')} before to warm up"


def history_lines(project: Project, runs: RunStore, info: MeasurementInfo) -> Iterator[HistoryLine]:
    """A line for each model."""
    for model in _models(runs, info, None):
        yield HistoryLine(
            name=info.id,
            started=info.started,
            suite=info.suite,
            prompt=info.prompt,
            version=info.version,
            complete=info.finished is not None,
            how=how_of(info.facts),
            model=model.model,
            answered=model.answered,
            calls=model.calls,
            p50=model.latency.p50 if model.latency else None,
            p99=model.latency.p99 if model.latency else None,
            per_1000=model.costs.per_1000,
        )


def _models(runs: RunStore, info: MeasurementInfo, per_month: int | None) -> Iterator[MeasuredModel]:
    calls: dict[str, list[MeasuredCall]] = defaultdict(list)
    for call in runs.measurements().calls(info.id):
        calls[call.model].append(call)
    for facts in info.facts["models"]:
        mine = calls[facts["model"]]
        model = summed(facts["model"], mine, uses_prompt=facts["uses_prompt"])
        examples = info.facts["examples"] if facts["uses_prompt"] and not facts["local"] else None
        price = facts["input_price"]
        yield replace(model, costs=costs(mine, per_month=per_month, examples=examples, input_price=price))


def _accuracies(runs: RunStore, info: MeasurementInfo) -> dict[str, Accuracy]:
    """By model, from the newest finished run of the suite that asked the same version of the prompt."""
    found: dict[str, Accuracy] = {}
    if not info.suite:
        return found
    for figures in runs.listing().history(suite=info.suite, prompt=None, model=None, limit=_RUNS):
        answered = figures.attempts - figures.errored
        if figures.version in ("", info.version) and figures.answers is not None and answered:
            right = rate(round(figures.answers * answered), answered)
            found[figures.model] = Accuracy(right, answered, figures.run)
    return found


def common_notes(models: Sequence[MeasuredModel]) -> Iterator[str]:
    """What there is to say of measured and of logged calls."""
    if any(rank_bounds(model.answered, 0.99)[1] is None for model in models if model.latency):
        yield f"a p99 has no upper bound below {_ENOUGH_FOR_P99} answered calls"


def _notes(models: Sequence[MeasuredModel], facts: Mapping[str, Json]) -> Iterator[str]:
    yield from common_notes(models)
    for model in models:
        if model.latency is None:
            continue
        if model.late_p99 is not None and model.late_p99 > max(_LATE_LEAST, _LATE * model.latency.p50.value):
            yield (
                f"{model.model}: this machine was up to {duration(model.late_p99)} late to send calls (p99), which is "
                "in their latency; lower the rate"
            )
        drift = model.drift
        if drift and abs(drift.value - 1) >= _DRIFT and not (drift.low or 0.0) <= 1 <= (drift.high or inf):
            word = "slower" if drift.value > 1 else "faster"
            yield (
                f"{model.model} became {word}: the last third of the calls took {drift.value:.2f} times as long as the "
                f"first ({drift.low:.2f} to {drift.high:.2f})"
            )
        if model.cached_share:
            yield f"{percent(model.cached_share)} of the input tokens of {model.model} were read from its cache"
    hourly = facts.get("machine_price_per_hour")
    if hourly is not None and any(model["local"] for model in facts["models"]):
        yield f"models on this machine cost ${hourly:.2f} an hour (machine-price-per-hour)"
