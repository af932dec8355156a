"""`promptbench explain`: checks, codes and terms."""

from __future__ import annotations

import pytest

from promptbench.cli.app import run
from promptbench.core.errors import Code
from tests.helpers import judging
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder


def test_a_code_is_explained_with_an_example(project: ProjectFolder) -> None:
    ended = project.run("explain", "pb104")
    assert ended.code == 0
    assert (
        ended.out
        == """\
PB104: a line is indented with a tab

Cause: YAML uses the spaces at the start of a line to decide what it belongs to, and does not accept
  tabs there.
Fix: Write two spaces for each level. Most editors can insert spaces when you press Tab.

Wrong, in suite.yaml:
  cases:
  \t- case: late parcel
  \t  vars: {message: Where is my parcel?}

Right, in suite.yaml:
  cases:
    - case: late parcel
      vars: {message: Where is my parcel?}
      expect: {team: delivery}
"""
    )


def test_all_codes_are_listed(project: ProjectFolder) -> None:
    lines = project.run("explain", "PB").out.splitlines()
    assert [line.split()[0] for line in lines[:-2]] == sorted(Code)
    assert [page["code"] for page in project.run("explain", "PB", "--json").data["mistakes"]] == sorted(Code)


@pytest.mark.parametrize("code", list(Code), ids=lambda code: code.value)
def test_every_code_is_shown(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", code]) == 0
    assert capsys.readouterr().out.startswith(f"{code}: ")


def test_a_code_that_there_is_not(project: ProjectFolder) -> None:
    ended = project.run("explain", "PB999")
    assert ended.code == 2
    assert "unknown code 'PB999'" in ended.err


def test_a_term_is_explained(project: ProjectFolder) -> None:
    ended = project.run("explain", "flaky")
    assert (ended.code, ended.out) == (
        0,
        "flaky: A case that neither always passes nor always fails with the same prompt and model.\n",
    )
    assert project.run("explain", "format", "rung", "--json").data["terms"][0]["term"] == "format rung"


def test_without_a_name_checks_and_terms_are_listed(project: ProjectFolder) -> None:
    ended = project.run("explain")
    assert ended.out.startswith("all of")
    assert "terms  production, candidate, passing before" in ended.out


def test_an_unknown_name_is_an_input_error(project: ProjectFolder) -> None:
    ended = project.run("explain", "vacous")
    assert (ended.code, ended.out) == (2, "")
    assert "error: unknown check or term 'vacous'\nhint: did you mean 'vacuous'?" in ended.err


def test_a_judge_that_agrees_with_people_is_no_longer_advisory(support: ProjectFolder, server: FakeOpenAI) -> None:
    """The fix of PB506, which needs a judge that answers."""
    assert "PB506" in support.run("validate", judging.FOLDER, "--json").out
    assert judging.agree(support).code == 0
    assert "PB506" not in support.run("validate", judging.FOLDER, "--json").out
