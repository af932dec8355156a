from __future__ import annotations

import json

import pytest

from tests.helpers.project import SUITE as CASES, ProjectFolder

SUITE = "suites/triage/suite.yaml"
RED = """\
suite: triage
prompt: triage.better.prompt
models: [openai/fake]
checks: [json schema: output]
cases:
  - case: charged twice
    vars: {message: I was charged twice}
    was: '{"team": "other"}'
    expect: {team: billing}
"""


def call(name: str, answer: str) -> str:
    data = {"promptbench": "call/1", "id": name, "vars": {"message": name}, "answer": answer, "failed": "bad"}
    return json.dumps(data) + "\n"


@pytest.fixture
def red(project: ProjectFolder) -> ProjectFolder:
    project.write(SUITE, RED)
    return project


def test_a_suite_that_is_red_is_well(project: ProjectFolder) -> None:
    project.write(SUITE, CASES + "log: calls.jsonl\n")
    project.write("suites/triage/calls.jsonl", call("c1", "{") + call("charged", '{"team": "x"'))
    ended = project.run("validate", "--red")
    assert (ended.code, ended.out, ended.err) == (0, "no errors\n", "")


def test_a_changed_check_that_lets_the_old_answer_pass_is_caught(red: ProjectFolder) -> None:
    assert red.run("validate", "--red").code == 0
    red.edit(SUITE, "expect: {team: billing}", "checks: [contains: team]")
    ended = red.run("validate", "--red")
    assert ended.code == 2
    assert f"{SUITE}:8:10: error[PB504] the logged answer of 'charged twice' passes all its checks" in ended.out


def test_a_logged_call_that_passes_is_an_error(red: ProjectFolder) -> None:
    red.write(SUITE, RED + "log: calls.jsonl\n")
    red.write("suites/triage/calls.jsonl", call("c1", '{"team": "other"}') + call("c2", "{"))
    assert red.run("validate").code == 0
    ended = red.run("validate", "--red")
    assert ended.code == 2
    assert "error[PB504] the logged call 'c1' passes all checks of 'c1'" in ended.out
    assert ended.out.endswith("\n\n1 error\n")


def test_a_check_that_no_logged_answer_fails_is_told(red: ProjectFolder) -> None:
    ended = red.run("validate", "--red", "--json")
    assert [(item["code"], item["severity"]) for item in ended.data["diagnostics"]] == [("PB509", "warning")]
    assert "'json schema' may be vacuous: the one logged answer passes it" in ended.data["diagnostics"][0]["message"]
    assert red.run("validate").out == "no errors\n"
    red.edit(SUITE, "    expect:", "    checks: [contains: team]\n    expect:")
    ended = red.run("validate", "--red")
    assert ended.code == 0
    place = next(line for line in ended.out.splitlines() if "'contains' may be vacuous" in line)
    assert (
        place
        == f"{SUITE}:9:14: warning[PB509] 'contains' may be vacuous: the logged answer of 'charged twice' passes it"
    )


def test_a_captured_case_is_held_to_the_answer_that_was_imported(red: ProjectFolder) -> None:
    red.write("calls.jsonl", call("I-1", '{"team": "other"}'))
    assert red.run("import", "calls.jsonl").code == 0
    assert red.run("capture", SUITE, "I-1", "--expect", "{team: billing}").code == 0
    assert red.run("validate", "--red").code == 0
    text = (red.root / SUITE).read_text()
    case = text.index("  - case: I-1")
    changed = text[case:].replace('"other"', '"x"').replace("expect: {team: billing}", "expect: {team: other}")
    red.write(SUITE, text[:case] + changed)
    assert red.run("validate").code == 0
    ended = red.run("validate", "--red")
    assert ended.code == 2
    assert "'I-1' comes from an imported call whose answer passes all its checks" in ended.out
