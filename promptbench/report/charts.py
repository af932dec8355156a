"""The charts of a run, drawn by matplotlib, each with the figures behind it as a table."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promptbench.report.model import PastRow, Row, TokenTimes
from promptbench.report.svg import COLOURS, settings, svg_of
from promptbench.report.words import clean, cut, duration, money, share, tail

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Times = Mapping[tuple[str, str], Sequence[float]]
"""The milliseconds of the calls that enter rates, by prompt label and model."""

_WIDTH = 6.6
_SERIES = ("one", "four", "six", "five", "three", "two")
_MARKERS = "os^Dvp"
_MOST_LANES = 24
_BINS = 48
_SHORTEST_MS = 0.001
_RUNGS = {
    "raw": "one",
    "extracted": "two",
    "repaired_safe": "three",
    "repaired_risky": "four",
    "none": "bad",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing as SVG, what it shows in a sentence, and its figures: the heads of the columns, then the rows.

    `key` names the numbers in the drawing, from 1.
    """

    title: str
    about: str
    svg: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    key: Sequence[str] = field(default=())


def charts(rows: Sequence[Row], times: Times, history: Sequence[PastRow], name: str) -> list[Chart]:
    """Those that have something to show. `name` is different for each part of a page.

    Raises ImportError without matplotlib.
    """
    import matplotlib

    with matplotlib.rc_context(settings()), warnings.catch_warnings():
        # A letter that the measuring font lacks is drawn by the reader's browser, which has it.
        warnings.simplefilter("ignore")
        made = (
            _pareto(rows, f"{name}-cost"),
            _latency(rows, times, f"{name}-latency"),
            _tokens(rows, "output", f"{name}-output"),
            _tokens(rows, "input", f"{name}-input"),
            _ladder(rows, f"{name}-ladder"),
            _history(history, f"{name}-history"),
        )
    return [chart for chart in made if chart]


def label(row: Row) -> str:
    """A row's name on one line."""
    return clean(f"{row.prompt} on {row.model}" if row.prompt else row.model)


def _axes(height: float, *, lanes: bool = False) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.tick_params(length=0)
    if lanes:
        axes.spines["left"].set_visible(False)
    return figure, axes


def _lane(row: Row) -> str:
    """A row's name on two short lines; names differ at their ends."""
    return "\n".join(_ending(part) for part in (row.prompt or "own model", row.model))


def _ending(text: str) -> str:
    return cut(clean(text)[::-1], 26)[::-1]


def _colour(side: str) -> str:
    return COLOURS[side if side in ("champion", "baseline") else "candidate"]


def _legend(figure: Figure, columns: int) -> None:
    figure.legend(loc="outside upper left", ncols=columns, handlelength=1.2, columnspacing=1.2)


def _time_axis(axis: Axis, low: float, high: float) -> None:
    """Ticks at powers of ten, and between them where there would be few."""
    from matplotlib.ticker import LogLocator

    decades = math.log10(high / low)
    subs = (1.0,) if decades > 2 else (1.0, 2.0, 5.0) if decades > 0.8 else [float(digit) for digit in range(1, 10)]
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(lambda value, _: _round_time(value))
    axis.set_minor_locator(LogLocator(subs=()))


def _pareto(rows: Sequence[Row], name: str) -> Chart | None:
    known = [row for row in rows if row.attempts and row.cost_per_1000 is not None][:_MOST_LANES]
    if len({row.cost_per_1000 for row in known}) < 2 or not any(row.cost_per_1000 for row in known):
        return None
    points = [(float(row.cost_per_1000 or 0), 100 * row.passed / row.attempts) for row in known]
    figure, axes = _axes(3.2)
    _cost_axis(axes, [cost for cost, _ in points])
    front = _front(points)
    axes.plot(
        *zip(*front, strict=True), color=COLOURS["quiet"], linewidth=1, linestyle=(0, (4, 3)), drawstyle="steps-post"
    )
    for number, (row, (cost, answers)) in enumerate(zip(known, points, strict=True), start=1):
        axes.plot([cost], [answers], "o", color=_colour(row.side), markersize=6)
        axes.annotate(str(number), (cost, answers), xytext=(0, 6), textcoords="offset points", ha="center")
    _percent_axis(axes)
    axes.set_xlabel("cost of 1,000 answers")
    axes.set_ylabel("right answers")
    axes.grid(axis="y")
    best = {points.index(point) for point in front}
    return Chart(
        "Answers against cost",
        "Right answers over the cost of 1,000 answers. The dashed line is the Pareto front: nothing cheaper does as "
        "well as what stands on it.",
        svg_of(figure, name),
        ("number", "what", "right answers", "cost of 1,000", "on the front"),
        [
            (
                str(number),
                label(row),
                share(row.passed, row.attempts),
                money(row.cost_per_1000),
                "yes" if number - 1 in best else "no",
            )
            for number, row in enumerate(known, start=1)
        ],
        [label(row) for row in known],
    )


def _front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those that nothing cheaper equals, by cost."""
    front: list[tuple[float, float]] = []
    for cost, answers in sorted(set(points), key=lambda point: (point[0], -point[1])):
        if not front or answers > front[-1][1]:
            front.append((cost, answers))
    return front


def _cost_axis(axes: Axes, costs: Sequence[float]) -> None:
    """Logarithmic where costs differ much, with a place for what costs nothing."""
    from matplotlib.ticker import LogLocator, MaxNLocator, SymmetricalLogLocator

    least, most = min(cost for cost in costs if cost), max(costs)
    if most < 10 * least and all(costs):
        axes.set_xlim(max(0, least - (most - least) * 0.3), most + (most - least) * 0.3)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    elif all(costs):
        axes.set_xscale("log", subs=[])
        axes.set_xlim(least / 3, most * 3)
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
    else:
        axes.set_xscale("symlog", linthresh=least, subs=[])
        axes.set_xlim(-least / 3, most * 3)
        ticks = SymmetricalLogLocator(base=10, linthresh=least)
        ticks.set_params(numticks=5)
        axes.xaxis.set_major_locator(ticks)
    axes.xaxis.set_major_formatter(lambda value, _: "$" + f"{value:,.10f}".rstrip("0").rstrip("."))
    axes.minorticks_off()


def _percent_axis(axes: Axes) -> None:
    axes.set_ylim(-4, 109)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")


def _latency(rows: Sequence[Row], times: Times, name: str) -> Chart | None:
    shown = [row for row in rows if times.get((row.prompt, row.model)) and row.p50_ms is not None][:_MOST_LANES]
    if not shown:
        return None
    import numpy as np

    found = [np.maximum(times[row.prompt, row.model], _SHORTEST_MS) for row in shown]
    low, high = min(part.min() for part in found), max(part.max() for part in found)
    edges = np.geomspace(low / 1.3, high * 1.3, _BINS + 1)
    figure, axes = _axes(0.7 + 0.62 * len(shown), lanes=True)
    axes.set_xscale("log")
    for place, (row, part) in enumerate(zip(shown, found, strict=True)):
        counts, _ = np.histogram(part, edges)
        base = len(shown) - 1 - place
        heights = base + 0.52 * counts / counts.max()
        axes.stairs(heights, edges, baseline=base, fill=True, color=_colour(row.side), alpha=0.75, linewidth=0)
        for value, said, side in (
            (row.p50_ms, f"p50 {duration(row.p50_ms)}", "right"),
            (row.p99_ms, f"p99 {tail(row.p99_ms, few=row.few)}", "left"),
        ):
            if value is not None:
                at = max(value, _SHORTEST_MS)
                axes.plot([at, at], [base, base + 0.66], color=COLOURS["ink"], linewidth=1)
                style: dict[str, Any] = {"ha": side, "va": "bottom", "fontsize": 9.5, "color": COLOURS["quiet"]}
                aside = (-3 if side == "right" else 3, 0)
                axes.annotate(said, (at, base + 0.58), xytext=aside, textcoords="offset points", **style)
    axes.set_yticks([len(shown) - 0.75 - place for place in range(len(shown))], [_lane(row) for row in shown])
    axes.set_ylim(-0.08, len(shown) - 0.05)
    axes.set_xlim(low / 4, high * 4)
    _time_axis(axes.xaxis, low / 4, high * 4)
    axes.grid(axis="x")
    return Chart(
        "Latency",
        "How long the model took, on a logarithmic axis; each shape is one prompt on one model. ~ marks a p99 of fewer "
        "than 100 calls.",
        svg_of(figure, name),
        ("what", "calls", "p50", "p90", "p99", "mean", "σ"),
        [
            (
                label(row),
                f"{row.timed:,}",
                duration(row.p50_ms),
                duration(row.p90_ms),
                tail(row.p99_ms, few=row.few),
                duration(row.mean_ms),
                duration(row.deviation_ms),
            )
            for row in shown
        ],
    )


def _round_time(milliseconds: float) -> str:
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:g} s"
    return f"{milliseconds:g} ms" if milliseconds >= 1 else f"{milliseconds * 1000:g} µs"


def _tokens(rows: Sequence[Row], what: str, name: str) -> Chart | None:
    of: Callable[[Row], Sequence[TokenTimes]] = (
        (lambda row: row.by_output_tokens) if what == "output" else (lambda row: row.by_input_tokens)
    )
    shown = [row for row in rows if len(of(row)) > 1][: len(_SERIES)]
    if not shown:
        return None
    buckets = sorted({(item.least, item.most) for row in shown for item in of(row)})
    figure, axes = _axes(3.0)
    axes.set_yscale("log")
    for row, series, marker in zip(shown, _SERIES, _MARKERS, strict=False):
        places = [buckets.index((item.least, item.most)) for item in of(row)]
        style: dict[str, Any] = {"color": COLOURS[series], "marker": marker, "markersize": 4, "linewidth": 1.2}
        axes.plot(places, [max(item.p50_ms, _SHORTEST_MS) for item in of(row)], label=cut(label(row), 48), **style)
        axes.plot(places, [max(item.p99_ms, _SHORTEST_MS) for item in of(row)], **style, linestyle=(0, (2, 2)))
    axes.set_xticks(range(len(buckets)), [f"{least:,}–{most:,}" for least, most in buckets])
    axes.set_xlabel(f"{what} tokens")
    _time_axis(axes.yaxis, *axes.get_ylim())
    axes.margins(x=0.05)
    axes.grid(axis="y")
    _legend(figure, 1)
    return Chart(
        f"Latency by {what} tokens",
        f"The p50 (solid) and the p99 (dotted) of calls by their {what} tokens.",
        svg_of(figure, name),
        ("what", f"{what} tokens", "calls", "p50", "p90", "p99", "σ"),
        [
            (
                label(row),
                f"{item.least:,}–{item.most:,}",
                f"{item.calls:,}",
                duration(item.p50_ms),
                duration(item.p90_ms),
                tail(item.p99_ms, few=item.few),
                duration(item.deviation_ms),
            )
            for row in shown
            for item in of(row)
        ],
    )


def _ladder(rows: Sequence[Row], name: str) -> Chart | None:
    shown = [row for row in rows if sum(row.rungs.values())][:_MOST_LANES]
    if not shown:
        return None
    figure, axes = _axes(0.75 + 0.42 * len(shown), lanes=True)
    places = list(range(len(shown)))[::-1]
    lefts = [0.0] * len(shown)
    for rung, colour in _RUNGS.items():
        parts = [100 * row.rungs.get(rung, 0) / sum(row.rungs.values()) for row in shown]
        axes.barh(places, parts, left=lefts, height=0.6, color=COLOURS[colour], label=rung.replace("_", " "))
        lefts = [left + part for left, part in zip(lefts, parts, strict=True)]
    axes.set_yticks(places, [_lane(row) for row in shown])
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")
    axes.grid(axis="x")
    _legend(figure, 5)
    return Chart(
        "Format ladder",
        "How much had to be done to read the answers: raw needs nothing, none cannot be read.",
        svg_of(figure, name),
        ("what", *(rung.replace("_", " ") for rung in _RUNGS), "repairs"),
        [
            (
                label(row),
                *(f"{row.rungs.get(rung, 0):,}" for rung in _RUNGS),
                ", ".join(f"{repair} {count}" for repair, count in row.repairs.items()),
            )
            for row in shown
        ],
    )


def _history(history: Sequence[PastRow], name: str) -> Chart | None:
    runs = {row.run: row.started for row in history}
    if len(runs) < 2:
        return None
    order = list(runs)
    figure, axes = _axes(2.8)
    models = list(dict.fromkeys(row.model for row in history if row.side != "champion"))
    for model, series, marker in zip(models, _SERIES, _MARKERS, strict=False):
        best: dict[str, float] = {}
        for row in history:
            if row.model == model and row.side != "champion" and row.answered:
                best[row.run] = max(best.get(row.run, 0.0), 100 * row.passed / row.answered)
        axes.plot(
            [order.index(run) for run in best],
            list(best.values()),
            color=COLOURS[series],
            marker=marker,
            markersize=4,
            linewidth=1.2,
            label=_ending(model),
        )
    step = max(1, len(order) // 8)
    shown = range(0, len(order), step)
    axes.set_xticks(list(shown), [runs[order[place]][5:16].replace("T", "\n") for place in shown], fontsize=9.5)
    axes.set_xlim(-0.4, len(order) - 0.6)
    axes.set_ylabel("right answers")
    _percent_axis(axes)
    axes.grid(axis="y")
    _legend(figure, 3)
    return Chart(
        "History",
        "Right answers in the latest runs of this suite about this prompt: the best candidate of each run, by model.",
        svg_of(figure, name),
        ("run", "verdict", "prompt", "model", "right answers", "format", "mean time", "cost"),
        [
            (
                row.run,
                row.result,
                clean(row.prompt) or "own model",
                clean(row.model),
                f"{row.passed}/{row.answered} {share(row.passed, row.answered)}",
                share(row.well_formed, row.read),
                duration(row.mean_ms),
                money(row.cost),
            )
            for row in reversed(history)
        ],
    )
