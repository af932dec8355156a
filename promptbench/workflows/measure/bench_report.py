"""The result of `bench`: how long calls take on each model, what they cost, how models compare, and the report on it.

Times are in milliseconds, costs in US dollars, shares in [0, 1]. Intervals are at 95 %, each on its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial

from promptbench.core.types import Json
from promptbench.core.words import number_of, percent
from promptbench.metrics.latency import TokenTimes
from promptbench.report.document import Document, ItemList, Report, Section, TableBlock, TableColumn, Text
from promptbench.report.words import money, times
from promptbench.stats.quantiles import Interval
from promptbench.store.bench_runs import BenchRunInfo
from promptbench.workflows.judge.run_report import by_tokens


@dataclass(frozen=True, slots=True)
class Spread:
    """How a figure is spread over `count` calls; `few` if these are fewer than the 100 that a p99 needs."""

    count: int
    few: bool
    p50: Interval
    p90: Interval
    p95: Interval
    p99: Interval
    deviation: Interval
    mean: float


@dataclass(frozen=True, slots=True)
class Costs:
    """US dollars for one interaction, for 1,000, and for a month; None is unknown. `examples` is the share of the cost
    that the prompt's examples take.
    """

    each: float | None
    per_1000: float | None
    per_month: float | None
    examples: float | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The share of right answers, and the run of the same prompt that it is from; empty if it is from a log."""

    share: Interval
    answers: int
    run: str


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """One model. `latency` is what a caller waits, counted from the moment a call was due; `provider` is the model's
    part of it, `queue` the part waited here. Calls without an answer are in none of these.

    `retried` is the share of calls with more than one try (None is unknown), `cached_share` the share of input tokens
    that the provider read from its cache, `late_p99` by how much this machine was late to send a call, `down` why the
    model was disabled.
    """

    model: str
    uses_prompt: bool
    calls: int
    answered: int
    errored: Interval
    retried: Interval | None
    errors: Mapping[str, int]
    latency: Spread | None
    provider: Spread | None = None
    queue: Spread | None = None
    first_token: Spread | None = None
    tokens_per_second: Spread | None = None
    by_input_tokens: Sequence[TokenTimes] = ()
    by_output_tokens: Sequence[TokenTimes] = ()
    input_tokens: float | None = None
    output_tokens: float | None = None
    cached_share: float | None = None
    late_p99: float | None = None
    costs: Costs = field(default_factory=lambda: Costs(None, None, None, None))
    accuracy: Accuracy | None = None
    down: str | None = None


@dataclass(frozen=True, slots=True)
class Contrast:
    """How many times as long the slower of two models takes, by quantile; None if a quantile is not positive."""

    faster: str
    slower: str
    p50: Interval | None
    p90: Interval | None
    p99: Interval | None


@dataclass(frozen=True, slots=True)
class Advice:
    """The Pareto front by the criteria `by`, the recommended model, and the reasons as sentences."""

    by: Sequence[str]
    front: Sequence[str]
    recommended: str | None
    sentences: Sequence[str]


@dataclass(frozen=True, slots=True)
class MeasurementReport:
    """A measurement. `about` is what was measured and `how` the load, in words; `name` is empty for a log.

    `beside_own` compares models that use the prompt with those that do not, in words.
    """

    name: str
    started: str
    suite: str
    prompt: str
    version: str
    about: str
    how: str
    complete: bool
    models: Sequence[MeasuredModel]
    contrasts: Sequence[Contrast]
    beside_own: Sequence[str]
    advice: Advice
    notes: Sequence[str]
    per_month: int | None = None


UNKNOWN = "–"
# Waiting in the queue is shown if its p99 is at least this many milliseconds.
_WAITED = 10.0
_NAMED_ERRORS = 3
_FOOTNOTE = "intervals are at 95 %, each on its own; calls without an answer have no time"
_QUANTILES = {"p50": 0, "p90": 1, "p95": 3, "p99": 0, "σ": 2}

Say = Callable[[float], str]


def bench_report(found: MeasurementReport) -> Report:
    """Return the report on a measurement."""
    about = [Text(found.how)] + ([Text(f"recorded as {found.name}")] if found.name else [])
    sections = [
        Section([ItemList([line for model in found.models for line in _calls(model)])]),
        Section([_spreads(found.models)]),
        *_sizes(found.models),
    ]
    if any(model.costs.each is not None for model in found.models):
        sections.append(Section([_costs(found)]))
    sections.append(Section([Text(note) for note in (*found.notes, _FOOTNOTE)]))
    times = {
        model.model: f"p50 {precise(model.latency.p50.value)}, p99 {precise(model.latency.p99.value)}"
        for model in found.models
        if model.latency
    }
    in_short = (f"{model.model}: {times.get(model.model, 'no answer')}" for model in found.models)
    *others, verdict = sentences(found) or ["; ".join(in_short)]
    sections.append(Section([Text(sentence) for sentence in others]))
    document = Document(found.about, [section for section in sections if section.blocks], verdict, about)
    return Report("bench", document, partial(asdict, found), run=found.name, started=found.started)


def sentences(found: MeasurementReport) -> list[str]:
    """Return what follows from the figures, the recommendation last."""
    latencies = {model.model: model.latency.p50.value for model in found.models if model.latency}
    fastest = min(latencies, key=lambda model: latencies[model], default="")
    compared = [contrasted(item) for item in found.contrasts if fastest in (item.faster, item.slower)]
    return [sentence for sentence in (*compared, *found.beside_own, *found.advice.sentences) if sentence]


def _calls(model: MeasuredModel) -> Iterator[str]:
    """Yield how many calls there were, how many were answered, retried and right, and the most frequent errors."""
    parts = [f"{model.answered} of {model.calls} calls answered"]
    if model.calls > model.answered:
        parts.append(f"{model.calls - model.answered} errored ({_share(model.errored)})")
    if model.retried is not None and model.retried.value:
        parts.append(f"{percent(model.retried.value)} retried ({_share(model.retried)})")
    if model.accuracy is not None:
        where = f" in run {model.accuracy.run}" if model.accuracy.run else ""
        answers = number_of(model.accuracy.answers, "answer")
        right = f"right in {percent(model.accuracy.share.value)} of {answers}{where} ({_share(model.accuracy.share)})"
        parts.append(right)
    yield f"{model.model}: {', '.join(parts)}"
    yield from (f"{model.model}: {count} × {why}" for why, count in list(model.errors.items())[:_NAMED_ERRORS])


def _share(figure: Interval) -> str:
    low, high = figure.low or 0.0, 1.0 if figure.high is None else figure.high
    return f"{low * 100:.1f} to {high * 100:.1f} %"


def _spreads(models: Sequence[MeasuredModel]) -> TableBlock:
    rows: list[tuple[str, ...]] = []
    for model in models:
        for name, spread, say in _parts(model):
            figures = (spread.p50, spread.p90, spread.p95, spread.p99, spread.deviation)
            rows.append((model.model, name, *(say(figure.value) for figure in figures)))
            rows.append((model.model, "  95 % from", *(_said(figure.low, say) for figure in figures)))
            rows.append((model.model, "  to", *(_said(figure.high, say) for figure in figures)))
    heads = [TableColumn(head, numeric=False) for head in ("model", "")]
    return TableBlock(
        [*heads, *(TableColumn(name, drop=drop) for name, drop in _QUANTILES.items())], rows, "Times", grouped=True
    )


def _said(value: float | None, say: Say) -> str:
    return UNKNOWN if value is None else say(value)


def _parts(model: MeasuredModel) -> Iterator[tuple[str, Spread, Say]]:
    """Yield the spreads worth showing: queue and provider apart only if calls waited in the queue."""
    if model.latency is None:
        return
    yield "latency", model.latency, precise
    if model.provider and model.queue and model.queue.p99.value >= _WAITED:
        yield "· model", model.provider, precise
        yield "· queue", model.queue, precise
    if model.first_token:
        yield "first token", model.first_token, precise
    if model.tokens_per_second:
        yield (
            "tokens a second",
            model.tokens_per_second,
            lambda value: f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}",
        )


def precise(milliseconds: float) -> str:
    """Return a time with three significant digits."""
    value, unit = (milliseconds / 1000, "s") if milliseconds >= 999.5 else (milliseconds, "ms")
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:,.{digits}f} {unit}"


def _sizes(models: Sequence[MeasuredModel]) -> Iterator[Section]:
    for model in models:
        for kind, buckets in (("input", model.by_input_tokens), ("output", model.by_output_tokens)):
            if len(buckets) > 1:
                yield Section(
                    [by_tokens(buckets, partial(_said, say=precise))], title=f"{model.model}: time by {kind} tokens"
                )


def _costs(found: MeasurementReport) -> TableBlock:
    costs = {model.model: model.costs for model in found.models}
    columns = {
        "one call": [money(cost.each) for cost in costs.values()],
        "1,000 calls": [money(cost.per_1000) for cost in costs.values()],
    }
    if found.per_month is not None:
        columns[f"{found.per_month:,} a month"] = [money(cost.per_month) for cost in costs.values()]
    if any(cost.examples is not None for cost in costs.values()):
        columns["examples"] = [percent(cost.examples) for cost in costs.values()]
    rows = list(zip(costs, *columns.values(), strict=True))
    return TableBlock([TableColumn("cost", numeric=False), *map(TableColumn, columns)], rows, "Costs")


def contrasted(contrast: Contrast) -> str:
    """Return how two models compare, as a sentence; empty if nothing is known."""
    ratios = {"p50": contrast.p50, "p90": contrast.p90, "p99": contrast.p99}
    parts = [part for name, ratio in ratios.items() if ratio and (part := _ratio(ratio, name))]
    return f"{contrast.faster} compared with {contrast.slower}: {'; '.join(parts)}" if parts else ""


def _ratio(ratio: Interval, name: str) -> str | None:
    low, high = ratio.low, ratio.high
    if low is None or high is None:
        return f"about {times(ratio.value)} times as fast at {name}" if name == "p50" else None
    if low <= 1 <= high:
        return f"no significant difference at {name} ({low:.2g} to {high:.2g} times)"
    if high < 1:
        return f"{_plain(1 / high)} to {_plain(1 / low)} times as slow at {name}"
    return f"{_plain(low)} to {_plain(high)} times as fast at {name}"


def _plain(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def history_report(measured: Sequence[tuple[BenchRunInfo, MeasuredModel]]) -> Report:
    """Return the report on recorded measurements: a row for each model."""
    heads = [TableColumn("measurement", numeric=False), TableColumn("model", numeric=False)]
    rows = [
        (
            f"{info.id} {info.suite or info.prompt}, {info.version[:15]}: {how_of(info.facts)}"
            + (" (not complete)" if info.finished is None else ""),
            model.model,
            f"{model.answered} of {model.calls}",
            _between(model.latency.p50 if model.latency else None),
            _between(model.latency.p99 if model.latency else None),
            "" if model.costs.per_1000 is None else money(model.costs.per_1000),
        )
        for info, model in measured
    ]
    columns = [
        *heads,
        TableColumn("calls", drop=2),
        TableColumn("p50"),
        TableColumn("p99"),
        TableColumn("$/1,000", drop=1),
    ]
    empty = "" if rows else "no measurement is recorded; `promptbench bench SUITE` makes one"
    sections = [Section([TableBlock(columns, rows, "Measurements", grouped=True)])] if rows else []
    data = {"measurements": [_past(info, model) for info, model in measured]}
    return Report("bench", Document("", sections, empty), lambda: data)


def _past(info: BenchRunInfo, model: MeasuredModel) -> dict[str, Json]:
    return {
        "name": info.id,
        "started": info.started,
        "suite": info.suite,
        "prompt": info.prompt,
        "version": info.version,
        "complete": info.finished is not None,
        "how": how_of(info.facts),
        "model": model.model,
        "answered": model.answered,
        "calls": model.calls,
        "p50": asdict(model.latency.p50) if model.latency else None,
        "p99": asdict(model.latency.p99) if model.latency else None,
        "per_1000": model.costs.per_1000,
    }


def how_of(facts: Mapping[str, Json]) -> str:
    """Return the load of a measurement in words."""
    load = facts["load"]
    match load["arrivals"]:
        case "closed":
            at_once = "one call at a time" if load["concurrency"] == 1 else f"{load['concurrency']} concurrent calls"
            how = f"{at_once}, the next when one has ended"
        # Of an earlier version.
        case "trace":
            how = f"arrivals from a trace of {load['trace']:,}"
        case kind:
            how = f"{kind} arrivals, {load['rate']:g} a second to each model"
    return f"{how}; {number_of(int(facts['warm_up']), 'call')} before to warm up"


def _between(figure: Interval | None) -> str:
    if figure is None:
        return UNKNOWN
    return f"{precise(figure.value)} ({_said(figure.low, precise)} to {_said(figure.high, precise)})"
