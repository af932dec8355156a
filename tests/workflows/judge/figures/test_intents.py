"""Intents and slots over a run: models that are functions, the whole way through `promptbench run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.project import ProjectFolder

SUITE = """\
suite: travel
prompt: travel.prompt
models: [python/own.py:good, python/own.py:bad]
checks:
  - intent: {at: intent, labels: [book, cancel, status, oos], out of scope: oos, confidence: sure}
  - slots: {at: slots}
cases: cases.jsonl
"""
OWN = """\
import json
from pathlib import Path

def good(variables):
    return json.loads(variables["good"])

def bad(variables):
    return variables["bad"]
"""
# What is right, what the good model says, what the bad one says.
CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"intent": "book", "slots": {"city": "Bern"}}, {"intent": "book", "slots": {"city": "Bern"}, "sure": 0.9}, "{"),
    ({"intent": "book", "slots": {}}, {"intent": "book", "slots": {"city": "x"}, "sure": 0.8}, '{"intent": "fly"}'),
    ({"intent": "book", "slots": {}}, {"intent": "cancel", "slots": {}, "sure": 0.6}, '{"intent": "cancel"}'),
    ({"intent": "cancel", "slots": {}}, {"intent": "cancel", "slots": {}, "sure": 0.7}, '{"intent": "book"}'),
    ({"intent": "status", "slots": {}}, {"intent": "status", "slots": {}, "sure": 0.9}, '{"intent": "status"}'),
    ({"intent": "oos", "slots": {}}, {"intent": "oos", "slots": {}, "sure": 0.2}, '{"intent": "oos"}'),
    ({"intent": "oos", "slots": {}}, {"intent": "book", "slots": {}, "sure": 0.3}, '{"intent": "oos"}'),
]


@pytest.fixture
def travel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> ProjectFolder:
    monkeypatch.chdir(tmp_path)
    project = ProjectFolder(tmp_path, "http://127.0.0.1:9/v1", capsys)
    project.write("promptbench.toml", 'python = ["suites/*/*.py"]\n')
    project.write("suites/travel/suite.yaml", SUITE)
    project.write("suites/travel/travel.prompt", "{{text}}\n")
    project.write("suites/travel/own.py", OWN)
    lines = [
        {"case": f"c{n}", "vars": {"text": f"text {n}", "good": json.dumps(good), "bad": bad}, "expect": right}
        for n, (right, good, bad) in enumerate(CASES)
    ]
    project.write("suites/travel/cases.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
    return project


@pytest.fixture
def found(travel: ProjectFolder) -> Any:
    ended = travel.run("run", "suites/travel", "--format", "json")
    [report] = ended.data["runs"]
    return report["nlu"]


def test_figures_of_a_run(found: Any) -> None:
    good, bad = found["summaries"]
    assert (good["model"], good["side"]) == ("python/own.py:good", "baseline")
    assert (good["accuracy"]["right"], good["accuracy"]["of"]) == (5, 7)
    assert (good["in_scope"]["right"], good["in_scope"]["of"]) == (4, 5)
    assert (good["out_of_scope"]["right"], good["out_of_scope"]["of"]) == (1, 2)
    # The exact bounds of 1 of 2 are known: 1 − √.975 and √.975.
    assert good["out_of_scope"]["low"] == pytest.approx(1 - 0.975**0.5, abs=1e-6)
    assert good["intents"]["book"] == {
        "precision": pytest.approx(2 / 3), "recall": pytest.approx(2 / 3), "f1": pytest.approx(2 / 3),
        "support": 3, "low": None, "high": None,
    }  # fmt: skip
    assert (good["slots"]["precision"], good["slots"]["recall"]) == (0.5, 1.0)
    assert (good["exact"]["right"], good["exact"]["of"]) == (4, 7)
    assert bad["slots"]["recall"] == 0


def test_labels_that_are_none_and_answers_that_cannot_be_read_are_counted(found: Any) -> None:
    bad = found["summaries"][1]
    assert (bad["outside"], bad["outside_count"], bad["unread"]) == ({"fly": 1}, 1, 1)
    assert (bad["accuracy"]["right"], bad["accuracy"]["of"]) == (3, 7)


def test_confused_intents_come_with_an_example_and_the_other_way_round(found: Any) -> None:
    good, bad = found["summaries"]
    assert good["confused"][0] == {
        "expected": "book", "said": "cancel", "count": 1, "back": 0, "case": "c2", "text": good["confused"][0]["text"],
    }  # fmt: skip
    assert {(item["expected"], item["said"], item["back"]) for item in bad["confused"]} == {
        ("book", "fly", 0), ("book", "cancel", 1), ("cancel", "book", 1),
    }  # fmt: skip


def test_confidence_and_what_a_threshold_would_do(found: Any) -> None:
    good, bad = found["summaries"]
    assert bad["confidence"] is None
    assert good["confidence"]["count"] == 7
    gaps = (0.1, 0.2, -0.6, 0.3, 0.1, 0.8, -0.3)  # each answer is alone in its bin, but for the two at 0.9
    assert good["confidence"]["error"] == pytest.approx(sum(map(abs, gaps)) / 7)
    best = next(row for row in good["confidence"]["thresholds"] if row["threshold"] == 0.31)
    assert (best["in_scope"], best["out_of_scope"]) == (0.8, 1.0)


def test_models_are_compared_on_the_same_cases(found: Any) -> None:
    [between] = found["comparisons"]
    assert (between["one"], between["other"], between["cases"]) == ("python/own.py:good", "python/own.py:bad", 7)
    assert (between["only_one"], between["only_other"]) == (3, 1)
    # Mid-p of 1 of 4: 2 · (1 + 4)/16 − 4/16.
    assert between["mid_p"] == pytest.approx(0.375)
    assert not between["stands"]


def test_the_terminal_shows_it_in_the_width(travel: ProjectFolder) -> None:
    said = travel.run("run", "suites/travel").out.splitlines()
    start = said.index("intents and slots")
    assert said[start + 2] == "python/own.py:good"
    rows = [" ".join(line.split()) for line in said[start + 3 : start + 5]]
    assert rows == ["in-scope accuracy 80.0 % (28.4–99.5) 5 cases", "out-of-scope recall 50.0 % (1.3–98.7) 2 cases"]
    assert "  1 × cancel for book: " in "\n".join(said)
    assert "  1 unknown label: 'fly'" in said
    assert "  1 answer without a label or slots to read" in said
    assert all(len(line) <= 100 for line in said[start:] if line.startswith("  "))


def test_other_suites_have_no_such_part(travel: ProjectFolder) -> None:
    travel.edit("suites/travel/suite.yaml", SUITE[SUITE.index("checks:") : SUITE.index("cases:")], "checks: [json]\n")
    ended = travel.run("run", "suites/travel", "--format", "json")
    assert ended.data["runs"][0]["nlu"] is None


def test_an_expected_label_that_is_none_is_told_where_it_stands(travel: ProjectFolder) -> None:
    travel.edit("suites/travel/cases.jsonl", '"expect": {"intent": "status"', '"expect": {"intent": "statis"')
    ended = travel.run("validate", "suites/travel")
    assert ended.code == 2
    assert "cases.jsonl:5:" in ended.err + ended.out
    assert "the 'expect' of 'c4' is invalid: 'statis' is not one of the 4 labels: did you mean 'status'?" in (
        ended.err + ended.out
    )
