"""Lists of runs as text, within 80 columns where names allow it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from promptbench.report.words import clean, cut, duration, excerpt, money, share, width_of

if TYPE_CHECKING:
    from promptbench.api import RunDetails, RunFigures, RunSummary

_NAME, _LEAST = 22, 10
"""How much of a name is shown, and how much at the least."""
_WIDTH = 80
_SIDES = {"champion": "production"}


def listed(runs: Sequence[RunSummary]) -> Iterator[str]:
    """A line a run, its names cut as far as the width takes it."""
    if not runs:
        yield "no runs yet"
        return
    for wide in range(_NAME, _LEAST - 1, -1):
        lines = list(_columns(_rows(runs, wide), right={5}))
        if max(map(width_of, lines)) <= _WIDTH:
            break
    yield from lines


def _rows(runs: Sequence[RunSummary], wide: int) -> Iterator[tuple[str, ...]]:
    yield ("run", "suite", "result", "candidate", "against", "cost")
    for run in runs:
        candidate = (run.candidates or run.prompt).replace(".prompt", "")
        names = (excerpt(name, wide) for name in (candidate, run.champion or "–"))
        cost = "–" if run.cost is None else money(run.cost)
        yield (run.run, excerpt(run.suite, wide), _result(run), *names, cost)


def _result(run: RunSummary) -> str:
    if run.shard:
        return f"shard {run.shard}" if run.finished else f"shard {run.shard}, open"
    part = ", part" if run.partial else ""
    return f"{run.result}{part}" if run.result else f"open{part}"


def shown(run: RunDetails) -> Iterator[str]:
    """A run and its figures; the verdict is the last line."""
    about = run.summary
    against = f" against {about.champion}" if about.champion else ""
    yield clean(f"{about.run}: {about.suite}, {about.candidates or about.prompt}{against}, {about.cases} cases")
    yield clean(f"started {about.started}, finished {about.finished or 'not yet'}")
    if about.command:
        yield f"again: {clean(about.command)}"
    yield ""
    rows: list[tuple[str, ...]] = [("", "answers", "format", "p50", "p99", "$/1,000", "errors")]
    for model in dict.fromkeys(item.model for item in run.figures):
        rows.append((model, "", "", "", "", "", ""))
        for item in run.figures:
            if item.model == model:
                figures = (_figure(item, metric) for metric in ("answers", "format", "p50", "p99", "cost"))
                rows.append((f"  {_who(item)}", *figures, str(item.errored or "")))
    yield from _columns([(cut(clean(row[0]), 40), *row[1:]) for row in rows], right=set(range(1, 7)))
    yield ""
    yield clean(about.sentence or "not finished: the same command goes on with it")


def traced(figures: Sequence[RunFigures], metric: str) -> Iterator[str]:
    """A block for each model, and in it a line for each prompt in each run, with the change against the line of the
    same side before."""
    for model in dict.fromkeys(item.model for item in figures):
        rows = [("run", "result", "prompt", metric, "change")]
        before: dict[str, float | None] = {}
        for item in figures:
            if item.model == model:
                value, last = getattr(item, metric), before.get(item.side)
                change = "" if value is None or last is None else _change(value - last, metric)
                rows.append((item.run, item.result or "", _who(item), _figure(item, metric), change))
                before[item.side] = value
        yield clean(model)
        yield from (f"  {line}" for line in _columns(rows, right={3, 4}))


def _who(item: RunFigures) -> str:
    side = _SIDES.get(item.side, item.side)
    return " ".join(filter(None, (side, excerpt(item.prompt.removesuffix(".prompt"), _NAME))))


def _figure(item: RunFigures, metric: str) -> str:
    value = getattr(item, metric)
    if metric in ("p50", "p99"):
        return duration(value)
    if metric == "cost":
        return money(value)
    if value is None:
        return "–"
    return share(round(value * item.attempts), item.attempts) if metric == "answers" else _percent(value)


def _percent(value: float) -> str:
    return share(round(value * 10_000), 10_000)


def _change(by: float, metric: str) -> str:
    if not by:
        return "="
    sign = "+" if by > 0 else "−"
    if metric in ("p50", "p99"):
        return sign + duration(abs(by))
    return sign + (money(abs(by)) if metric == "cost" else f"{abs(by) * 100:.1f} points")


def _columns(rows: Iterable[tuple[str, ...]], right: set[int]) -> Iterator[str]:
    """Rows in columns as wide as their widest cell; the numbers in `right` stand at the right."""
    rows = list(rows)
    widths = [max(map(width_of, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            " " * (wide - width_of(text)) + text if number in right else text + " " * (wide - width_of(text))
            for number, (text, wide) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
