from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.errors import Code, Diagnostics, Severity
from tests.helpers.suites import HEAD, joined, messages

CASE = "cases:\n  - case: one\n    vars: {message: hi}\n"
EXPECT = CASE + "    expect: {team: billing}\n"


def call(name: str, answer: str | None, **more: Any) -> str:
    return json.dumps({"promptbench": "call/1", "id": name, "vars": {"message": "hi"}, "answer": answer, **more}) + "\n"


def codes(found: Diagnostics) -> list[Code]:
    return [item.code for item in found]


def test_red_first_a_case_that_fails_on_its_logged_answer_is_admitted(tmp_path: Path) -> None:
    bench, found = joined(tmp_path, HEAD + EXPECT + """    was: '{"team": "delivery"}'\n""")
    assert messages(found) == []
    assert bench is not None
    assert next(iter(bench.cases)).was == ('{"team": "delivery"}',)


@pytest.mark.parametrize(
    ("was", "admitted"),
    [
        ("""'{"team": "billing"}'""", False),
        ("""'```{"team": "billing"}```'""", False),
        ("""'{"team": "billing",}'""", True),
        ("''", True),
        ("null", True),
        ("42", True),
    ],
)
def test_red_first_is_judged_at_the_accept_level(was: str, admitted: bool, tmp_path: Path) -> None:
    bench, found = joined(tmp_path, HEAD + EXPECT + f"    was: {was}\n")
    assert (bench is not None) is admitted
    assert codes(found) == ([] if admitted else [Code.NOT_RED])


def test_red_first_counts_the_checks_of_the_suite(tmp_path: Path) -> None:
    text = HEAD + "checks: [{json schema: output}]\n" + CASE + "    was: sorry\n"
    assert joined(tmp_path, text)[0] is not None


def test_a_wish_must_pass(tmp_path: Path) -> None:
    _, found = joined(tmp_path, HEAD + EXPECT + "    should-be: {team: delivery}\n")
    (item,) = found
    assert (item.code, str(item.location)) == (Code.WISH_FAILS, "suite.yaml:8:16")
    assert "team: expected 'billing', got 'delivery'" in item.message


@pytest.mark.parametrize(
    ("expect", "wish"),
    [
        ("{team: billing}", "{team: billing}"),
        ("{team: billing}", """'{"team": "billing", "why": 1}'"""),
        ("1.10", "1.10"),
        ("true", "true"),
        ("null", "null"),
        ("yes", "yes"),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_a_wish_is_an_answer_as_a_model_writes_it(expect: str, wish: str, tmp_path: Path) -> None:
    bench, found = joined(tmp_path, HEAD + CASE + f"    expect: {expect}\n    should be: {wish}\n")
    assert messages(found) == []
    assert bench is not None


def test_a_wish_keeps_the_text_of_a_number(tmp_path: Path) -> None:
    text = HEAD + CASE + "    checks: [{regex: '^1[.]10$'}]\n    should be: 1.10\n"
    assert messages(joined(tmp_path, text)[1]) == []


def test_nothing_is_said_about_red_where_a_check_is_wrong(tmp_path: Path) -> None:
    text = HEAD + CASE + "    was: x\n    should be: y\n    checks: [{containz: x}, {contains: x}]\n"
    assert codes(joined(tmp_path, text)[1]) == [Code.UNKNOWN_CHECK]


def test_nothing_is_said_about_red_where_a_check_of_the_suite_is_wrong(tmp_path: Path) -> None:
    text = HEAD + "checks: [{containz: x}]\n" + CASE + "    was: x\n    checks: [{contains: x}]\n"
    assert codes(joined(tmp_path, text)[1]) == [Code.UNKNOWN_CHECK]


def test_the_same_mistake_is_told_wherever_it_is(tmp_path: Path) -> None:
    case = "  - case: {}\n    vars: {{message: hi}}\n    checks: [{{containz: x}}]\n"
    _, found = joined(tmp_path, HEAD + "cases:\n" + case.format("a") + case.format("b"))
    assert [item.location.line for item in found] == [7, 10]


def test_without_a_prompt_the_checks_are_still_looked_at(tmp_path: Path) -> None:
    text = (
        HEAD.replace("triage.prompt", "gone.prompt")
        + CASE
        + "    was: x\n    should be: y\n    checks: [{containz: x}]\n"
    )
    assert codes(joined(tmp_path, text)[1]) == [Code.FILE_NOT_FOUND, Code.UNKNOWN_CHECK]


def test_without_a_prompt_its_output_schema_is_no_mistake(tmp_path: Path) -> None:
    text = HEAD.replace("triage.prompt", "gone.prompt") + "checks: [{json schema: output}]\n" + CASE
    assert codes(joined(tmp_path, text)[1]) == [Code.FILE_NOT_FOUND]


def test_output_is_each_prompts_own_schema(tmp_path: Path) -> None:
    text = (
        HEAD.replace("triage.prompt", "[triage.prompt, triage.b.prompt]") + "checks: [{json schema: output}]\n" + CASE
    )
    bench, found = joined(
        tmp_path, text, {"triage.b.prompt": "---\noutput: {schema: {kind: string}}\n---\nOther {{message}}\n"}
    )
    assert messages(found) == []
    assert bench is not None
    first, second = (next(iter(bench.cases)).checks[item.hash] for item in bench.candidates)
    assert first != second


@pytest.mark.parametrize(
    ("variables", "code", "severity", "column"),
    [
        ("{}", Code.MISSING_VARIABLE, Severity.ERROR, 5),
        ("{mesage: hi}", Code.MISSING_VARIABLE, Severity.ERROR, 12),
        ("{message: hi, other: x}", Code.UNUSED_VARIABLE, Severity.WARNING, 25),
        ("{message: hi, where is it: x}", Code.UNUSED_VARIABLE, Severity.ERROR, 25),
    ],
)
def test_variables(variables: str, code: Code, severity: Severity, column: int, tmp_path: Path) -> None:
    text = HEAD + f"cases:\n  - case: one\n    vars: {variables}\n    expect: x\n"
    _, found = joined(tmp_path, text)
    assert [(item.code, item.severity, str(item.location)) for item in found] == [
        (code, severity, f"suite.yaml:6:{column}")
    ]


def test_an_own_model_may_use_what_no_prompt_does(tmp_path: Path) -> None:
    text = HEAD.replace("openai/fake", "openai/fake, python/own.py:answer")
    text += "cases:\n  - case: one\n    vars: {message: hi, other: x}\n    expect: x\n"
    bench, found = joined(tmp_path, text, {"own.py": "def answer(vars):\n    return 'x'\n"})
    assert messages(found) == []
    assert bench is not None
    assert [(model.name, model.uses_prompt, model.gated) for model in bench.models] == [
        ("openai/fake", True, True),
        ("python/own.py:answer", False, False),
    ]


def test_logged_calls_that_fail_become_cases_and_the_others_are_dropped_with_a_warning(tmp_path: Path) -> None:
    log = call("c1", "sorry", vars={"message": "a"}) + call("c2", "{}", vars={"message": "b"})
    bench, found = joined(tmp_path, HEAD + "checks: [json]\nlog: log\n", {"log": log})
    assert [(item.code, item.severity) for item in found] == [(Code.NOT_RED, Severity.WARNING)]
    assert "'c2' passes all checks" in found.warnings[0].message
    assert bench is not None
    assert [(case.name, case.was, case.logged) for case in bench.cases] == [("c1", ("sorry",), True)]


def test_a_logged_call_belongs_to_the_case_with_its_input(tmp_path: Path) -> None:
    log = call("c1", '{"team": "other"}') + call("c2", '{"team": "billing"}') + call("c3", None)
    bench, found = joined(tmp_path, HEAD + EXPECT + "log: log\n", {"log": log})
    assert [item.severity for item in found] == [Severity.WARNING]
    assert bench is not None
    assert [(case.name, case.was) for case in bench.cases] == [("one", ('{"team": "other"}', ""))]


def test_every_logged_case_has_a_name_of_its_own(tmp_path: Path) -> None:
    log = "".join(call("one", "x", vars={"message": text}) for text in "abc")
    bench, _ = joined(tmp_path, HEAD + "checks: [json]\n" + EXPECT + "log: log\n", {"log": log})
    assert bench is not None
    assert [case.name for case in bench.cases] == ["one", "log one", "log one (2)", "log one (3)"]


def test_a_logged_call_without_vars_fits_no_case(tmp_path: Path) -> None:
    prompt = {"triage.prompt": "Say hello.\n", "log": call("c1", "x", vars=None)}
    text = HEAD + "checks: [json]\nlog: log\ncases: [{case: plain}]\n"
    _, found = joined(tmp_path, text, prompt)
    assert codes(found) == [Code.BAD_LOG]
    assert "neither variables nor messages" in found.errors[0].message


def test_a_logged_call_must_bring_what_the_prompt_needs(tmp_path: Path) -> None:
    _, found = joined(tmp_path, HEAD + "checks: [json]\nlog: log\n", {"log": call("c1", "x", vars={"text": "hi"})})
    assert messages(found) == ["the logged call 'c1' has no value for {{message}}"]


def test_no_case_left_is_an_error(tmp_path: Path) -> None:
    for log in ("", call("c1", "{}")):
        bench, found = joined(tmp_path, HEAD + "checks: [json]\nlog: log\n", {"log": log})
        assert bench is None
        assert codes(found)[-1] is Code.NO_CASES


def test_the_hash_of_the_checks_changes_with_what_a_score_means(tmp_path: Path) -> None:
    hashes = set()
    for text in (
        HEAD + EXPECT,
        HEAD + EXPECT.replace("billing", "other"),
        HEAD + EXPECT + "accept: raw\n",
        HEAD + EXPECT + "checks: [json]\n",
    ):
        bench, _ = joined(tmp_path, text)
        assert bench is not None
        hashes.add(bench.checks_hash)
    assert len(hashes) == 4


def rendered(name: str, text: str, answer: str) -> str:
    messages = [{"role": "user", "content": text}]
    return json.dumps({"promptbench": "call/1", "id": name, "messages": messages, "answer": answer}) + "\n"


def test_variables_of_rendered_prompts_in_a_log_are_recovered(tmp_path: Path) -> None:
    files = {"log": rendered("c1", "Which team is this for? hi", "{") + rendered("c2", "Team? ho", "{")}
    bench, found = joined(tmp_path, HEAD + "checks: [json]\nlog: log\n" + EXPECT, files, champion="Team? {{message}}\n")
    assert messages(found) == []
    assert bench is not None
    assert [(case.name, case.variables, case.was) for case in bench.cases] == [
        ("one", {"message": "hi"}, ("{",)),
        ("c2", {"message": "ho"}, ("{",)),
    ]
    assert [call.id for call in bench.calls["one"]] == ["c1"]


def test_a_rendered_prompt_that_no_prompt_made_is_told(tmp_path: Path) -> None:
    files = {"log": rendered("c1", "Whose is it? hi", "{")}
    _, found = joined(tmp_path, HEAD + "checks: [json]\nlog: log\n" + EXPECT, files)
    assert codes(found) == [Code.BAD_LOG]
    assert "does not start with the prompt's text" in found.errors[0].message
