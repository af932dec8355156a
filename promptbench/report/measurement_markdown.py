"""A measurement in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptbench.report.formats._markdown import cell, text
from promptbench.report.measurement import Figure, MeasurementReport
from promptbench.report.measurement_text import UNKNOWN, Say, cost_cells, cost_heads, counts, parts, right, sentences


def lines(report: MeasurementReport) -> Iterator[str]:
    """The whole report."""
    yield f"## {text(report.about)}"
    yield ""
    yield text(report.how)
    yield ""
    yield "| model | | p50 | p90 | p95 | p99 | σ |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for model in report.models:
        for name, spread, say in parts(model):
            figures = (spread.p50, spread.p90, spread.p95, spread.p99, spread.deviation)
            yield _row([cell(model.model), name, *(_between(figure, say) for figure in figures)])
    if any(model.costs.each is not None for model in report.models):
        heads = cost_heads(report)
        yield ""
        yield _row(["model", *heads])
        yield _row(["---", *("---:" for _ in heads)])
        for model in report.models:
            yield _row([cell(model.model), *map(text, cost_cells(model, report))])
    yield ""
    for model in report.models:
        said = "; ".join(filter(None, (counts(model), right(model))))
        yield f"- {cell(model.model)}: {text(said)}"
    yield from (f"- {text(sentence)}" for sentence in (*report.notes, *sentences(report)))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _between(figure: Figure, say: Say) -> str:
    low, high = (UNKNOWN if bound is None else say(bound) for bound in (figure.low, figure.high))
    return f"{say(figure.value)} ({low} to {high})"
