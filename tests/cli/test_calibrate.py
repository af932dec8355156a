"""Production against itself, against a real server on loopback whose answers flake."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections import defaultdict
from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder, better, right

SUITE = "suites/triage/suite.yaml"
WRONG = "It is for the billing team, I think."


def every(number: int) -> Any:
    """A model that answers `Hello` wrongly every so many times, and the other messages as ever."""
    counts: dict[str, itertools.count[int]] = defaultdict(itertools.count)

    def script(body: dict[str, Any]) -> str:
        text = body["messages"][-1]["content"]
        if "Hello" not in text:
            return better(body)
        return WRONG if next(counts["Hello"]) % number == number - 1 else right(text)

    return script


def test_a_flaky_case_is_found_and_later_runs_say_so(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    server.script = every(5)
    ended = project.run("suite", "calibrate")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0] == "triage: triage@1 against itself, 11 tries for each side"
    assert "on openai/fake: 1 of 3 cases is flaky" in lines
    assert "hello 18 of 22 tries 60 % to 95 %" in [" ".join(line.split()) for line in lines]
    assert "false alarms of the gate, in 1,000 runs drawn with these rates in which nothing changes: a " in ended.out
    assert "      reason: passes 18 of 22 tries of triage@1 on openai/fake" in lines
    assert len(server.received) == 3 * 22
    database = sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")
    kept = database.execute("SELECT model, case_name, tries, passes FROM calibration ORDER BY 2").fetchall()
    database.close()
    assert kept == [
        ("openai/fake", "charged twice", 22, 0), ("openai/fake", "hello", 22, 18), ("openai/fake", "late parcel", 22, 0)
    ]  # fmt: skip
    server.script = lambda body: (
        WRONG if "Hello" in str(body) and body["messages"][0]["role"] == "system" else better(body)
    )
    [report] = project.run("run", "--json").data["runs"]
    [flip] = [flip for flip in report["flips"] if flip["case"] == "hello"]
    assert flip["notes"][0].startswith("flaky: 18 of 22 tries passed in the calibration of 20")
    project.edit(SUITE, "gate: {", "gate: {margin: 50%, ")
    planned = " ".join(project.run("run", "--dry-run").out.split())
    assert "if production passes 81.8 % of tries, as in the calibration of 20" in planned


@pytest.mark.slow
def test_the_block_that_it_prints_is_a_quarantine(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    server.script = every(5)
    lines = project.run("suite", "calibrate").out.splitlines()
    start = lines.index("    quarantine:")
    block = lines[start : lines.index("", start)]
    project.edit(SUITE, "    expect: {team: other}\n", "    expect: {team: other}\n" + "\n".join(block) + "\n")
    assert project.run("validate").code == 0
    assert re.search(r"hello .* quarantined", project.run("suite", "calibrate").out)


@pytest.mark.usefixtures("server")
def test_steady_answers_raise_no_alarm(project: ProjectFolder) -> None:
    project.adopt()
    data = project.run("suite", "calibrate", "--repeats", "4", "--json").data
    [model] = data["suites"][0]["models"]
    assert model["flaky"] == []
    assert model["broken"] == {"count": 0, "of": 1000, "low": 0.0, "high": pytest.approx(0.0037, abs=1e-4)}


def test_a_budget_ends_it_and_the_same_command_goes_on(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    ended = project.run("suite", "calibrate", "--repeats", "4", "--max-calls", "10")
    assert ended.code == 4
    assert "error: no calibration: stopped at the budget: " in ended.err
    assert "hint: `promptbench suite calibrate suites/triage --repeats 4` resumes it" in ended.err
    assert project.run("suite", "calibrate", "--repeats", "4").code == 0
    assert len(server.received) == 3 * 8


def test_nothing_in_production(project: ProjectFolder) -> None:
    ended = project.run("suite", "calibrate")
    assert ended.code == 2
    assert "error: no version of 'triage' is in production" in ended.err


def test_a_model_that_always_answers_the_same(project: ProjectFolder) -> None:
    project.edit("promptbench.toml", "[providers", 'python = ["suites/*/*.py"]\n[providers')
    project.write("suites/triage/own.py", 'def answer(case):\n    return \'{"team": "other"}\'\n')
    project.adopt()
    project.edit(SUITE, "models: [openai/fake]", "models: [openai/fake, python/own.py:answer]")
    ended = project.run("suite", "calibrate", "--model", "python/own.py:answer")
    assert ended.code == 0, ended.err
