"""`promptbench explain`: checks and codes in words."""

from __future__ import annotations

import pytest

from promptbench.cli.app import run
from promptbench.core.catalogue import CATALOGUE
from tests.helpers import judging
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import Project


def test_a_code_is_explained_with_an_example_and_its_mend(project: Project) -> None:
    ended = project.run("explain", "pb104")
    assert ended.code == 0
    assert (
        ended.out
        == """\
PB104: a line starts with a tab

Cause: YAML tells by the spaces at the start of a line what it belongs to, and a tab is no space.
Mend: Write two spaces for each level. `promptbench validate --fix` does it; most editors can write
  spaces when you press Tab.

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


def test_all_codes_are_listed(project: Project) -> None:
    lines = project.run("explain", "PB").out.splitlines()
    assert [line.split()[0] for line in lines[:-2]] == [code.value for code in CATALOGUE]
    assert [page["code"] for page in project.run("explain", "PB", "--json").data["mistakes"]] == list(CATALOGUE)


@pytest.mark.parametrize("code", list(CATALOGUE), ids=lambda code: code.value)
def test_every_code_is_shown(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", code]) == 0
    assert capsys.readouterr().out.startswith(f"{code}: ")


def test_a_code_that_there_is_not(project: Project) -> None:
    ended = project.run("explain", "PB999")
    assert ended.code == 2
    assert "there is no code 'PB999'" in ended.err


def test_a_judge_that_agrees_with_people_is_no_longer_advisory(support: Project, server: FakeOpenAI) -> None:
    """The mend of PB506, which takes a judge that answers."""
    assert "PB506" in support.run("validate", judging.FOLDER, "--json").out
    assert judging.agree(support).code == 0
    assert "PB506" not in support.run("validate", judging.FOLDER, "--json").out
