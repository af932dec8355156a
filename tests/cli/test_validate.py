"""`promptbench validate`: what it prints, and what replaces its removed options."""

from __future__ import annotations

import pytest

from tests.helpers.project import ProjectFolder


@pytest.mark.parametrize("option", ["--fix", "--diff"])
def test_a_removed_option_names_what_replaces_it(option: str, project: ProjectFolder) -> None:
    ended = project.run("validate", option)
    assert (ended.code, ended.out) == (2, "")
    assert (
        ended.err == "error: --fix and --diff were removed\nhint: each diagnostic says what to write; edit the file\n"
    )
    assert option not in project.run("validate", "--help").out


def test_errors_and_warnings_are_counted(project: ProjectFolder) -> None:
    assert project.run("validate").out == "no errors\n"
    project.edit("suites/triage/suite.yaml", "expect: {team: other}", "expct: {team: other}")
    ended = project.run("validate")
    assert (ended.code, ended.out) == (2, "1 error\n")
    assert "error[PB201] unknown key 'expct'" in ended.err


def test_errors_in_the_settings_are_data_too(project: ProjectFolder) -> None:
    project.write("promptbench.toml", "retrys = 2\n")
    assert [item["code"] for item in project.run("validate", "--json").data["diagnostics"]] == ["PB701"]
