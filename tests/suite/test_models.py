from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from promptbench.suite.file import CaseFile, GateFile, TagFile, field_name, path_in_file
from promptbench.suite.suite_file import SuiteFile
from promptbench.yaml.marked import WrittenNumber
from tests.helpers.suites import HEAD, loaded

SUITE: dict[str, Any] = {"suite": "s", "prompt": "p.prompt", "models": "a/b"}


@pytest.mark.parametrize("written", ["should be", "should_be", "should-be", " should  be "])
def test_spaces_dashes_and_underscores_are_the_same(written: str) -> None:
    assert field_name(written) == "should_be"


def test_one_value_stands_for_a_list() -> None:
    suite = SuiteFile.model_validate({**SUITE, "checks": "json", "log": "a.jsonl"})
    assert (suite.prompt, suite.log, suite.checks) == (["p.prompt"], ["a.jsonl"], [{"json": None}])
    assert [item.model for item in suite.models] == ["a/b"]


def test_a_number_is_text_as_it_is_written_where_text_is_wanted() -> None:
    case = CaseFile.model_validate({"case": WrittenNumber("1.10"), "tags": [2024, True], "was": 42})
    assert (case.case, case.tags, case.was) == ("1.10", ["2024", "true"], "42")


def test_a_logged_null_is_an_answer() -> None:
    assert CaseFile.model_validate({"case": "x", "was": None}).was == "null"
    assert CaseFile.model_validate({"case": "x"}).was is None


@pytest.mark.parametrize(
    ("written", "share"), [("95%", 0.95), (" 99.5 % ", 0.995), (0.5, 0.5), (1, 1.0), (WrittenNumber("0.50"), 0.5)]
)
def test_shares(written: object, share: float) -> None:
    assert GateFile.model_validate({"format floor": written}).format_floor == share


@pytest.mark.parametrize(
    ("written", "days"), [("7 days", 7), ("1 day", 1), ("12 hours", 0.5), (3, 3), (WrittenNumber("0.50"), 0.5)]
)
def test_ages(written: object, days: float) -> None:
    assert GateFile.model_validate({"max-age": written}).max_age == days


@pytest.mark.parametrize(("written", "cost"), [("$2", 2.0), ("2.50", 2.5), ("$ 0.1", 0.1), (3, 3.0), (0, 0.0)])
def test_costs(written: object, cost: float) -> None:
    assert GateFile.model_validate({"max cost": written}).max_cost == cost


@pytest.mark.parametrize(
    "gate",
    [
        {"max cost": "2 euros"},
        {"max cost": -1},
        {"max cost": True},
        {"format floor": 95},
        {"format floor": "much"},
        {"format floor": True},
        {"max age": 0},
        {"max age": "soon"},
        {"repeats": 0},
        {"repeats": 2.5},
        {"repeats": "3"},
        {"repeats": True},
        {"fixed": "some"},
        {"margin": "5"},
        {"margin": 5},
        {"margin": 0},
        {"margin": "0.05%"},
        {"margin": "100%"},
        {"margin": True},
        {"margin": None},
        {"cost ratio": 0},
        {"cost ratio": "120%"},
        {"latency ratio": -1},
        {"latency ratio": True},
        {"latency ratio": float("inf")},
        {"tags": ["refunds"]},
        {"tags": {"refunds": None}},
        {"tags": {"refunds": {}}},
        {"tags": {"refunds": {"floor": 90}}},
        {"tags": {"refunds": {"margin": "auto"}}},
        {"tags": {"refunds": {"repeats": 3}}},
        {"typo": 1},
    ],
)
def test_what_no_gate_says(gate: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GateFile.model_validate(gate)


def test_what_a_gate_may_ask_for() -> None:
    tags = {"refunds": {"floor": "90%", "margin": "2.5%"}, "2024": {"margin": 0.1}}
    gate = GateFile.model_validate({"margin": "5%", "tags": tags, "cost-ratio": 1.2, "latency ratio": 2})
    assert (gate.margin, gate.cost_ratio, gate.latency_ratio) == (0.05, 1.2, 2.0)
    assert gate.tags == {"refunds": TagFile(floor=0.9, margin=0.025), "2024": TagFile(margin=0.1)}
    assert GateFile.model_validate({"margin": "auto"}) == GateFile()


@pytest.mark.parametrize("value", ["yes", "no", "on", 1, 0])
def test_only_true_and_false_are_booleans(value: object) -> None:
    with pytest.raises(ValidationError):
        SuiteFile.model_validate({**SUITE, "models": [{"model": "a/b", "uses prompt": value}]})


def test_a_path_in_field_names_becomes_one_in_the_file() -> None:
    value = {"cases": [{"should be": "x", "checks": {"json schema": "output"}}], "prompt": "p"}
    assert path_in_file(("cases", 0, "should_be"), value) == ("cases", 0, "should be")
    assert path_in_file(("cases", 0, "checks", 0, "json schema"), value) == ("cases", 0, "checks", "json schema")
    assert path_in_file(("prompt", 0), value) == ("prompt",)
    assert path_in_file(("cases", 0, "nowhere", 3), value) == ("cases", 0, "nowhere")


def test_the_suite_knows_the_place_of_everything(tmp_path: Path) -> None:
    text = HEAD + "cases:\n  - case: one\n    should-be: fine\n    checks: json\n    tags: critical\n"
    suite, found = loaded(tmp_path, text)
    assert suite is not None
    assert not list(found)
    assert str(suite.location(("cases", 0, "should_be"))) == "suite.yaml:6:16"
    assert str(suite.location(("cases", 0, "should_be"), key=True)) == "suite.yaml:6:5"
    assert str(suite.cases["one"].checks[0].where.location(key=True)) == "suite.yaml:7:13"
    assert str(suite.location(("models", 0))) == "suite.yaml:3:10"
    assert (suite.cases["one"].critical, suite.folder) == (True, tmp_path)
