"""Measured calls as results: figures by model with their intervals, the load in words, and the accuracy from runs."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, islice
from pathlib import PurePath
from typing import BinaryIO

from promptbench.core.errors import NothingSelected
from promptbench.core.types import BadRecord, FailureTier, Json, LoggedCall, MeasuredCall
from promptbench.core.words import number_of, percent
from promptbench.engine.prepare.prepared_suite import PreparedSuite, Variant
from promptbench.gateway import listed
from promptbench.ingest.files.log_file import LogFile
from promptbench.ingest.files.log_paths import LogFiles, read_records
from promptbench.metrics.latency import ENOUGH, Latency, by_tokens, quantile
from promptbench.project import Project
from promptbench.prompts.prompt import Prompt, Template
from promptbench.report.words import duration
from promptbench.stats.exact import clopper_pearson
from promptbench.stats.quantiles import Interval, deviation_interval, quantile_interval, rank_bounds, ratio_interval
from promptbench.store.bench_runs import BenchRunInfo
from promptbench.store.runs import RunStore
from promptbench.workflows.measure.advice import advise, beside_own, costs
from promptbench.workflows.measure.bench_report import (
    Accuracy,
    Contrast,
    MeasuredModel,
    MeasurementReport,
    Spread,
    how_of,
)

# Cases from which the share of the examples in a prompt is estimated.
_SAMPLE = 50
# Lateness is reported above this share of the p50, and above these milliseconds.
_LATE = 0.1
_LATE_LEAST = 5.0
_ENOUGH_FOR_P99 = 368
_RUNS = 20
_UNKNOWN = -1
# Errors are equal if they agree in this many characters.
_ERROR = 200
_RUN_HINT = ": `promptbench run` on the suite measures it"


def examples_of(prepared: PreparedSuite, variant: Variant) -> float:
    """Return the share of the prompt's examples in the characters sent, in [0, 1].

    An example is a user's message with the model's answer, both written in the prompt file. Examples inside of one
    message cannot be recognised.
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


def report_of(project: Project, runs: RunStore, info: BenchRunInfo, per_month: int | None) -> MeasurementReport:
    """Return a recorded measurement with its figures."""
    accuracies = _accuracies(runs, info)
    models = [replace(model, accuracy=accuracies.get(model.model)) for model in models_of(runs, info, per_month)]
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


def models_of(runs: RunStore, info: BenchRunInfo, per_month: int | None = None) -> Iterator[MeasuredModel]:
    """Yield the figures of each model of a recorded measurement, except its accuracy."""
    calls: dict[str, list[MeasuredCall]] = defaultdict(list)
    for call in runs.bench_runs().calls(info.id):
        calls[call.model].append(call)
    for facts in info.facts["models"]:
        mine = calls[facts["model"]]
        model = summed(facts["model"], mine, uses_prompt=facts["uses_prompt"])
        examples = info.facts["examples"] if facts["uses_prompt"] and not facts["local"] else None
        price = facts["input_price"]
        yield replace(model, costs=costs(mine, per_month=per_month, examples=examples, input_price=price))


def _accuracies(runs: RunStore, info: BenchRunInfo) -> dict[str, Accuracy]:
    """Return accuracies by model, from the newest finished run of the suite with the same version of the prompt."""
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
    """Yield notes that apply to measured and to logged calls."""
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
        if model.cached_share:
            yield f"{percent(model.cached_share)} of the input tokens of {model.model} were read from its cache"
    hourly = facts.get("machine_price_per_hour")
    if hourly is not None and any(model["local"] for model in facts["models"]):
        yield f"models on this machine cost ${hourly:.2f} an hour (machine-price-per-hour)"


def spread(values: Sequence[float]) -> Spread | None:
    """Return the quantiles, deviation and mean of some values with their intervals; None without values."""
    latency = Latency.of(values)
    if latency is None:
        return None
    ordered = sorted(values)

    def figure(share: float) -> Interval:
        return quantile_interval(ordered, quantile(ordered, share), share)

    return Spread(
        count=latency.count,
        few=latency.count < ENOUGH,
        p50=figure(0.5),
        p90=figure(0.9),
        p95=figure(0.95),
        p99=figure(0.99),
        deviation=deviation_interval(ordered, latency.deviation),
        mean=latency.mean,
    )


def rate(events: int, total: int) -> Interval:
    """Return a share of calls with its exact interval (Clopper and Pearson 1934)."""
    return Interval(events / total if total else 0.0, *clopper_pearson(events, total))


def summed(model: str, calls: Sequence[MeasuredCall], *, uses_prompt: bool, logged: bool = False) -> MeasuredModel:
    """Return the figures of one model without its costs. Calls from a log have no queue and no tries."""
    answered = [call for call in calls if call.error is None]
    times = [call.latency_ms for call in answered]
    took = [call.provider_ms or 0.0 for call in answered]
    usages = [call.usage for call in answered if call.usage]
    given = sum(usage.input_tokens for usage in usages)
    late = Latency.of([call.late_ms for call in calls])
    errors = Counter((call.error or "")[:_ERROR] for call in calls if call.error is not None)
    return MeasuredModel(
        model=model,
        uses_prompt=uses_prompt,
        calls=len(calls),
        answered=len(answered),
        errored=rate(len(calls) - len(answered), len(calls)),
        retried=None if logged else rate(sum(call.tries > 1 for call in calls), len(calls)),
        errors=dict(errors.most_common()),
        latency=spread(times),
        provider=None if logged else spread(took),
        queue=None if logged else spread([call.queue_ms for call in answered]),
        first_token=spread([call.first_token_ms for call in answered if call.first_token_ms is not None]),
        tokens_per_second=spread(
            [
                call.usage.output_tokens / call.provider_ms * 1000
                for call in answered
                if call.usage and call.usage.output_tokens and call.provider_ms
            ]
        ),
        by_input_tokens=by_tokens(took, [call.usage.input_tokens if call.usage else _UNKNOWN for call in answered]),
        by_output_tokens=by_tokens(took, [call.usage.output_tokens if call.usage else _UNKNOWN for call in answered]),
        input_tokens=given / len(usages) if usages else None,
        output_tokens=sum(usage.output_tokens for usage in usages) / len(usages) if usages else None,
        cached_share=sum(usage.cached_tokens or 0 for usage in usages) / given if given else None,
        late_p99=late.p99 if late and not logged else None,
    )


def contrasts(models: Sequence[MeasuredModel]) -> Iterator[Contrast]:
    """Yield a contrast of each two models, by their latency."""
    latencies = {model.model: model.latency for model in models if model.latency}
    for pair in combinations(latencies, 2):
        faster, slower = sorted(pair, key=lambda name: latencies[name].p50.value)
        fast, slow = latencies[faster], latencies[slower]
        yield Contrast(
            faster=faster,
            slower=slower,
            p50=ratio_interval(slow.p50, fast.p50),
            p90=ratio_interval(slow.p90, fast.p90),
            p99=ratio_interval(slow.p99, fast.p99),
        )


_NAMED = 3


def measured_in_logs(
    paths: Sequence[str],
    *,
    stdin: BinaryIO,
    columns: Mapping[str, str] | None = None,
    model: str = "",
    per_month: int | None = None,
) -> MeasurementReport:
    """Return the figures of all calls with a logged latency, and of those without an answer.

    A log that names no model counts as one model with the file's name. Costs are from the log, else from the price
    list. Raise InputError for a file that is not a log, NothingSelected if no call has a latency.
    """
    calls: dict[str, list[MeasuredCall]] = defaultdict(list)
    wrong: Counter[str] = Counter()
    bad: list[BadRecord] = []
    names: list[str] = []
    for file, format_ in LogFiles(paths, columns or {}, model).logs(stdin):
        names.append(PurePath(file.name).name)
        for record in _records(file, format_):
            if isinstance(record, BadRecord):
                bad.append(record)
            elif call := _measured(record, names[-1], calls):
                calls[call.model].append(call)
                wrong[call.model] += record.tier in (FailureTier.CONTENT, FailureTier.TRUNCATED)
    if not calls:
        why = f"; {bad[0].place}: {bad[0].reason}" if bad else ""
        raise NothingSelected(f"no call in {', '.join(names) or ', '.join(paths)} has a latency{why}")
    priced = {model: _priced(model, mine) for model, mine in calls.items()}
    models = [_model(model, mine, wrong[model], per_month) for model, mine in priced.items()]
    guessed = [model for model, mine in priced.items() if mine is not calls[model]]
    at_list = [f"the cost of {', '.join(guessed)} is at today's list price, for the logged tokens"]
    total = sum(map(len, calls.values()))
    where = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} files"
    left_out = [f"{number_of(len(bad), 'record')} left out; the first, {bad[0].place}: {bad[0].reason}"] if bad else []
    return MeasurementReport(
        name="",
        started="",
        suite="",
        prompt="",
        version="",
        about=f"{number_of(total, 'logged call')} in {where}",
        how="latencies are from the log; no model was called",
        complete=True,
        models=models,
        contrasts=list(contrasts(models)),
        beside_own=[],
        advice=advise(models),
        notes=[*left_out, *(at_list if guessed else []), *common_notes(models)],
        per_month=per_month,
    )


def _records(file: LogFile, format_: str) -> Iterator[LoggedCall | BadRecord]:
    try:
        yield from read_records(file, format_, timings=True)
    except (ValueError, OSError) as error:
        yield BadRecord(file.name, str(error))


def _measured(call: LoggedCall, file: str, known: Mapping[str, Sequence[MeasuredCall]]) -> MeasuredCall | None:
    model = call.model or PurePath(file).name.partition(".")[0]
    failed = (call.error or call.failed or "no answer") if call.tier is FailureTier.TRANSPORT else None
    if call.latency_ms is None and failed is None:
        return None
    first = call.extra.get("first_token_ms")
    return MeasuredCall(
        model=model,
        number=len(known.get(model, ())),
        case=call.id,
        due_ms=0.0,
        late_ms=0.0,
        latency_ms=call.latency_ms or 0.0,
        queue_ms=0.0,
        tries=1,
        provider_ms=call.latency_ms,
        first_token_ms=first if isinstance(first, float) else None,
        usage=call.usage,
        cost=call.cost,
        error=failed,
    )


def _priced(model: str, calls: list[MeasuredCall]) -> list[MeasuredCall]:
    if any(call.cost is not None for call in calls) or not any(call.usage for call in calls):
        return calls
    price = listed(model)
    if price is None:
        return calls
    return [replace(call, cost=price(call.usage)) if call.usage else call for call in calls]


def _model(name: str, calls: Sequence[MeasuredCall], wrong: int, per_month: int | None) -> MeasuredModel:
    # A log without any answer marked as wrong is assumed to have no verdicts.
    model = summed(name, calls, uses_prompt=True, logged=True)
    right = Accuracy(rate(model.answered - wrong, model.answered), model.answered, "") if wrong else None
    bill = costs(calls, per_month=per_month, examples=None, input_price=None)
    return replace(model, costs=bill, accuracy=right)
