"""The geometry of charts, which the template `chart.html` draws as inline SVG.

All lengths are in the view box's units, which are about the pixels of a page.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from promptbench.report.document import Axis, Chart, Series

_WIDTH = 660.0
_LANE = 60.0
_BAR = 40.0
_PLOT = 230.0
_TOP, _RIGHT, _BOTTOM = 14.0, 20.0, 44.0
# Space for the labels of the y axis: numbers, or the names of lanes.
_NUMBERS, _NAMES = 62.0, 190.0
_ROW = 18.0
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


def layout(chart: Chart) -> dict[str, Any]:
    """Return the places of a chart's parts, for the template `chart.html`."""
    lanes = chart.kind in ("bars", "ridges")
    left = _NAMES if lanes else _NUMBERS
    # One row for each line, or one for all bars, whose names are short.
    named = [series for series in chart.series if not series.dashed]
    legend = {"lines": [[series] for series in named], "bars": [named]}.get(chart.kind, [])
    top = _TOP + _ROW * len(legend)
    lane = _LANE if chart.kind == "ridges" else _BAR
    bottom = top + (len(chart.y.ticks) * lane if lanes else _PLOT)
    # Marks carry their text at both ends of the distributions, and need space for it.
    x = _scale(
        chart.x,
        [point[0] for series in chart.series for point in series.points],
        left + 8,
        _WIDTH - _RIGHT,
        *((8, _MARK / (_WIDTH - _RIGHT - left)) if chart.kind == "ridges" else ()),
    )
    y = _scale(chart.y, [point[1] for series in chart.series for point in series.points], bottom, top)
    return {
        **{"width": _WIDTH, "height": bottom + _BOTTOM, "left": left, "top": top, "bottom": bottom, "lane": lane},
        **{"x": x, "y": y, "x_ticks": _ticks(chart.x, x), "y_ticks": _ticks(chart.y, y)},
        **{"legend": legend, "first_row": _TOP, "row": _ROW, "title_of": partial(_values, chart)},
    }


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


def _values(chart: Chart, series: Series, x: float, y: float) -> str:
    """Return what the pointer shows at a point: its series and its two values."""
    values = (
        axis.ticks[int(value)].replace("\n", " ") if axis.ticks else _number(round(value, 4), axis.unit)
        for axis, value in ((chart.x, x), (chart.y, y))
    )
    return f"{series.name}: {', '.join(values)}"
