from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import Code, Severity
from promptbench.engine.prepare.evaluate import evaluate, judge_requests, subject_of
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from tests.helpers.suites import HEAD, joined, messages

CASE = "cases:\n  - {case: one, vars: {message: hi}, expect: {team: billing}}\n"
OWN = {"own.py": "def own(vars):\n    return 'x'\n"}


def bench_of(folder: Path, rubric: str) -> PreparedSuite:
    bench, found = joined(folder, f"{HEAD}checks: [{{rubric: {{passes if: it is polite, {rubric}}}}}]\n{CASE}", OWN)
    assert bench is not None, messages(found)
    return bench


def input_error(folder: Path, rubric: str) -> list[tuple[Code, str]]:
    bench, found = joined(folder, f"{HEAD}checks: [{{rubric: {{passes if: it is polite, {rubric}}}}}]\n{CASE}", OWN)
    assert bench is None
    return [(item.code, item.message) for item in found.errors]


def test_judges_are_reached_and_not_gated(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, "judge: [openai/judge-1, openai/judge-2]")
    assert list(bench.judges) == ["openai/judge-1", "openai/judge-2"]
    assert [model.name for model in bench.reachable] == ["openai/judge-1", "openai/judge-2", "openai/fake"]
    assert not any(judge.model.gated for judge in bench.judges.values())
    assert bench.decisive == {"openai/fake"}, "an advisory judge decides nothing"


def test_a_word_that_the_judge_does_not_take_is_left_out_where_nobody_asked_for_it(
    tmp_path: Path,
) -> None:
    checks = "{rubric: {passes if: it is polite, judge: anthropic/judge-1}}"
    bench, found = joined(tmp_path, f"{HEAD}checks: [{checks}]\n{CASE}", environ={"ANTHROPIC_API_KEY": "k"})
    assert bench is not None, messages(found)
    [case] = bench.cases
    [asked] = judge_requests(case.checks[""], subject_of("x", bench.accept, case.variables))
    assert asked.request.params == {"temperature": 0}
    assert bench.as_sent(asked.request).params == {}


def test_a_word_that_somebody_asked_for_is_a_mistake(tmp_path: Path) -> None:
    assert input_error(tmp_path, "judge: openai/judge-1, config: {temprature: 0}") == [
        (Code.UNKNOWN_KEY, "openai/judge-1 does not take 'temprature' from the config")
    ]


@pytest.mark.parametrize(
    ("judge", "code", "said"),
    [
        ("opanai/judge-1", Code.UNKNOWN_PROVIDER, "unknown provider 'opanai'"),
        ("anthropic/judge-1", Code.MISSING_CREDENTIAL, "ANTHROPIC_API_KEY"),
        ("python/own.py:own", Code.BAD_VALUE, "gets no messages, so it cannot judge"),
    ],
)
def test_a_judge_that_cannot_be_asked(tmp_path: Path, judge: str, code: Code, said: str) -> None:
    [(found, message)] = input_error(tmp_path, f"judge: '{judge}'")
    assert found is code
    assert said in message


def warnings(folder: Path, checks: str) -> list[tuple[Code, str]]:
    _, found = joined(folder, f"{HEAD}checks: [{checks}]\n{CASE}")
    assert not found.errors
    return [(item.code, item.message) for item in found if item.severity is Severity.WARNING]


def test_a_model_that_judges_itself_is_told(tmp_path: Path) -> None:
    found = warnings(tmp_path, "{rubric: {judge: openai/fake, passes if: it is polite}}")
    assert (Code.OWN_JUDGE, "openai/fake judges its own answers, and models prefer their own") in found


def test_advisory_checks_are_told_once(tmp_path: Path) -> None:
    one = "{rubric: {judge: openai/j-1, passes if: it is polite}}"
    [(code, message)] = warnings(tmp_path, f"{one}, {one.replace('polite', 'short')}")
    assert code is Code.ADVISORY
    assert message.startswith("2 judged checks are advisory: they do not affect the verdict; the first: no agreement")
    assert "`promptbench suite agreement . --labels FILE`" in message


def test_a_reading_beside_it_is_a_mistake(tmp_path: Path) -> None:
    checks = "{rubric: {judge: openai/j-1, passes if: it is polite}, reading: loose}"
    bench, found = joined(tmp_path, f"{HEAD}checks: [{checks}]\n{CASE}")
    assert bench is None
    assert messages(found) == ["'rubric' takes no 'reading': a judge sees the answer as it is"]


def test_a_judge_sees_the_value_at_a_path(tmp_path: Path) -> None:
    rubric = "rubric: {judge: openai/judge-1, passes if: it is polite}"
    bench, found = joined(tmp_path, f"{HEAD}checks: [{{{rubric}, at: reply}}]\n{CASE}", OWN)
    assert bench is not None, messages(found)
    [case] = bench.cases
    checks = case.checks[""]
    answer = '{"reply": "Dear Ada", "team": "billing"}'
    [asked] = judge_requests(checks, subject_of(answer, bench.accept, case.variables))
    assert "\nDear Ada\n" in asked.request.messages[-1].content
    assert "team" not in asked.request.messages[-1].content
    assert judge_requests(checks, subject_of('{"team": "billing"}', bench.accept, case.variables)) == []
    [score, *_] = evaluate('{"team": "billing"}', checks, bench.accept, case.variables).scores
    assert (score.passed, score.errored, score.reason) == (False, False, "reply is missing")
    _, found = joined(tmp_path, f"{HEAD}checks: [{{{rubric}, at: 'replies[*]'}}]\n{CASE}", OWN)
    assert messages(found) == ["'rubric': a judge sees one value, and 'at' with [*] has several"]
