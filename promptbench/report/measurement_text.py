"""A measurement as text of 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from promptbench.core.words import number_of, percent
from promptbench.report.measurement import (
    Contrast,
    Figure,
    HistoryLine,
    MeasuredModel,
    MeasurementReport,
    Spread,
    to_fastest,
)
from promptbench.report.model import TokenTimes
from promptbench.report.words import clean, cut, excerpt, money, times, width_of

UNKNOWN = "–"
_LABEL = 18
_CELL = 11
_FIGURES = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "σ": "deviation"}
_SIZES = {"n": "calls", "p50": "p50_ms", "p90": "p90_ms", "p99": "p99_ms", "σ": "deviation_ms"}
_LOSE = ("p95", "σ", "p90", "n", "p99")
"""What a narrow terminal goes without, the first one first."""
_WAITED = 10.0
"""Milliseconds of waiting in the queue, by its p99, from which it is worth its lines."""
_NAMED_ERRORS = 3
_FOOTNOTE = "intervals are at 95 %, each for itself; no time of a call without an answer is in a figure"
_NAME = 30

Say = Callable[[float], str]


def lines(report: MeasurementReport, width: int) -> Iterator[str]:
    """The whole report."""
    yield from _wrapped(report.about, width)
    yield from _wrapped(report.how, width)
    if report.name:
        yield from _wrapped(f"on record as {report.name}", width)
    yield ""
    yield _line("", _fitting(_FIGURES, width))
    for model in report.models:
        yield from _model(model, width)
    yield from _by_tokens(report.models, width)
    if any(model.costs.each is not None for model in report.models):
        yield ""
        yield from _costs(report, width)
    for group in ([*report.notes, _FOOTNOTE], sentences(report)):
        if group:
            yield ""
        for sentence in group:
            yield from _wrapped(sentence, width, rest="  ")


def sentences(report: MeasurementReport) -> list[str]:
    """What follows from the figures, the recommendation last."""
    said = [*map(contrasted, to_fastest(report)), *report.beside_own, *report.advice.sentences]
    return [sentence for sentence in said if sentence]


def counts(model: MeasuredModel) -> str:
    """How many calls there were, and what became of them."""
    parts = [f"{model.answered} of {model.calls} calls answered"]
    if model.calls > model.answered:
        parts.append(f"{model.calls - model.answered} errored ({_share(model.errored)})")
    if model.retried is not None and model.retried.value:
        parts.append(f"{percent(model.retried.value)} retried ({_share(model.retried)})")
    return ", ".join(parts)


def right(model: MeasuredModel) -> str | None:
    """How often it is right, where that is known."""
    if model.accuracy is None:
        return None
    where = f" in run {model.accuracy.run}" if model.accuracy.run else ""
    answers = number_of(model.accuracy.answers, "answer")
    return f"right in {percent(model.accuracy.share.value)} of {answers}{where} ({_share(model.accuracy.share)})"


def contrasted(contrast: Contrast) -> str:
    """How two models compare, in a sentence."""
    said = [
        part for part in (_times(contrast.p50, "p50"), _times(contrast.p90, "p90"), _times(contrast.p99, "p99")) if part
    ]
    return f"{contrast.faster} beside {contrast.slower}: {'; '.join(said)}" if said else ""


def _times(ratio: Figure | None, name: str) -> str | None:
    if ratio is None:
        return None
    low, high = ratio.low, ratio.high
    if low is None or high is None:
        return f"about {times(ratio.value)} times as fast at {name}" if name == "p50" else None
    if low <= 1 <= high:
        return f"no telling at {name} ({low:.2g} to {high:.2g} times)"
    if high < 1:
        return f"{_plain(1 / high)} to {_plain(1 / low)} times as slow at {name}"
    return f"{_plain(low)} to {_plain(high)} times as fast at {name}"


def _plain(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def precise(milliseconds: float) -> str:
    """A time with three significant digits."""
    value, unit = (milliseconds / 1000, "s") if milliseconds >= 999.5 else (milliseconds, "ms")
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:,.{digits}f} {unit}"


def _wrapped(text: str, width: int, first: str = "", rest: str = "") -> Iterator[str]:
    """Lines of so many columns; a word that is longer is cut. Foreign text in it is cleaned."""
    line, empty = first, True
    for word in clean(text).split(" "):
        left = word
        while left:
            space = "" if empty else " "
            if width_of(line + space + left) <= width:
                line, left, empty = line + space + left, "", False
            elif empty:
                piece = cut(left, width - width_of(line)).removesuffix("…") or left[0]
                yield line + piece
                line, left = rest, left[len(piece) :]
            else:
                yield line
                line, empty = rest, True
    if not empty:
        yield line


def _padded(name: str, width: int) -> str:
    shown = excerpt(name, width)
    return shown + " " * (width - width_of(shown))


def _share(figure: Figure) -> str:
    low, high = figure.low or 0.0, 1.0 if figure.high is None else figure.high
    return f"{low * 100:.1f} to {high * 100:.1f} %"


def _model(model: MeasuredModel, width: int) -> Iterator[str]:
    yield excerpt(model.model, width)
    yield from _wrapped(counts(model), width, "  ", "  ")
    if said := right(model):
        yield from _wrapped(said, width, "  ", "  ")
    for why, count in list(model.errors.items())[:_NAMED_ERRORS]:
        yield f"  {count} × {excerpt(why, width - len(str(count)) - 5)}"
    for name, spread, say in parts(model):
        figures = [getattr(spread, _FIGURES[column]) for column in _fitting(_FIGURES, width)]
        yield _row(f"  {name}", [figure.value for figure in figures], say)
        yield _row("    95 % from", [figure.low for figure in figures], say)
        yield _row("    to", [figure.high for figure in figures], say)


def parts(model: MeasuredModel) -> Iterator[tuple[str, Spread, Say]]:
    """The spreads that are worth showing: of the queue, and the provider apart from it, where there was one."""
    if model.latency is None:
        return
    yield "latency", model.latency, precise
    if model.provider and model.queue and model.queue.p99.value >= _WAITED:
        yield "· model", model.provider, precise
        yield "· queue", model.queue, precise
    if model.first_token:
        yield "first token", model.first_token, precise
    if model.tokens_per_second:
        yield "tokens a second", model.tokens_per_second, _number


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}"


def _row(label: str, values: Sequence[float | None], say: Say) -> str:
    return _line(label, [UNKNOWN if value is None else say(value) for value in values])


def _line(label: str, cells: Sequence[str]) -> str:
    return f"{label:<{_LABEL}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)


def _fitting(columns: Iterable[str], width: int) -> list[str]:
    """The columns that there is room for."""
    fitting = list(columns)
    for name in _LOSE:
        if _LABEL + _CELL * len(fitting) > width and name in fitting:
            fitting.remove(name)
    return fitting


def _by_tokens(models: Sequence[MeasuredModel], width: int) -> Iterator[str]:
    """For each model whose calls differ in size."""
    columns = _fitting(_SIZES, width)
    for model in models:
        for what, buckets in (("input", model.by_input_tokens), ("output", model.by_output_tokens)):
            if len(buckets) > 1:
                yield ""
                yield from _wrapped(f"{excerpt(model.model, 50)}: time by {what} tokens", width)
                yield _line("  tokens", columns)
                for bucket in buckets:
                    cells = [_cell(bucket, column) for column in columns]
                    yield _line(f"  {bucket.least:,}–{bucket.most:,}", cells)


def _cell(bucket: TokenTimes, column: str) -> str:
    value = getattr(bucket, _SIZES[column])
    mark = "~" if bucket.few and column == "p99" else ""
    return f"{value:,}" if column == "n" else mark + precise(value)


def cost_heads(report: MeasurementReport) -> list[str]:
    """The columns of the table of costs, behind the model's name."""
    month = [f"{report.per_month:,} a month"] if report.per_month is not None else []
    return ["one call", "1,000 calls", *month, *(["examples"] if _tells_examples(report) else [])]


def cost_cells(model: MeasuredModel, report: MeasurementReport) -> list[str]:
    """The cells under `cost_heads`."""
    costs = model.costs
    month = [money(costs.per_month)] if report.per_month is not None else []
    examples = [UNKNOWN if costs.examples is None else percent(costs.examples)] if _tells_examples(report) else []
    return [money(costs.each), money(costs.per_1000), *month, *examples]


def _tells_examples(report: MeasurementReport) -> bool:
    return any(model.costs.examples is not None for model in report.models)


def _costs(report: MeasurementReport, width: int) -> Iterator[str]:
    heads = cost_heads(report)
    rows = [(model.model, cost_cells(model, report)) for model in report.models]
    widths = [max(len(head), *(len(cells[place]) for _, cells in rows)) for place, head in enumerate(heads)]
    if _LABEL + sum(widths) + 2 * len(widths) > width:
        for name, cells in rows:
            said = ", ".join(f"{head} {cell}" for head, cell in zip(heads, cells, strict=True))
            yield from _wrapped(f"cost of {name}: {said}", width, rest="  ")
        return
    left = max(_LABEL, min(max(width_of(clean(name)) for name, _ in rows), width - sum(widths) - 2 * len(widths)))
    yield f"{'cost':<{left}}" + "".join(f"  {head:>{wide}}" for head, wide in zip(heads, widths, strict=True))
    for name, cells in rows:
        figures = "".join(f"  {cell:>{wide}}" for cell, wide in zip(cells, widths, strict=True))
        yield _padded(name, left) + figures


def history(found: Sequence[HistoryLine], width: int) -> Iterator[str]:
    """Measurements on record, a line for each model."""
    if not found:
        yield "nothing is measured yet; `promptbench bench SUITE` measures"
        return
    before = ""
    for line in found:
        if line.name != before:
            part = "" if line.complete else " (not complete)"
            about = line.suite or line.prompt
            yield from _wrapped(f"{line.name} {about}, {line.version[:15]}: {line.how}{part}", width)
            before = line.name
        per_1000 = "" if line.per_1000 is None else f"  {money(line.per_1000)} per 1,000"
        yield f"  {_padded(line.model, _NAME)}  p50 {_between(line.p50)}"
        yield f"  {f'{line.answered} of {line.calls} calls':<{_NAME}}  p99 {_between(line.p99)}{per_1000}"


def _between(figure: Figure | None) -> str:
    if figure is None:
        return UNKNOWN
    low, high = (UNKNOWN if bound is None else precise(bound) for bound in (figure.low, figure.high))
    return f"{precise(figure.value)} ({low} to {high})"
