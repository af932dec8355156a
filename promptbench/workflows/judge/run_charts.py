"""The charts of a run, with the figures behind each as a table."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from promptbench.core.protocols import PastRow
from promptbench.metrics.pareto import front
from promptbench.report.document import Axis, Chart, Series, TableBlock, TableColumn, Times
from promptbench.report.model import Row, RunReport
from promptbench.report.words import clean, duration, money, share, tail

_SERIES = ("one", "four", "six", "five", "three", "two")
_MOST_LANES = 24
_BINS = 48
_SHORTEST_MS = 0.001
_RUNGS = {"raw": "one", "extracted": "two", "repaired_safe": "three", "repaired_risky": "four", "none": "bad"}
_PERCENT = Axis("right answers", unit="%")


def charts(run: RunReport, times: Times) -> list[Chart]:
    """Return the charts that have something to show. `times` are by prompt label and model."""
    history = list(run.explored.history) if run.explored else []
    made = (
        _cost(run.rows),
        _latency(run.rows, times),
        _tokens(run.rows, "output"),
        _tokens(run.rows, "input"),
        _ladder(run.rows),
        _history(history),
    )
    return [chart for chart in made if chart]


def _label(row: Row) -> str:
    return clean(f"{row.prompt} on {row.model}" if row.prompt else row.model)


def _role(side: str) -> str:
    return side if side in ("champion", "baseline") else "candidate"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> TableBlock:
    return TableBlock([TableColumn(head, numeric=place >= texts) for place, head in enumerate(heads)], rows)


def _cost(rows: Sequence[Row]) -> Chart | None:
    known = [row for row in rows if row.attempts and row.cost_per_1000 is not None][:_MOST_LANES]
    if len({row.cost_per_1000 for row in known}) < 2:
        return None
    points = [(row.cost_per_1000 or 0.0, 100 * row.passed / row.attempts) for row in known]
    # The points that no cheaper one equals, by cost.
    best = sorted(front({point: (point[0], -point[1]) for point in points}))
    steps = [point for before, after in pairwise(best) for point in (before, (after[0], before[1]))]
    costs = [cost for cost, _ in points]
    wide = max(costs) >= 10 * min(costs)
    return Chart(
        "points",
        "Answers against cost",
        "Right answers over the cost of 1,000 answers. The dashed line is the Pareto front: nothing cheaper is right "
        "as often.",
        x=Axis("cost of 1,000 answers", unit="$", log=wide),
        y=_PERCENT,
        series=[
            Series("front", "quiet", [*steps, best[-1]], dashed=True),
            *(Series(_label(row), _role(row.side), [point]) for row, point in zip(known, points, strict=True)),
        ],
        table=_table(
            ("number", "what", "right answers", "cost of 1,000", "on the front"),
            [
                (
                    str(number),
                    _label(row),
                    share(row.passed, row.attempts),
                    money(row.cost_per_1000),
                    "yes" if point in best else "no",
                )
                for number, (row, point) in enumerate(zip(known, points, strict=True), start=1)
            ],
            texts=2,
        ),
        key=[_label(row) for row in known],
    )


def _latency(rows: Sequence[Row], times: Times) -> Chart | None:
    shown = [row for row in rows if times.get((row.prompt, row.model)) and row.p50_ms is not None][:_MOST_LANES]
    if not shown:
        return None
    found = [[max(value, _SHORTEST_MS) for value in times[row.prompt, row.model]] for row in shown]
    low, high = min(map(min, found)) / 1.3, max(map(max, found)) * 1.3
    marks = [
        [
            (max(value, _SHORTEST_MS), text)
            for value, text in (
                (row.p50_ms, f"p50 {duration(row.p50_ms)}"),
                (row.p99_ms, f"p99 {tail(row.p99_ms, few=row.few)}"),
            )
            if value is not None
        ]
        for row in shown
    ]
    return Chart(
        "ridges",
        "Latency",
        "How long the model took, on a logarithmic axis; each shape is one prompt on one model. ~ marks a p99 of fewer "
        "than 100 calls.",
        x=Axis(unit="ms", log=True),
        y=Axis(ticks=[f"{row.prompt or 'own model'}\n{row.model}" for row in shown]),
        series=[
            Series(_label(row), _role(row.side), _distribution(part, low, high))
            for row, part in zip(shown, found, strict=True)
        ],
        marks=marks,
        table=_table(
            ("what", "calls", "p50", "p90", "p99", "mean", "σ"),
            [
                (
                    _label(row),
                    f"{row.timed:,}",
                    duration(row.p50_ms),
                    duration(row.p90_ms),
                    tail(row.p99_ms, few=row.few),
                    duration(row.mean_ms),
                    duration(row.deviation_ms),
                )
                for row in shown
            ],
        ),
    )


def _distribution(values: Sequence[float], low: float, high: float) -> list[tuple[float, float]]:
    """Return the outline of a histogram over bins of equal ratio: its corners, with heights in [0, 1]."""
    step = math.log(high / low) / _BINS
    counts = Counter(min(_BINS - 1, int(math.log(value / low) / step)) for value in values)
    most = max(counts.values())
    edges = [low * math.exp(step * place) for place in range(_BINS + 1)]
    return [(edges[place + side], counts[place] / most) for place in range(_BINS) for side in (0, 1)]


def _tokens(rows: Sequence[Row], kind: str) -> Chart | None:
    buckets = {id(row): row.by_output_tokens if kind == "output" else row.by_input_tokens for row in rows}
    shown = [row for row in rows if len(buckets[id(row)]) > 1][: len(_SERIES)]
    if not shown:
        return None
    ranges = sorted({(item.least, item.most) for row in shown for item in buckets[id(row)]})
    series = []
    for row, role in zip(shown, _SERIES, strict=False):
        at = [(float(ranges.index((item.least, item.most))), item) for item in buckets[id(row)]]
        series.append(Series(_label(row), role, [(place, max(item.p50_ms, _SHORTEST_MS)) for place, item in at]))
        p99 = [(place, max(item.p99_ms, _SHORTEST_MS)) for place, item in at]
        series.append(Series(_label(row), role, p99, dashed=True))
    return Chart(
        "lines",
        f"Latency by {kind} tokens",
        f"The p50 (solid) and the p99 (dashed) of calls by their {kind} tokens.",
        x=Axis(f"{kind} tokens", ticks=[f"{least:,}–{most:,}" for least, most in ranges]),
        y=Axis(unit="ms", log=True),
        series=series,
        table=_table(
            ("what", f"{kind} tokens", "calls", "p50", "p90", "p99", "σ"),
            [
                (
                    _label(row),
                    f"{item.least:,}–{item.most:,}",
                    f"{item.calls:,}",
                    duration(item.p50_ms),
                    duration(item.p90_ms),
                    tail(item.p99_ms, few=item.few),
                    duration(item.deviation_ms),
                )
                for row in shown
                for item in buckets[id(row)]
            ],
        ),
    )


def _ladder(rows: Sequence[Row]) -> Chart | None:
    shown = [row for row in rows if sum(row.rungs.values())][:_MOST_LANES]
    if not shown:
        return None
    return Chart(
        "bars",
        "Format ladder",
        "How answers had to be read: raw ones as they are, none not at all.",
        x=Axis(unit="%"),
        y=Axis(ticks=[f"{row.prompt or 'own model'}\n{row.model}" for row in shown]),
        series=[
            Series(
                rung.replace("_", " "),
                role,
                [
                    (100 * row.rungs.get(rung, 0) / sum(row.rungs.values()), float(lane))
                    for lane, row in enumerate(shown)
                ],
            )
            for rung, role in _RUNGS.items()
        ],
        table=_table(
            ("what", *(rung.replace("_", " ") for rung in _RUNGS), "repairs"),
            [
                (
                    _label(row),
                    *(f"{row.rungs.get(rung, 0):,}" for rung in _RUNGS),
                    ", ".join(f"{repair} {count}" for repair, count in row.repairs.items()),
                )
                for row in shown
            ],
        ),
    )


def _history(history: Sequence[PastRow]) -> Chart | None:
    runs = {row.run: row.started for row in history}
    if len(runs) < 2:
        return None
    order = list(runs)
    series = []
    models = dict.fromkeys(row.model for row in history if row.side != "champion")
    for model, role in zip(models, _SERIES, strict=False):
        best: dict[str, float] = {}
        for row in history:
            if row.model == model and row.side != "champion" and row.answered:
                best[row.run] = max(best.get(row.run, 0.0), 100 * row.passed / row.answered)
        series.append(Series(model, role, [(float(order.index(run)), value) for run, value in best.items()]))
    return Chart(
        "lines",
        "History",
        "Right answers in the latest runs of this suite about this prompt: the best candidate of each run, by model.",
        x=Axis(ticks=[started[5:16].replace("T", " ") for started in runs.values()]),
        y=_PERCENT,
        series=series,
        table=_table(
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
            texts=4,
        ),
    )
