"""`promptbench validate`: what it prints."""

from __future__ import annotations

from tests.helpers.project import ProjectFolder


def test_errors_and_warnings_are_counted(project: ProjectFolder) -> None:
    assert project.run("validate").out == "no errors\n"
    project.edit("suites/triage/suite.yaml", "expect: {team: other}", "expct: {team: other}")
    ended = project.run("validate")
    assert (ended.code, ended.out) == (2, "1 error\n")
    assert "error[PB201] unknown key 'expct'" in ended.err


def test_errors_in_the_settings_are_data_too(project: ProjectFolder) -> None:
    project.write("promptbench.toml", "retrys = 2\n")
    assert [item["code"] for item in project.run("validate", "--json").data["diagnostics"]] == ["PB701"]
