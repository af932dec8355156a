"""Questions and answers over a run: models that are functions, the whole way through `promptbench run`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import squad
from tests.helpers.project import ProjectFolder
from tests.helpers.shipped import ROOT

SUITE = """\
suite: shop
prompt: shop.prompt
models: [python/own.py:good, python/own.py:bad]
checks: [{grounded: {in: documents}}, {citations: {in: documents}}]
cases:
  - case: how long
    vars: {question: How long?, documents: [{id: r1, text: Returns take 30 days.}]}
    checks: [{token f1: {is: 30 days, at least: 0.5}}, {answerable: yes}]
  - case: how much
    vars: {question: How much?, documents: [{id: p1, text: It costs 5 euros.}]}
    checks: [{exact match: [5 euros, five euros]}]
  - case: who
    vars: {question: Who?, documents: [{id: r1, text: Returns take 30 days.}]}
    checks: [{answerable: no}]
  - case: yes alone
    vars: {question: Is there one?, documents: [{id: r1, text: Returns take 30 days.}]}
    checks: [{answerable: yes}]
"""
OWN = """\
GOOD = {"How long?": "the 30 days [r1]", "How much?": "5 euros", "Who?": "I don't know.", "Is there one?": "Yes [r1]"}
BAD = {"How long?": "31 days", "How much?": "", "Who?": "Ann Smith [c3]", "Is there one?": ""}

def good(variables):
    return GOOD[variables["question"]]

def bad(variables):
    return BAD[variables["question"]]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> ProjectFolder:
    monkeypatch.chdir(tmp_path)
    made = ProjectFolder(tmp_path, "http://127.0.0.1:9/v1", capsys)
    made.write("promptbench.toml", 'python = ["suites/*/*.py"]\n')
    return made


def summaries(project: ProjectFolder, suite: str) -> list[dict[str, Any]]:
    ended = project.run("run", f"suites/{suite}", "--format", "json")
    assert f"suites/{suite}/suite.yaml:3:1: no model uses the prompt" in ended.err.splitlines()[0], "before any call"
    [report] = ended.data["runs"]
    found: list[dict[str, Any]] = report["qa"]["summaries"]
    return found


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    project.write("suites/shop/suite.yaml", SUITE)
    project.write("suites/shop/shop.prompt", "{{question}}\n")
    project.write("suites/shop/own.py", OWN)
    return project


def test_figures_of_a_run(shop: ProjectFolder) -> None:
    good, bad = summaries(shop, "shop")
    assert (good["side"], good["overall"]["questions"]) == ("baseline", 3)
    # "30 days r1" shares two of its three words with two.
    assert good["overall"]["exact_match"] == pytest.approx(2 / 3)
    assert good["answerable"]["token_f1"] == pytest.approx((0.8 + 1) / 2, abs=1e-6)
    assert (good["unanswerable"]["right"], good["unanswerable"]["of"]) == (1, 1)
    assert (good["grounded"]["right"], good["citations"]["right"], good["citations"]["of"]) == (4, 4, 4)
    assert (bad["overall"]["exact_match"], bad["overall"]["token_f1"]) == (0, pytest.approx(0.5 / 3, abs=1e-6))
    assert (bad["unanswerable"]["right"], bad["grounded"]["right"], bad["citations"]["right"]) == (0, 2, 3)


def test_a_person_reads_them(shop: ProjectFolder) -> None:
    said = shop.run("run", "suites/shop").out
    section = said[said.index("questions and answers") :].splitlines()[2:8]
    assert [" ".join(line.split()) for line in section] == [
        "python/own.py:good",
        "exact match 66.7 % 3 questions",
        "token F1 93.3 % (80.0–100.0)",
        "token F1, answerable 90.0 % (80.0–100.0) 2 questions with an answer",
        "unanswerable left so 100.0 % (2.5–100.0) 1 question",
        "grounded 100.0 % (39.8–100.0) 4 answers",
    ]


def test_suites_without_questions_say_nothing(shop: ProjectFolder) -> None:
    without = "checks: [contains: days]\ncases: [{case: one, vars: {question: How long?}}]\n"
    shop.write("suites/shop/suite.yaml", SUITE[: SUITE.index("checks")] + without)
    [report] = shop.run("run", "suites/shop", "--format", "json").data["runs"]
    assert report["qa"] is None


def test_the_suite_that_ships(project: ProjectFolder) -> None:
    shutil.copytree(ROOT / "suites" / "handbook", project.root / "suites" / "handbook")
    assert project.run("validate", "suites/handbook", "--red").code == 0
    [report] = project.run("run", "suites/handbook", "--model", "python/finder.py:answer", "--format", "json").data[
        "runs"
    ]
    assert (report["rows"][0]["attempts"], report["rows"][0]["passed"]) == (30, 22)
    [found] = report["qa"]["summaries"]
    assert (found["unanswerable"]["right"], found["unanswerable"]["of"], found["grounded"]["right"]) == (6, 9, 30)


def test_figures_of_constructed_answers(project: ProjectFolder) -> None:
    rights = (["Denver Broncos", "The Denver Broncos"], ["24 to 10"], ["in 1967, in Los Angeles"], [], [])
    asked = [(f"Question {number}?", right) for number, right in enumerate(rights * 20)]
    with_answer = sum(bool(right) for _, right in asked)
    share = with_answer / len(asked)
    squad.write(project.root / "suites" / "squad", asked)
    gold, silent, talks, half = summaries(project, "squad")

    def figures(found: dict[str, Any]) -> tuple[float, float, float, int]:
        overall, answerable = found["overall"], found["answerable"]
        return overall["exact_match"], overall["token_f1"], answerable["token_f1"], found["unanswerable"]["right"]

    none = len(asked) - with_answer
    assert 0.3 < share < 0.7
    assert figures(gold) == (1, 1, 1, none)
    assert figures(silent) == (pytest.approx(1 - share), pytest.approx(1 - share), 0, none)
    assert figures(talks) == (pytest.approx(share), pytest.approx(share), 1, 0)
    two_thirds = pytest.approx(2 / 3, abs=1e-5)
    assert figures(half) == (pytest.approx(1 - share), pytest.approx(1 - share / 3, abs=1e-5), two_thirds, none)
