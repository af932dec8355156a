"""What a suite gives all of its cases: default values, and checks that suites share by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import Diagnostics
from promptbench.suite.loader import load
from promptbench.workflows.judge.affected_by import is_affected
from tests.helpers.suites import HEAD, joined, messages, write

SHARED = "polite:\n  - not contains: sorry\n  - {count: {of: words, at most: 9}, weight: 2}\nshort: json\n"
CASES = "cases: [{case: one, vars: {message: Hi}, checks: [{use: polite, at: reply, weight: 3}]}, more.jsonl]\n"
MORE = '{"case": "two", "vars": {"message": "Ho"}, "checks": [{"use": "short"}]}\n'


def hashes(folder: Path, text: str, shared: str = SHARED) -> tuple[str, str]:
    suite, found = joined(folder, HEAD + text, {"checks.yaml": shared, "more.jsonl": MORE})
    assert messages(found) == []
    assert suite is not None
    return suite.suite_hash, suite.checks_hash


def test_named_checks_are_those_of_the_file(tmp_path: Path) -> None:
    text = "use checks: checks.yaml\nchecks: {use: short}\n" + CASES
    suite, found = joined(tmp_path, HEAD + text, {"checks.yaml": SHARED, "more.jsonl": MORE})
    assert messages(found) == []
    assert suite is not None
    one = suite.suite.cases["one"].checks
    assert [(spec.name, spec.weight, spec.at) for spec in one] == [("not contains", 3, "reply"), ("count", 6, "reply")]
    assert str(one[0].where.location(key=True)) == "checks.yaml:2:5"
    assert [spec.name for spec in (*suite.suite.checks, *suite.suite.cases["two"].checks)] == ["json", "json"]
    # They are hashed as if they were written in the suite.
    written = text.replace("{use: short}", "json").replace(
        "{use: polite, at: reply, weight: 3}",
        "{not contains: sorry, at: reply, weight: 3}, {count: {of: words, at most: 9}, at: reply, weight: 6}",
    )
    assert hashes(tmp_path, text) == hashes(tmp_path, written)
    assert hashes(tmp_path, text) != hashes(tmp_path, text, SHARED.replace("sorry", "Sorry"))


def test_a_file_above_the_suite_but_not_above_the_project(tmp_path: Path) -> None:
    write(
        tmp_path, {"suites/checks.yaml": SHARED, "suites/t/suite.yaml": HEAD + "use checks: ../checks.yaml\n" + CASES}
    )
    found = Diagnostics()
    suite = load(tmp_path / "suites/t/suite.yaml", "suites/t/suite.yaml", found)
    assert messages(found) == []
    assert suite is not None
    assert is_affected(suite, [(tmp_path / "suites/checks.yaml").resolve()], tmp_path / "store")
    assert not is_affected(suite, [(tmp_path / "suites/other.yaml").resolve()], tmp_path / "store")
    load(tmp_path / "suites/t/suite.yaml", "suite.yaml", found)
    assert messages(found) == ["'../checks.yaml' is outside the project's folder"]


@pytest.mark.parametrize(
    ("shared", "where", "message"),
    [
        ("polite: {max words: 3}\nshort: json\n", "checks.yaml:1:10", "unknown check 'max words'"),
        ("polite: {use: short}\nshort: json\n", "checks.yaml:1:10", "unknown check 'use'"),
        ("- json\n", "checks.yaml:1:1", "expected named checks"),
        ("polit: json\nshort: json\n", "suite.yaml:5:57", "no checks are named 'polite'"),
        ("polite:\n  - {json: null, contains: x}\nshort: json\n", "checks.yaml:2:5", None),
        (None, "suite.yaml:4:13", "file 'checks.yaml' not found"),
    ],
)
def test_what_is_wrong_with_them(shared: str | None, where: str, message: str | None, tmp_path: Path) -> None:
    files = {"more.jsonl": MORE, **({"checks.yaml": shared} if shared else {})}
    _, found = joined(tmp_path, HEAD + "use checks: checks.yaml\n" + CASES, files)
    [item] = [item for item in found.errors if "has no checks" not in item.message]
    assert str(item.location) == where
    assert message in (None, item.message)


VARS = """\
checks: [json]
defaults: {vars: {language: English}}
cases:
  - {case: a, vars: {message: Hi}}
  - {case: b, vars: {message: Hi, language: Welsh}}
"""


def test_default_values_are_those_of_cases_without_them(tmp_path: Path) -> None:
    prompt = {"triage.prompt": "In {{language}}: {{message}}\n"}
    written = VARS.replace("{language: English}", "{}").replace("Hi}", "Hi, language: English}")
    suites = [joined(tmp_path, HEAD + text, prompt) for text in (VARS, written, VARS.replace("English", "German"))]
    assert [messages(found) for _, found in suites] == [[], [], []]
    suite, same, other = (suite for suite, _ in suites if suite)
    assert [case.variables["language"] for case in suite.cases] == ["English", "Welsh"]
    assert suite.suite_hash == same.suite_hash != other.suite_hash
    _, found = joined(tmp_path, HEAD + VARS.replace("English}", "English, tone: dry}"), prompt)
    assert [(item.message, str(item.location)) for item in found] == [("no prompt uses 'tone'", "suite.yaml:5:38")]


CONFIG = """\
checks: [json]
models: [openai/fake, {model: openai/fake, as: short, config: {max tokens: 5}}]
defaults: {config: {temperature: 0.2, max tokens: 50, seed: 7}}
cases: [{case: a, vars: {message: Hi}}]
"""


def test_a_default_config_is_below_the_prompts_and_the_models(tmp_path: Path) -> None:
    head = HEAD.replace("models: [openai/fake]\n", "")
    prompt = {"triage.prompt": "---\nconfig: {temperature: 0, maxOutputTokens: 9}\n---\n{{message}}\n"}
    suite, found = joined(tmp_path, head + CONFIG, prompt)
    assert messages(found) == []
    assert suite is not None
    [variant], case = suite.variants, suite.cases["a"]
    params = {model.name: dict(suite.request(model, variant, case, 0).params) for model in suite.models}
    assert params["openai/fake"] == {"temperature": 0, "maxOutputTokens": 9, "seed": 7}
    assert params["short"] == {"temperature": 0, "maxOutputTokens": 5, "seed": 7}
    without, _ = joined(tmp_path, head + CONFIG.replace(", seed: 7", ""), prompt)
    assert without is not None
    assert without.suite_hash != suite.suite_hash
    assert without.variants[0].hash == variant.hash
    _, found = joined(tmp_path, head + CONFIG.replace("seed: 7", "sed: 7"), prompt)
    [item] = found
    assert (item.message, str(item.location)) == ("unknown key 'sed' under 'config'", "suite.yaml:5:55")
