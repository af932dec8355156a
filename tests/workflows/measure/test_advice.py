"""Costs, ratios and recommendations, by figures that are given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promptbench.core.types import MeasuredCall, Usage
from promptbench.stats.quantiles import Interval
from promptbench.workflows.measure.advice import advise, beside_own, costs
from promptbench.workflows.measure.bench_report import Accuracy, Costs, MeasuredModel
from promptbench.workflows.measure.measured_calls import rate, spread


def model(name: str, ms: float, cost: float | None, right: int | None = None, *, own: bool = False) -> MeasuredModel:
    """One of which 100 answers are known, if any."""
    return MeasuredModel(
        model=name,
        uses_prompt=not own,
        calls=50,
        answered=50,
        errored=Interval(0.0, 0.0, 0.1),
        retried=None,
        errors={},
        latency=spread([ms] * 50),
        costs=Costs(cost, None if cost is None else cost * 1000, None, None),
        accuracy=None if right is None else Accuracy(rate(right, 100), 100, "run"),
    )


def call(cost: float | None, *, error: str | None = None, given: int = 1000) -> MeasuredCall:
    return MeasuredCall("m", 0, "c", 0, 0, 5, 0, 1, usage=Usage(given, 10), cost=cost, error=error)


def test_the_cheapest_of_those_that_are_as_good() -> None:
    found = advise([model("best", 900, 0.01, 95), model("as good", 200, 0.001, 93), model("poor", 20, 0.0001, 60)])
    assert found.recommended == "as good"
    assert found.front == ["best", "as good", "poor"]
    assert found.sentences[-1] == (
        "recommended: as good: right in 93 %, not significantly below the 95 % of best; $1.00 per 1,000 instead of "
        "$10.00; p50 200 ms"
    )


def test_the_best_where_no_other_is_as_good() -> None:
    found = advise([model("best", 900, 0.01, 99), model("poor", 20, 0.0001, 60)])
    assert found.sentences[-1] == (
        "recommended: best: right in 99 %, and no other model is as good; $10.00 per 1,000; p50 900 ms"
    )


def test_what_is_beaten_in_all_is_not_on_the_front() -> None:
    found = advise([model("a", 100, 0.001, 90), model("b", 200, 0.002, 80)])
    assert (found.by, found.front, found.recommended) == (["accuracy", "cost", "latency"], ["a"], "a")


def test_of_equal_prices_the_fastest() -> None:
    assert advise([model("slow", 300, 0.0, 90), model("fast", 100, 0.0, 90)]).recommended == "fast"


def test_without_accuracy_nothing_is_recommended() -> None:
    found = advise([model("a", 100, 0.002), model("b", 200, 0.001, 90)], ": run it")
    assert found.recommended is None
    assert found.by == ["cost", "latency"]
    assert found.sentences == [
        "not beaten in both cost and latency: a, b",
        "accuracy is left out, because it is unknown how often a is right: run it",
        "the fastest is a: p50 100 ms at $2.00 per 1,000; the cheapest is b: $1.00 per 1,000, p50 200 ms",
    ]


def test_without_a_price_cost_is_left_out() -> None:
    found = advise([model("a", 100, None, 90), model("b", 200, 0.001, 90)])
    assert found.by == ["accuracy", "latency"]
    assert "cost is left out, because it is unknown for a" in found.sentences
    assert found.recommended == "a"


def test_one_model_needs_no_advice() -> None:
    assert advise([model("a", 100, 0.001, 90)]).sentences == []
    assert advise([]).front == []


def test_a_model_that_often_gives_no_answer_is_not_advised() -> None:
    refusing = replace(model("refusing", 20, 0.0001, 99), answered=25)
    found = advise([refusing, model("a", 100, 0.002, 90), model("b", 200, 0.001, 60)])
    assert (found.recommended, found.front) == ("a", ["a", "b"])
    assert "refusing is left out: 25 of 50 calls got no answer" in found.sentences
    assert advise([refusing, model("a", 100, 0.002, 90)]).sentences == [
        "refusing is left out: 25 of 50 calls got no answer"
    ]
    once = replace(refusing, answered=49)
    assert advise([once, model("a", 100, 0.002, 90)]).recommended == "refusing"


@pytest.mark.parametrize("right", [None, 90])
def test_a_long_tail_of_the_fastest_is_named(right: int | None) -> None:
    swinging = replace(model("swinging", 60, 0.001, right), latency=spread([60.0] * 47 + [1020.0] * 3))
    found = advise([swinging, model("steady", 77, 0.002, right)])
    assert found.sentences[-1] == "the slowest calls of swinging take long: p99 1.0 s, 77 ms for steady"


def test_models_with_a_prompt_beside_own_ones() -> None:
    models = [model("llm", 500, 0.002), model("own", 5, 0.000001, own=True)]
    assert list(beside_own(models)) == ["llm compared with own: 100 times as long, 2,000 times the price a call"]
    assert list(beside_own([model("llm", 500, None), model("own", 5, 0.1, own=True)])) == [
        "llm compared with own: 100 times as long a call"
    ]
    assert list(beside_own(models[:1])) == []


def test_costs_are_of_answered_calls_and_unknown_when_one_is() -> None:
    found = costs([call(0.02), call(0.04), call(None, error="no")], per_month=100, examples=0.5, input_price=1e-5)
    assert found == Costs(
        pytest.approx(0.03), pytest.approx(30.0), pytest.approx(3.0), pytest.approx(0.5 * 0.01 / 0.03)
    )
    assert costs([call(0.02), call(None)], per_month=100, examples=0.5, input_price=1e-5) == Costs(
        None, None, None, None
    )
    assert costs([], per_month=None, examples=None, input_price=None) == Costs(None, None, None, None)
