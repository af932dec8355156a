"""`promptbench validate`: what it prints."""

from __future__ import annotations

from tests.helpers.project import ProjectFolder


def test_errors_and_warnings_are_counted(project: ProjectFolder) -> None:
    assert project.run("validate").out == "no errors\n"
    project.edit("suites/triage/suite.yaml", "expect: {team: other}", "expct: {team: other}")
    ended = project.run("validate")
    assert (ended.code, ended.err) == (2, "")
    assert "error[PB201] unknown key 'expct'" in ended.out
    assert ended.out.endswith("\n\n1 error\n")
    assert project.run("validate", "-q").out == "1 error\n"


def test_errors_in_the_settings_are_data_too(project: ProjectFolder) -> None:
    project.write("promptbench.toml", "retrys = 2\n")
    assert [item["code"] for item in project.run("validate", "--json").data["diagnostics"]] == ["PB701"]


def test_of_many_unknown_keys_the_first_are_reported(project: ProjectFolder) -> None:
    project.edit("suites/triage/suite.yaml", "gate:", "".join(f"key{n}: 1\n" for n in range(5_000)) + "gate:")
    ended = project.run("validate")
    assert ended.out.count("unknown key '") == 100
    assert "4,900 more unknown keys from here on" in ended.out
    assert ended.out.endswith("\n101 errors\n")
