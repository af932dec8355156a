"""`promptbench runs`: what is on record, and how a figure went."""

from __future__ import annotations

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder, right


@pytest.fixture
def runs(project: ProjectFolder, server: FakeOpenAI) -> list[str]:
    """A run by which the candidate is promoted, one of a part, and one in which the model has become worse."""
    project.adopt()
    assert project.run("run", "-q", "--promote").code == 0
    assert project.run("run", "-q", "--case", "hello").code == 0
    server.script = lambda body: "no idea" if "parcel" in str(body) else right(str(body["messages"][-1]["content"]))
    assert project.run("run", "-q").code == 1
    return [item["run"] for item in reversed(project.run("runs", "list", "--json").data["runs"])]


def test_the_newest_run_is_listed_first_and_each_is_shown_as_it_was_judged(
    project: ProjectFolder, runs: list[str]
) -> None:
    lines = project.run("runs", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["run", *reversed(runs)]
    assert [line.split()[2] for line in lines[1:]] == ["FAIL", "PASS,", "PASS"]
    assert max(map(len, lines)) <= 120
    assert len(project.run("runs", "list", "--limit", "1").out.splitlines()) == 2
    for words in (("--suite", "none"), ("--prompt", "none"), ("--model", "openai/none")):
        assert project.run("runs", "list", *words).out == "no run is on record\n"
    assert project.run("runs", "list", "--model", "openai/fake", "--prompt", "triage", "--suite", "triage").out
    first = project.run("runs", "show", runs[0])
    lines = first.out.splitlines()
    assert lines[0] == f"{runs[0]}: triage, triage.better.prompt against triage@1, 3 cases"
    assert lines[-1].startswith("PASS: fixed 2 of 2 failing cases")
    figures = {line.split()[0]: line.split()[1:4] for line in lines if line.startswith("  ") and "%" in line}
    assert figures == {"production": ["triage@1", "33", "%"], "candidate": ["triage.better", "100", "%"]}
    data = project.run("runs", "show", "--json").data
    assert (data["summary"]["run"], data["summary"]["result"]) == (runs[2], "FAIL")
    assert [(item["side"], item["answers"]) for item in data["figures"]] == [("champion", 0.6667)]
    ended = project.run("runs", "show", "20000101")
    assert (ended.code, "20000101" in ended.err) == (2, True)


def test_a_figure_is_traced_over_whole_runs(project: ProjectFolder, runs: list[str]) -> None:
    lines = project.run("runs", "history", "triage").out.splitlines()
    assert lines[1] == "openai/fake"
    rows = [line.split() for line in lines[2:]]
    assert [row[0] for row in rows] == [runs[0], runs[0], runs[2]]
    assert [row[2:4] for row in rows] == [
        ["production", "triage@1"],
        ["candidate", "triage.better"],
        ["production", "triage@2"],
    ]
    assert lines[-1].endswith("67 %  +33.3 points")
    assert max(map(len, lines)) <= 120
    for metric in ("format", "p50", "p99", "cost"):
        found = project.run("runs", "history", "triage", "--metric", metric, "--json").data
        assert (found["metric"], len(found["runs"])) == (metric, 3)
        assert project.run("runs", "history", "triage", "--metric", metric).code == 0
    assert len(project.run("runs", "history", "triage", "--limit", "1", "--json").data["runs"]) == 1
    ended = project.run("runs", "history", "triag")
    assert (ended.code, "did you mean 'triage'?" in ended.err) == (2, True)
    project.edit("suites/triage/suite.yaml", "openai/fake", "[openai/fake, openai/other]")
    project.run("run", "-q", "--model", "openai/other")
    project.edit("suites/triage/suite.yaml", "[openai/fake, openai/other]", "openai/other")
    project.run("run", "-q")
    newest = project.run("runs", "history", "triage", "--limit", "1", "--model", "openai/fake", "--json").data["runs"]
    assert [item["run"] for item in newest] == [runs[2]]
    ended = project.run("runs", "history", "triage", "--model", "openai/none")
    assert (ended.code, "on openai/none" in ended.err) == (2, True)


def test_without_a_record_there_is_nothing_to_show(project: ProjectFolder) -> None:
    assert project.run("runs", "list", "--json").data["runs"] == []
    for words in (("show",), ("history", "triage")):
        ended = project.run("runs", *words)
        assert (ended.code, "no runs yet" in ended.err) == (2, True)
    assert not (project.root / ".promptbench").exists()


def test_the_figures_are_those_of_the_report(project: ProjectFolder, server: FakeOpenAI) -> None:
    """A view computes them in SQL, and a report in Python."""
    project.adopt()
    project.run("run", "-q")
    [report] = project.run("runs", "report", "--json").data["runs"]
    figures = project.run("runs", "show", "--json").data["figures"]
    shown = {(item["side"], item["prompt"].removesuffix(".prompt")): item for item in figures}
    assert len(shown) == len(report["rows"]) == 2
    for row in report["rows"]:
        item = shown[row["side"], row["prompt"]]
        assert (item["attempts"], item["errored"]) == (row["attempts"], row["errored"])
        assert item["answers"] == pytest.approx(row["passed"] / row["attempts"], abs=1e-4)
        assert item["format"] == pytest.approx(row["well_formed"] / row["attempts"], abs=1e-4)
        assert (item["p50"], item["p99"]) == (
            pytest.approx(row["p50_ms"], abs=1e-3),
            pytest.approx(row["p99_ms"], abs=1e-3),
        )
        assert item["cost"] == row["cost_per_1000"]
