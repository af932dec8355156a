from __future__ import annotations

import pytest

from tests.helpers.project import ProjectFolder

ORDER = '{"summary": "A refund for S-1.", "items": [{"sku": "S-1"}, {"sku": "X"}], "note": "{\\"team\\": 1}"}'


@pytest.mark.parametrize(
    ("check", "answer", "shown"),
    [
        ("{contains: refund, at: summary}", ORDER, "passed: contains"),
        ("{not contains: sku, at: summary}", ORDER, "passed: not contains"),
        ("{contains: refund, at: title}", ORDER, "failed: contains: title is missing"),
        ("{contains: refund, at: summary}", "no", "failed: contains: not JSON"),
        ("{regex: '^S-', at: 'items[*].sku'}", ORDER, "failed: regex (0.50): items[*].sku (value 2 of 2): '^S-'"),
        ("{regex: '[A-Z]', at: 'items[*].sku'}", ORDER, "passed: regex"),
        ("{regex: S, at: 'items[*].sku'}", '{"items": []}', "failed: regex: items[*].sku has no values"),
        ("{expect: {sku: S-1}, at: 'items[0]'}", ORDER, "passed: expect"),
        ("{expect: {team: 1}, at: note}", ORDER, "passed: expect"),
        ("{not: {contains: refund}, at: summary, weight: 2, reading: strict}", ORDER, "failed: not"),
    ],
)
def test_a_check_of_one_value(check: str, answer: str, shown: str, project: ProjectFolder) -> None:
    text = project.write("answer.txt", answer)
    ended = project.run("suite", "score", "--with", check, "--text-file", str(text))
    assert shown in ended.out


def test_a_whole_suite_looks_at_one_value(project: ProjectFolder) -> None:
    """The prompt's output schema describes the whole answer, so `json schema: output` does not follow `at`."""
    suite = "suites/triage/suite.yaml"
    red = """
    was: '{"result": {"team": "sales"}}'
    should be: '{"result": {"team": "billing"}}'"""
    project.edit(suite, "checks: [json]", "at: result\nchecks: [json]")
    project.edit(suite, "    expect: {team: billing}", "    expect: {team: billing}" + red)
    ended = project.run("validate", "suites/triage")
    assert ended.code == 0, ended.out
    project.edit(suite, "checks: [json]", "checks: [json schema: output]")
    ended = project.run("validate", "suites/triage")
    assert ended.code == 2
    assert "json schema: " in ended.out


@pytest.mark.parametrize(("at", "message"), [("'a b['", "'at': 'a b[' is not a path"), ("''", "'at' must be a path")])
def test_a_wrong_path(at: str, message: str, project: ProjectFolder) -> None:
    project.edit("suites/triage/suite.yaml", "checks: [json]", f"checks: [{{contains: x, at: {at}}}]")
    ended = project.run("validate", "suites/triage")
    assert (ended.code, "suite.yaml:4:" in ended.out, message in ended.out) == (2, True, True)
