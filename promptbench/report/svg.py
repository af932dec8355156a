"""Drawing of charts as inline SVG: no styles, no scripts, no ids; colours come from the page by class.

A class is `f-ROLE` where a colour fills and `s-ROLE` where it draws a line. All lengths are in the view box's units,
which are about the pixels of a page.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from promptbench.report.document import Axis, Chart, Series
from promptbench.report.markup import shown
from promptbench.report.words import shorten

_WIDTH = 660.0
_LANE = 60.0
_BAR = 40.0
_PLOT = 230.0
_TOP, _RIGHT, _BOTTOM = 14.0, 20.0, 44.0
# Space for the labels of the y axis: numbers, or the names of lanes.
_NUMBERS, _NAMES = 62.0, 190.0
_ROW = 18.0
_LABEL = 26
# The width of a mark's text.
_MARK = 84.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps the values of an axis to positions between `start` and `end`. A logarithmic one puts 0 at its low end."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        if self.log:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * min(1.0, max(0.0, part))


def draw(chart: Chart) -> str:
    """Return the chart as an `svg` element."""
    lanes = chart.kind in ("bars", "ridges")
    left = _NAMES if lanes else _NUMBERS
    # One row for each line, or one for all bars, whose names are short.
    named = [series for series in chart.series if not series.dashed]
    legend = {"lines": [[series] for series in named], "bars": [named]}.get(chart.kind, [])
    top = _TOP + _ROW * len(legend)
    bottom = top + (len(chart.y.ticks) * (_LANE if chart.kind == "ridges" else _BAR) if lanes else _PLOT)
    # Marks carry their text at both ends of the distributions, and need space for it.
    x = _scale(
        chart.x,
        [point[0] for series in chart.series for point in series.points],
        left + 8,
        _WIDTH - _RIGHT,
        *((8, _MARK / (_WIDTH - _RIGHT - left)) if chart.kind == "ridges" else ()),
    )
    y = _scale(chart.y, [point[1] for series in chart.series for point in series.points], bottom, top)
    parts = [*_x_axis(chart, x, top, bottom), *_y_axis(chart, y, left, top, bottom)]
    drawing: dict[str, Callable[[Chart, Scale, Scale], Iterator[str]]] = {
        "points": _points,
        "lines": _lines,
        "bars": _bars,
        "ridges": _ridges,
    }
    parts += drawing[chart.kind](chart, x, y)
    for number, row in enumerate(legend):
        parts += _legend_row(row, _TOP + _ROW * number)
    total = bottom + _BOTTOM
    return f'<svg viewBox="0 0 {_WIDTH:.0f} {total:.0f}" width="{_WIDTH:.0f}" aria-hidden="true">{"".join(parts)}</svg>'


def _scale(axis: Axis, values: Sequence[float], start: float, end: float, margin: float = 2, room: float = 0) -> Scale:
    """Return the scale of an axis. A logarithmic one leaves a `margin` at both ends, and that share of its length."""
    if axis.ticks:
        return Scale(-0.5, len(axis.ticks) - 0.5, start, end)
    if axis.unit == "%":
        return Scale(0, 105, start, end)
    if axis.log:
        known = [value for value in values if value > 0] or [1.0]
        margin = max(margin, (max(known) / min(known)) ** (room / (1 - 2 * room)))
        # Values of 0 have a place of their own, apart from the smallest one.
        return Scale(
            min(known) / (30 if min(values, default=1.0) <= 0 else margin), max(known) * margin, start, end, log=True
        )
    spread = (max(values) - min(values)) * 0.3 or 1.0
    return Scale(max(0.0, min(values) - spread), max(values) + spread, start, end)


def _ticks(axis: Axis, scale: Scale) -> list[tuple[float, str]]:
    if axis.ticks:
        step = max(1, math.ceil(len(axis.ticks) / 8))
        return [(float(place), axis.ticks[place]) for place in range(0, len(axis.ticks), step)]
    if axis.unit == "%":
        return [(float(value), f"{value} %") for value in (0, 25, 50, 75, 100)]
    if not scale.log:
        step = 10 ** math.floor(math.log10((scale.high - scale.low) / 2))
        first = math.ceil(scale.low / step)
        values = [number * step for number in range(first, math.floor(scale.high / step) + 1)]
        return [(value, _number(value, axis.unit)) for value in values[:: max(1, math.ceil(len(values) / 5))]]
    low, high = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    digits = (1,) if high - low > 3 else (1, 2, 5)
    values = [digit * 10.0**power for power in range(low, high + 1) for digit in digits]
    inside = [value for value in values if scale.low * 1.01 < value < scale.high]
    return [(value, _number(value, axis.unit)) for value in inside[:: max(1, math.ceil(len(inside) / 7))]]


def _number(value: float, unit: str) -> str:
    if unit == "$":
        return "$" + f"{value:,.10f}".rstrip("0").rstrip(".")
    if unit == "ms" and value >= 1000:
        return f"{value / 1000:g} s"
    return f"{value:g} {unit}" if value >= 1 or unit != "ms" else f"{value * 1000:g} µs"


def _x_axis(chart: Chart, x: Scale, top: float, bottom: float) -> Iterator[str]:
    for value, label in _ticks(chart.x, x):
        yield _line(x(value), top, x(value), bottom, "grid")
        yield _text(x(value), bottom + 16, label, "quiet", "middle")
    if chart.x.title:
        yield _text((x.start + x.end) / 2, bottom + 36, chart.x.title, "quiet", "middle")


def _y_axis(chart: Chart, y: Scale, left: float, top: float, bottom: float) -> Iterator[str]:
    if chart.kind in ("bars", "ridges"):
        lane = (bottom - top) / len(chart.y.ticks)
        for place, name in enumerate(chart.y.ticks):
            for row, part in enumerate(name.split("\n")):
                yield _text(left, top + lane * (place + 0.5) + 14 * row - 2, shorten(part, _LABEL), "ink", "end")
        return
    for value, label in _ticks(chart.y, y):
        yield _line(left, y(value), _WIDTH - _RIGHT, y(value), "grid")
        yield _text(left - 6, y(value) + 4, label, "ink", "end")


def _points(chart: Chart, x: Scale, y: Scale) -> Iterator[str]:
    number = 0
    for series in chart.series:
        if series.dashed:
            yield _path([(x(one), y(other)) for one, other in series.points], series)
            continue
        for one, other in series.points:
            number += 1
            yield _circle(x(one), y(other), 4.5, series.role, _values(chart, series, one, other))
            yield _text(x(one), y(other) - 9, str(number), "ink", "middle")


def _lines(chart: Chart, x: Scale, y: Scale) -> Iterator[str]:
    for series in chart.series:
        places = [(x(one), y(other)) for one, other in series.points]
        yield _path(places, series)
        if not series.dashed:
            for (one, other), (left, top) in zip(series.points, places, strict=True):
                yield _circle(left, top, 3, series.role, _values(chart, series, one, other))


def _bars(chart: Chart, x: Scale, y: Scale) -> Iterator[str]:
    lefts = [0.0] * len(chart.y.ticks)
    for series in chart.series:
        for value, place in series.points:
            lane = int(place)
            begin, end = x(lefts[lane]), x(lefts[lane] + value)
            lefts[lane] += value
            corner = y.end + _BAR * lane + 8
            if value:
                size = f'width="{end - begin:.1f}" height="{_BAR - 16:.0f}"'
                title = f"<title>{shown(_values(chart, series, value, place))}</title>"
                yield f'<rect x="{begin:.1f}" y="{corner:.1f}" {size} class="f-{series.role}">{title}</rect>'


def _ridges(chart: Chart, x: Scale, y: Scale) -> Iterator[str]:
    # Draw each series as an area in its lane, with its marks as lines that carry their text.
    for lane, series in enumerate(chart.series):
        base = y.end + _LANE * (lane + 1) - 4
        outline = " L".join(f"{x(value):.1f} {base - 0.55 * _LANE * height:.1f}" for value, height in series.points)
        first, last = x(series.points[0][0]), x(series.points[-1][0])
        path = f"M{first:.1f} {base:.1f} L{outline} L{last:.1f} {base:.1f}Z"
        title = f"<title>{shown(', '.join([series.name, *(label for _, label in chart.marks[lane])]))}</title>"
        yield f'<path d="{path}" class="f-{series.role}" fill-opacity="0.75">{title}</path>'
        for (value, label), anchor in zip(chart.marks[lane], ("end", "start"), strict=False):
            yield _line(x(value), base, x(value), base - 0.7 * _LANE, "ink")
            yield _text(x(value) + (4 if anchor == "start" else -4), base - 0.6 * _LANE, label, "quiet", anchor)


def _legend_row(row: Sequence[Series], top: float) -> Iterator[str]:
    for place, series in enumerate(row):
        left = _NUMBERS + 118 * place
        yield f'<rect x="{left:.0f}" y="{top - 9:.0f}" width="11" height="11" class="f-{series.role}"/>'
        yield _text(left + 17, top + 1, shorten(series.name, 70), "ink", "start")


def _path(places: Sequence[tuple[float, float]], series: Series) -> str:
    dashes = ' stroke-dasharray="5 4"' if series.dashed else ""
    points = " ".join(f"{one:.1f},{other:.1f}" for one, other in places)
    return f'<polyline points="{points}" fill="none" stroke-width="1.5"{dashes} class="s-{series.role}"/>'


def _circle(x: float, y: float, radius: float, role: str, title: str) -> str:
    title = f"<title>{shown(title)}</title>"
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="f-{role}">{title}</circle>'


def _values(chart: Chart, series: Series, x: float, y: float) -> str:
    """Return what the pointer shows at a point: its series and its two values."""
    values = (
        axis.ticks[int(value)].replace("\n", " ") if axis.ticks else _number(round(value, 4), axis.unit)
        for axis, value in ((chart.x, x), (chart.y, y))
    )
    return f"{series.name}: {', '.join(values)}"


def _line(x1: float, y1: float, x2: float, y2: float, role: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke-width="1" class="s-{role}"/>'


def _text(x: float, y: float, text: str, role: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12" class="f-{role}">{shown(text)}</text>'
