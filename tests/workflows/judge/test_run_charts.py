"""Charts: what they show, and that the drawings need no styles of their own."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from promptbench.report.document import Chart, Times
from promptbench.report.explorer import explore
from promptbench.report.model import Row
from promptbench.report.templates import environment
from promptbench.workflows.judge.run_charts import charts
from promptbench.workflows.judge.run_report import run_report
from tests.report import kit
from tests.report.explored import report


def draw(chart: Chart) -> str:
    return str(environment().get_template("chart.html").module.drawn(chart))  # type: ignore[attr-defined]


def of_rows(rows: list[Row], times: Times) -> list[Chart]:
    return charts(kit.report(rows=rows), times)


@pytest.fixture(scope="module")
def drawn() -> dict[str, Chart]:
    full = report(30)
    attempts = run_report(full).attempts
    assert attempts is not None
    return {chart.title: chart for chart in charts(full, explore(attempts, lambda _: "").times)}


def test_there_is_a_chart_for_all_that_is_known(drawn: dict[str, Chart]) -> None:
    assert list(drawn) == ["Answers against cost", "Latency", "Latency by output tokens", "Format ladder", "History"]


def test_drawings_take_their_colours_from_the_page(drawn: dict[str, Chart]) -> None:
    for chart in drawn.values():
        svg = draw(chart)
        root = ElementTree.fromstring(svg)
        assert not [element for element in root.iter() if {"style", "id"} & {*element.attrib}]
        assert not re.search(r'(?:fill|stroke)="(?!none)', svg)
        assert len(svg) < 40_000


def test_what_is_drawn_is_inside_the_picture(drawn: dict[str, Chart]) -> None:
    for chart in drawn.values():
        root = ElementTree.fromstring(draw(chart))
        width, height = map(float, root.attrib["viewBox"].split()[2:])
        for element in root:
            for name, most in (
                ("x", width),
                ("cx", width),
                ("x1", width),
                ("y", height),
                ("cy", height),
                ("y2", height),
            ):
                assert 0 <= float(element.attrib.get(name, 0)) <= most, (chart.title, ElementTree.tostring(element))


def test_the_front_is_what_nothing_cheaper_equals() -> None:
    rows = [
        kit.row("p", "candidate", model, cost_per_1000=cost, passed=passed)
        for model, cost, passed in (("dear", 9.0, 50), ("good", 3.0, 55), ("same", 4.0, 55), ("cheap", 0.5, 20))
    ]
    chart = of_rows(rows, {})[0]
    assert {row[1]: row[-1] for row in chart.table.rows} == {
        "p on dear": "no",
        "p on good": "yes",
        "p on same": "no",
        "p on cheap": "yes",
    }
    assert list(chart.key) == [row[1] for row in chart.table.rows]


def test_names_are_text_whatever_is_in_them() -> None:
    names = ["$x_1$ \\frac", kit.WIDE, kit.RIGHT_TO_LEFT, "<b>&amp;", kit.SURROGATE, kit.ESCAPES]
    rows = [kit.row(name, "candidate", name, cost_per_1000=float(place)) for place, name in enumerate(names, 1)]
    drawn = of_rows(rows, {(name, name): [10.0, 20.0] for name in names})
    for chart in drawn:
        ElementTree.fromstring(draw(chart))
    assert "$x_1$" in draw(drawn[1])


def test_nothing_is_drawn_of_nothing() -> None:
    assert of_rows([], {}) == []
    silent = kit.row("p", "candidate", "m", attempts=0, rungs={}, cost_per_1000=None, p50_ms=None, timed=0)
    assert of_rows([silent], {}) == []


def test_models_that_cost_nothing_have_a_place_beside_those_that_do() -> None:
    rows = [
        kit.row("p", "candidate", f"m{cost}", cost_per_1000=cost, passed=30 + int(cost)) for cost in (0.0, 0.5, 9.0)
    ]
    chart = of_rows(rows, {})[0]
    assert [row[-1] for row in chart.table.rows] == ["yes", "no", "yes"]
    assert chart.table.rows[0][3] == "$0"
    free = [kit.row("p", "candidate", model, cost_per_1000=0.0) for model in "ab"]
    assert of_rows(free, {})[0].title == "Format ladder"
