"""What is drawn, and that nothing of it needs a style of its own."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from promptbench.report.charts import Chart, charts

from promptbench.report.explorer import explore
from tests.report import kit
from tests.report.explored import past, report


@pytest.fixture(scope="module")
def drawn() -> dict[str, Chart]:
    full = report(30)
    explorer = explore(full)
    assert explorer is not None
    history = [past(number) for number in range(1, 6)]
    return {chart.title: chart for chart in charts(full.rows, explorer.times, history, "c0")}


def test_there_is_a_chart_for_all_that_is_known(drawn: dict[str, Chart]) -> None:
    assert list(drawn) == ["Answers against cost", "Latency", "Latency by output tokens", "Format ladder", "History"]


def test_drawings_take_their_colours_from_the_page(drawn: dict[str, Chart]) -> None:
    for chart in drawn.values():
        root = ElementTree.fromstring(chart.svg)
        assert not [element for element in root.iter() if "style" in element.attrib or element.tag == "style"]
        assert not re.search(r'(?:fill|stroke)="(?!none)', chart.svg)
        references = set(re.findall(r'(?:href="|url\()#([\w-]+)', chart.svg))
        assert references <= set(re.findall(r'id="([\w-]+)"', chart.svg))
        assert all(name.startswith("c0-") for name in references)
        assert len(chart.svg) < 40_000


def test_the_front_is_what_nothing_cheaper_equals() -> None:
    rows = [
        kit.row("p", "candidate", model, cost_per_1000=cost, passed=passed)
        for model, cost, passed in (("dear", 9.0, 50), ("good", 3.0, 55), ("same", 4.0, 55), ("cheap", 0.5, 20))
    ]
    chart = charts(rows, {}, [], "c")[0]
    assert {row[1]: row[-1] for row in chart.rows} == {
        "p on dear": "no",
        "p on good": "yes",
        "p on same": "no",
        "p on cheap": "yes",
    }
    assert list(chart.key) == [row[1] for row in chart.rows]


def test_names_are_text_whatever_is_in_them() -> None:
    names = ["$x_1$ \\frac", kit.WIDE, kit.RIGHT_TO_LEFT, "<b>&amp;", kit.SURROGATE, kit.ESCAPES]
    rows = [kit.row(name, "candidate", name, cost_per_1000=float(place)) for place, name in enumerate(names, 1)]
    drawn = charts(rows, {(name, name): [10.0, 20.0] for name in names}, [], "c")
    for chart in drawn:
        ElementTree.fromstring(chart.svg)
    assert "$x_1$" in drawn[1].svg


def test_nothing_is_drawn_of_nothing() -> None:
    assert charts([], {}, [], "c") == []
    silent = kit.row("p", "candidate", "m", attempts=0, rungs={}, cost_per_1000=None, p50_ms=None, timed=0)
    assert charts([silent], {}, [past(1)], "c") == []


def test_models_that_cost_nothing_have_a_place_beside_those_that_do() -> None:
    rows = [
        kit.row("p", "candidate", f"m{cost}", cost_per_1000=cost, passed=30 + int(cost)) for cost in (0.0, 0.5, 9.0)
    ]
    chart = charts(rows, {}, [], "c")[0]
    assert [row[-1] for row in chart.rows] == ["yes", "no", "yes"]
    assert chart.rows[0][3] == "$0"
    assert (
        charts([kit.row("p", "candidate", m, cost_per_1000=0.0) for m in "ab"], {}, [], "c")[0].title == "Format ladder"
    )
