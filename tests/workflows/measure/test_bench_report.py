from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from promptbench.report.document import Target
from promptbench.report.words import width_of
from promptbench.workflows.measure.bench_report import (
    Advice,
    Contrast,
    Costs,
    Interval,
    MeasuredModel,
    MeasurementReport,
    Spread,
    bench_report,
    contrasted,
    precise,
    sentences,
)
from tests.report.kit import rendered


def figure(value: float) -> Interval:
    return Interval(value, value * 0.9, None)


def spread(scale: float) -> Spread:
    return Spread(50, True, *(figure(scale * n) for n in (1, 2, 3, 4, 0.5)), mean=scale)


def model(name: str, scale: float) -> MeasuredModel:
    return MeasuredModel(
        model=name,
        uses_prompt=True,
        calls=52,
        answered=50,
        errored=Interval(2 / 52, 0.005, 0.13),
        retried=Interval(1 / 52, 0.001, 0.1),
        errors={"the server says no": 2},
        latency=spread(scale),
        provider=spread(scale / 2),
        queue=spread(scale / 2),
        first_token=spread(scale / 3),
        tokens_per_second=spread(40),
        costs=Costs(0.00123, 1.23, 123_456.0, 0.4),
    )


def report(*names: str, scale: float = 100.0) -> MeasurementReport:
    models = [model(name, scale * (place + 1)) for place, name in enumerate(names)]
    slower = [Contrast(names[0], name, Interval(2.0, 1.8, 2.2), None, Interval(2.0, 0.9, 4.0)) for name in names[1:]]
    return MeasurementReport(
        name="20261127-115408-db36",
        started="2026-11-27T11:54:08.000Z",
        suite="s",
        prompt="p",
        version="sha256:0",
        about="p.prompt, 3 cases, 52 calls to each model",
        how="one call at a time",
        complete=True,
        models=models,
        contrasts=slower,
        beside_own=[],
        advice=Advice(["latency"], [names[0]], None, ["the fastest is " + names[0]]),
        notes=["a note"],
        per_month=100_000_000,
    )


@given(
    st.lists(st.text(min_size=1, max_size=90), min_size=1, max_size=3, unique=True),
    st.sampled_from([1e-2, 100, 9e6]),
    st.sampled_from([40, 60, 80]),
)
def test_no_line_is_wider_than_the_terminal_and_no_name_is_markup(names: list[str], scale: float, width: int) -> None:
    found = bench_report(report(*names, scale=scale))
    lines = rendered("terminal", [found], Target(width)).splitlines()
    assert max(map(width_of, lines)) <= width
    assert all(line.isprintable() for line in lines)
    whole = rendered("markdown", [found], Target())
    assert all(char.isprintable() or char in "\n\u200b" for char in whole)


def test_what_is_said() -> None:
    text = rendered("terminal", [bench_report(report("a/x", "b/y"))], Target(80))
    flat = " ".join(text.split())
    assert "50 of 52 calls answered, 2 errored (0.5 to 13.0 %), 2 % retried (0.1 to 10.0 %)" in flat
    assert "a/x: 2 × the server says no" in text
    assert "  · queue" in text
    assert "100,000,000 a month" in text
    assert (
        "a/x compared with b/y: 1.80 to 2.20 times as fast at p50; no significant difference at p99 (0.9 to 4 times)"
        in flat
    )
    assert text.endswith("the fastest is a/x\n")


def test_the_queue_is_shown_where_there_was_one() -> None:
    one = report("a/x")
    quick = replace(one, models=[replace(one.models[0], queue=spread(0.1))])
    assert "· queue" not in rendered("terminal", [bench_report(quick)], Target(80))


def test_contrasts_with_the_fastest_only() -> None:
    one = report("a", "b", "c")
    others = [Contrast("b", "c", Interval(2.0, 1.8, 2.2), None, None), *one.contrasts]
    compared = [line for line in sentences(replace(one, contrasts=others)) if " compared with " in line]
    assert [line.split()[:4:3] for line in compared] == [["a", "b:"], ["a", "c:"]]


@pytest.mark.parametrize(
    ("p50", "said"),
    [
        (Interval(3.0, 2.7, 3.1), "a compared with b: 2.70 to 3.10 times as fast at p50"),
        (Interval(30.0, 27.4, 31.0), "a compared with b: 27 to 31 times as fast at p50"),
        (Interval(1.1, 0.9, 1.3), "a compared with b: no significant difference at p50 (0.9 to 1.3 times)"),
        (Interval(2.0, 1.5, None), "a compared with b: about 2.0 times as fast at p50"),
        (None, ""),
    ],
)
def test_how_two_models_compare(p50: Interval | None, said: str) -> None:
    assert contrasted(Contrast("a", "b", p50, None, None)) == said


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(0.1234, "0.12 ms"), (9.99, "9.99 ms"), (23.45, "23.4 ms"), (719.5, "720 ms"), (999.4, "999 ms"),
     (999.6, "1.00 s"), (2480.0, "2.48 s"), (74_950.0, "75.0 s"), (123_000.0, "123 s")],
)  # fmt: skip
def test_times_have_three_digits(milliseconds: float, said: str) -> None:
    assert precise(milliseconds) == said


def test_json_says_all_of_it() -> None:
    data = json.loads(rendered("json", [bench_report(report("a", "b"))], Target()))
    assert data["models"][0]["latency"]["p50"] == {"value": 100.0, "low": 90.0, "high": None}
