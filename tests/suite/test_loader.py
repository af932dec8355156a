from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import Code
from promptbench.core.types import Message, Rung
from tests.helpers.suites import HEAD, loaded, messages

FULL = """\
suite: triage
about: which team answers
prompt: [triage.short.prompt, triage.long.prompt]
models:
  - openai/gpt-5-mini
  - {model: python/own.py:answer, uses prompt: false}
checks: [json, {json schema: output}]
log: calls.jsonl
accept: repaired safe
cases:
  - case: charged twice
    vars: {message: I was charged twice, price: 1.10, nothing: null}
    messages: [{role: user, content: hello}]
    expect: {team: billing}
    was: '{"team": "billing",}'
    should be: {team: billing}
    tags: [captured, critical]
    checks: {not contains: sorry}
    origin: {ticket: 17}
    note: seen in March
gate: {repeats: 5, fixed: all, models: [openai/gpt-5-mini], format floor: 98%, answer_floor: 0.9, max-age: 12 hours}
"""


def test_the_full_form(tmp_path: Path) -> None:
    suite, found = loaded(tmp_path, FULL)
    assert messages(found) == []
    assert suite is not None
    assert (suite.name, suite.about, suite.accept) == ("triage", "which team answers", Rung.REPAIRED_SAFE)
    assert suite.prompts == ("triage.short.prompt", "triage.long.prompt")
    assert [(str(item.ref), item.uses_prompt) for item in suite.models] == [
        ("openai/gpt-5-mini", None),
        ("python/own.py:answer", False),
    ]
    assert [(spec.name, spec.argument) for spec in suite.checks] == [("json", None), ("json schema", "output")]
    assert suite.gate.model_dump() == {
        "margin": "auto",
        "repeats": 5,
        "fixed": "all",
        "models": ["openai/gpt-5-mini"],
        "format_floor": 0.98,
        "answer_floor": 0.9,
        "tags": {},
        "cost_ratio": None,
        "latency_ratio": None,
        "max_age": 0.5,
        "max_cost": None,
    }
    (case,) = suite.cases.scan(found)
    assert (case.has_expect, case.has_wish, case.critical, case.was) == (True, True, True, '{"team": "billing",}')
    assert case.messages == (Message("user", "hello"),)
    assert str(case.variables["price"]) == "1.10"
    assert [(spec.name, spec.argument) for spec in case.checks] == [("not contains", "sorry")]


def test_the_least_form(tmp_path: Path) -> None:
    suite, found = loaded(tmp_path, HEAD + "cases: [{case: one}]\n")
    assert messages(found) == []
    assert suite is not None
    case = suite.cases["one"]
    assert (case.has_expect, case.has_wish, case.was) == (False, False, None)
    assert suite.accept is Rung.EXTRACTED


@pytest.mark.parametrize(
    ("text", "code", "location"),
    [
        ("", Code.EMPTY_FILE, "suite.yaml"),
        ("# only this\n", Code.EMPTY_FILE, "suite.yaml:1:1"),
        ("- a\n", Code.WRONG_TYPE, "suite.yaml:1:1"),
        (HEAD, Code.NO_CASES, "suite.yaml:1:1"),
        (HEAD + "cases: []\n", Code.NO_CASES, "suite.yaml:4:1"),
        (HEAD + "cases:\n", Code.MISSING_KEY, "suite.yaml:4:1"),
        (HEAD + "cases: {a: 1}\n", Code.WRONG_TYPE, "suite.yaml:4:8"),
        (HEAD + "cases: [a]\n", Code.WRONG_TYPE, "suite.yaml:4:9"),
        (HEAD + "cases: [{case: ''}]\n", Code.BAD_VALUE, "suite.yaml:4:16"),
        (HEAD + "cases: [{vars: {}}]\n", Code.MISSING_KEY, "suite.yaml:4:9"),
        (HEAD + "cases: [{case: a}, {case: a}]\n", Code.DUPLICATE_NAME, "suite.yaml:4:27"),
        (HEAD + "cases: [{case: a, expect: }]\n", Code.MISSING_KEY, "suite.yaml:4:19"),
        (HEAD + "cases: [{case: a, was: }]\n", Code.MISSING_KEY, "suite.yaml:4:19"),
        (HEAD + "cases: [{case: a, was: [1]}]\n", Code.WRONG_TYPE, "suite.yaml:4:24"),
        (HEAD + "cases: [{case: a, checks: [{a: 1, b: 2}]}]\n", Code.BAD_VALUE, "suite.yaml:4:28"),
        (HEAD + "cases: [{case: a, checks: [7]}]\n", Code.WRONG_TYPE, "suite.yaml:4:28"),
        (HEAD + "cases: [{case: a, wsa: x}]\n", Code.UNKNOWN_KEY, "suite.yaml:4:19"),
        (HEAD + "cases: [{case: a, should be: x, should-be: y}]\n", Code.DUPLICATE_KEY, "suite.yaml:4:33"),
        (HEAD + "cases: [{case: a, messages: [{role: me, content: x}]}]\n", Code.BAD_VALUE, "suite.yaml:4:37"),
        (HEAD + "cases: [{case: a, messages: [{rol: user, content: x}]}]\n", Code.UNKNOWN_KEY, "suite.yaml:4:31"),
        (
            HEAD + "cases: [{case: a}]\ngate: {format floor: 1, format_floor: 1}\n",
            Code.DUPLICATE_KEY,
            "suite.yaml:5:25",
        ),
        (HEAD + "cases: [{case: a}]\ngate: {formt floor: 1}\n", Code.UNKNOWN_KEY, "suite.yaml:5:8"),
        (HEAD.replace("openai/fake", "gpt"), Code.UNKNOWN_MODEL, "suite.yaml:3:10"),
        (HEAD.replace("openai/fake", "{modl: a/b}"), Code.UNKNOWN_KEY, "suite.yaml:3:11"),
        (HEAD.replace("triage.prompt", "[]"), Code.BAD_VALUE, "suite.yaml:2:9"),
    ],
)
def test_what_is_wrong_and_where(text: str, code: Code, location: str, tmp_path: Path) -> None:
    _, found = loaded(tmp_path, text)
    assert (code, location) in [(item.code, str(item.location)) for item in found]
    assert all(item.hint or item.code in (Code.BAD_VALUE, Code.WRONG_TYPE) for item in found)


def test_a_slip_is_not_reported_as_missing_too(tmp_path: Path) -> None:
    _, found = loaded(tmp_path, HEAD.replace("models", "model") + "cases: [{case: a}]\n")
    (item,) = found
    assert item.hint == "did you mean 'models'?"


def test_all_problems_of_all_parts_in_one_pass(tmp_path: Path) -> None:
    text = (
        HEAD
        + "acept: raw\ncases:\n  - case: a\n    vars: x\n  - case: b\n    tag: y\n  - case: b\ngate: {repeats: 0}\n"
    )
    suite, found = loaded(tmp_path, text)
    assert {item.location.line for item in found} == {4, 7, 9, 10, 11}
    assert suite is not None
    assert [case.name for case in suite.cases.scan(found)] == ["b", "b"]


def test_what_is_sound_is_kept_when_the_rest_is_wrong(tmp_path: Path) -> None:
    suite, found = loaded(tmp_path, "suite: x\nprompt: 7a.prompt\nmodels:\nlog: {a: b}\nchecks: [json]\n")
    assert len(found.errors) == 2
    assert suite is not None
    assert (suite.prompts, suite.models, suite.logs) == (("7a.prompt",), (), ())
    assert [spec.name for spec in suite.checks] == ["json"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    from promptbench.core.errors import Diagnostics
    from promptbench.suite.loader import load

    found = Diagnostics()
    assert load(tmp_path / "none.yaml", "none.yaml", found) is None
    assert [item.code for item in found] == [Code.FILE_NOT_FOUND]
