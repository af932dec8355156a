"""`promptbench suite mutate` finds checks that let broken answers pass."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder

PLAIN = "Which team? {{message}}\n"
HOLE = """\
suite: triage
prompt: triage.prompt
models: [openai/fake]
checks:
  - json
  - count: {of: words, at most: 90}
cases:
  - case: charged twice
    vars: {message: I was charged twice}
    expect: {team: billing}
    should be: {team: billing, priority: high}
    checks:
      - contains: team
      - regex: '.?'
  - case: late parcel
    vars: {message: My parcel is late}
    expect: {team: delivery}
    should be: {team: delivery, priority: low}
"""


@pytest.fixture
def hole(project: ProjectFolder) -> ProjectFolder:
    project.write("suites/triage/suite.yaml", HOLE)
    project.write("suites/triage/triage.prompt", PLAIN)
    return project


def alive(data: Any) -> dict[tuple[str, str], dict[str, Any]]:
    [suite] = data["suites"]
    return {(item["operator"], item["field"]): item for item in suite["survivors"]}


def test_a_hole_is_found_and_closed(hole: ProjectFolder, server: FakeOpenAI) -> None:
    survivors = alive(hole.run("suite", "mutate", "--json").data)
    swapped = survivors["swap two labels", "priority"]
    assert (swapped["mutants"], swapped["cases"], swapped["must"]) == (2, 2, True)
    assert (swapped["case"], swapped["mutant"]) == ("charged twice", '{"priority":"low","team":"billing"}')
    assert ("swap two labels", "team") not in survivors
    hole.edit(
        "suites/triage/suite.yaml", "    expect: {team: billing}\n", "    expect: {team: billing, priority: high}\n"
    )
    after = alive(hole.run("suite", "mutate", "--json").data)["swap two labels", "priority"]
    assert (after["mutants"], after["case"]) == (1, "late parcel")
    assert not server.received


def test_checks_that_never_fail_have_a_location(hole: ProjectFolder) -> None:
    [suite] = hole.run("suite", "mutate", "--json").data["suites"]
    assert [(item["check"], item["place"], item["case"]) for item in suite["vacuous"]] == [
        ("regex: '.?'", "suites/triage/suite.yaml:14:9", "charged twice"),
        ('count: {"at most":90,"of":"words"}', "suites/triage/suite.yaml:6:5", None),
    ]


def test_a_logged_answer_that_fails_a_check_is_enough(hole: ProjectFolder) -> None:
    hole.edit("suites/triage/suite.yaml", "    checks:\n", f"    was: '{'word ' * 91}'\n    checks:\n")
    [suite] = hole.run("suite", "mutate", "--json").data["suites"]
    assert [item["check"] for item in suite["vacuous"]] == ["regex: '.?'"]


def test_a_mutant_that_the_accept_level_allows_is_not_a_survivor(hole: ProjectFolder) -> None:
    rows = {row["name"]: row for row in hole.run("suite", "mutate", "--json").data["suites"][0]["operators"]}
    assert rows["fence"] == {**rows["fence"], "made": 2, "equivalent": 2, "killed": 0, "survived": 0}
    hole.edit("suites/triage/suite.yaml", "checks:\n  - json\n", "accept: raw\nchecks:\n  - json\n")
    rows = {row["name"]: row for row in hole.run("suite", "mutate", "--json").data["suites"][0]["operators"]}
    assert rows["fence"] == {**rows["fence"], "made": 2, "equivalent": 0, "killed": 2, "survived": 0}


def test_the_answers_of_a_run(project: ProjectFolder, server: FakeOpenAI) -> None:
    assert project.run("run").code == 0
    server.received.clear()
    [suite] = project.run("suite", "mutate", "--json").data["suites"]
    assert not server.received
    assert suite["answers"] == {"run": 3}
    assert suite["run"]
    assert suite["score"] == 1
    assert project.run("suite", "mutate", "--run", suite["run"]).code == 0
    # The recorded request had another input, so its answer is not an answer to this case.
    project.edit("suites/triage/suite.yaml", "vars: {message: Hello}", "vars: {message: Hello you}")
    assert project.run("suite", "mutate", "--json").data["suites"][0]["answers"] == {"run": 2, "expect": 1}


def test_only_answers_that_pass_now(project: ProjectFolder) -> None:
    project.run("run")
    project.edit("suites/triage/suite.yaml", "expect: {team: other}", "checks: [{contains: nobody}]")
    [suite] = project.run("suite", "mutate", "--json").data["suites"]
    assert (suite["answers"], suite["without_answer"]) == ({"run": 2}, 1)


def test_a_gate(hole: ProjectFolder) -> None:
    ended = hole.run("suite", "mutate", "--at-least", "90%")
    assert ended.code == 1
    assert ended.out.splitlines()[-1].startswith("FAIL: the checks kill ")
    assert "triage is below 90 %" in ended.out
    assert hole.run("suite", "mutate", "--at-least", "0.1").code == 0
    assert hole.run("suite", "mutate", "--at-least", "half").code == 2


def test_selected_cases(hole: ProjectFolder) -> None:
    assert hole.run("suite", "mutate", "--case", "late*", "--json").data["suites"][0]["cases"] == 1


def test_nothing_to_break(project: ProjectFolder) -> None:
    for team in ("billing", "delivery", "other"):
        project.edit("suites/triage/suite.yaml", f"expect: {{team: {team}}}", "checks: [{contains: team}]")
    ended = project.run("suite", "mutate")
    assert ended.code == 7
    assert "write one under 'should be:'" in ended.err


def test_a_missing_run(hole: ProjectFolder) -> None:
    assert hole.run("suite", "mutate", "--run", "20260101-000000-abcd").code == 2


@pytest.mark.slow
def test_cases_of_a_file(hole: ProjectFolder) -> None:
    text = HOLE.partition("cases:")[0] + "cases: more.jsonl\n"
    hole.write("suites/triage/suite.yaml", text)
    line = '{"case": "c%s", "vars": {"message": "m"}, "should be": {"team": "t%s", "n": %s}}\n'
    hole.write("suites/triage/more.jsonl", "".join(line % (n, n, n) for n in range(300)))
    found = alive(hole.run("suite", "mutate", "--json").data)
    assert found["swap two labels", "team"]["cases"] == 300
    assert found["drop a field", "n"]["mutants"] == 300


def test_a_check_of_the_call_is_not_vacuous(hole: ProjectFolder) -> None:
    hole.edit("suites/triage/suite.yaml", "      - regex: '.?'\n", "      - latency: 1 ms\n")
    [suite] = hole.run("suite", "mutate", "--json").data["suites"]
    assert [item["check"] for item in suite["vacuous"]] == ['count: {"at most":90,"of":"words"}']
