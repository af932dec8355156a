"""`promptbench new case`: by options, by questions, and what it refuses."""

from __future__ import annotations

import pytest

from tests.helpers.project import SUITE, ProjectFolder
from tests.helpers.terminal import Terminal

FILE = "suites/triage/suite.yaml"
ADDED = """\
  - case: parcel is wet
    vars: {message: 'My parcel is wet: who pays?'}
    expect: {team: delivery}
    checks:
      - not contains: sorry
    tags: [wet]
"""
OPTIONS = ("--var", "message=My parcel is wet: who pays?", "--expect", "{team: delivery}", "--never", "sorry")


def text(project: ProjectFolder) -> str:
    return (project.root / FILE).read_text(encoding="utf-8")


def test_by_options_it_is_added_behind_the_others_and_nothing_else_changes(project: ProjectFolder) -> None:
    ended = project.run("new", "case", *OPTIONS, "--name", "parcel is wet", "--tag", "wet")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{ADDED}added 'parcel is wet' to {FILE}\nnext: promptbench run suites/triage\n"
    assert text(project) == SUITE.replace("gate:", f"{ADDED}gate:")
    assert project.run("validate").code == 0


def test_without_a_name_the_first_words_are_it(project: ProjectFolder) -> None:
    assert "- case: My parcel is wet who\n" in project.run("new", "case", *OPTIONS, "--dry-run").out
    assert text(project) == SUITE


def test_an_answer_is_tried_before_anything_is_written(project: ProjectFolder) -> None:
    ended = project.run("new", "case", *OPTIONS, "--answer", '{"team": "billing"}')
    assert ended.code == 1
    assert "failed: expect: team: expected 'delivery', got 'billing'\nFAIL" in ended.out
    assert text(project) == SUITE
    ended = project.run("new", "case", *OPTIONS, "--answer", '{"team": "delivery"}')
    assert ended.code == 0
    assert "PASS: this answer is good enough\nadded" in ended.out


def test_a_wrong_answer_stays_in_the_case(project: ProjectFolder) -> None:
    assert project.run("new", "case", *OPTIONS, "--was", '{"team": "delivery"}').code == 2
    assert text(project) == SUITE
    assert project.run("new", "case", *OPTIONS, "--was", '{"team": "billing",}').code == 0
    assert """    was: '{"team": "billing",}'\n""" in text(project)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "missing options: --var message=…"),
        (["--var", "massage=x"], "did you mean 'message'?"),
        (["--var", "message"], "write it as --var NAME=TEXT"),
        ([*OPTIONS, "--name", "hello"], "'hello (2)' is free"),
        ([*OPTIONS, "--expect", "{team: [}"], "error[PB103]"),
        ([*OPTIONS, "--check", "containz: x"], "did you mean 'contains'?"),
    ],
)
def test_what_is_refused(options: list[str], said: str, project: ProjectFolder) -> None:
    ended = project.run("new", "case", *options)
    assert ended.code == 2
    assert said in ended.err
    assert text(project) == SUITE


def test_a_case_that_nothing_can_fail_is_refused(project: ProjectFolder) -> None:
    project.edit(FILE, "checks: [json]\n", "")
    ended = project.run("new", "case", "--var", "message=Hello again")
    assert "missing options: --expect …" in ended.err


def test_which_suite_is_asked_for_where_there_are_several(project: ProjectFolder) -> None:
    project.write("suites/other/suite.yaml", SUITE.replace("suite: triage", "suite: other"))
    assert "name one of them: suites/other, suites/triage" in project.run("new", "case").err


def test_the_same_question_twice_is_remarked(project: ProjectFolder) -> None:
    ended = project.run("new", "case", "--name", "again", "--var", "message=Hello", "--expect", "{team: other}")
    assert ended.code == 0
    assert ended.err == "warning: the case 'hello' has the same input\n"


def test_by_questions(project: ProjectFolder) -> None:
    with Terminal(["new", "case"], project.root) as terminal:
        terminal.answer("What did the customer say?", "My parcel is wet:\nwho pays?")
        terminal.answer("  team", "delivery")
        terminal.answer("What must never be in the answer?", "sorry, lawyer")
        terminal.answer("What is the case about?", "hello")
        terminal.answer("'hello (2)' is free", "wet")
        terminal.answer("An answer to try the checks on", '{"team": "billing"}')
        terminal.answer("Did this wrong answer come back?", "y")
        terminal.answer(f"Add it to {FILE}?", "")
        assert terminal.end() == 0
    assert max(map(len, terminal.shown.splitlines())) <= 80
    added = """\
  - case: wet
    vars:
      message: |-
        My parcel is wet:
        who pays?
    was: '{"team": "billing"}'
    expect: {team: delivery}
    checks:
      - not contains: [sorry, lawyer]
"""
    assert text(project) == SUITE.replace("gate:", f"{added}gate:")


def test_interrupted_it_writes_nothing(project: ProjectFolder) -> None:
    with Terminal(["new", "case", *OPTIONS], project.root) as terminal:
        terminal.answer("What is the case about?", "")
        terminal.answer("An answer to try the checks on", "")
        terminal.interrupt(f"Add it to {FILE}?")
        assert terminal.end() == 130
    assert text(project) == SUITE


def test_a_suite_whose_cases_are_in_a_file_gets_it_there(project: ProjectFolder) -> None:
    project.write(FILE, SUITE[: SUITE.index("cases:")] + "cases: cases.jsonl\n")
    cases = project.write("suites/triage/cases.jsonl", '{"case": "hello", "vars": {"message": "Hello"}}\n')
    ended = project.run("new", "case", *OPTIONS, "--name", "wet")
    assert "added 'wet' to suites/triage/cases.jsonl\n" in ended.out
    added = cases.read_text(encoding="utf-8").splitlines()[1]
    assert added.startswith('{"case": "wet", "vars": {"message": "My parcel is wet: who pays?"}, "expect": {"team"')
