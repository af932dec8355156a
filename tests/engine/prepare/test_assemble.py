from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from promptbench.core.errors import Code
from promptbench.core.types import Side
from promptbench.plugins import ProviderSpec
from tests.helpers.asking import context
from tests.helpers.suites import HEAD, PROMPT, joined, messages

CASES = """\
cases:
  - {case: one, vars: {message: hi}, expect: x, tags: [a, critical]}
  - {case: two, vars: {message: ho}, expect: x, tags: b}
"""
OTHER = PROMPT.replace("Which", "To which")


def test_a_bench_has_everything_that_a_run_needs(tmp_path: Path) -> None:
    bench, found = joined(tmp_path, HEAD + CASES, champion=OTHER)
    assert messages(found) == []
    assert bench is not None
    assert [(item.side, item.label) for item in bench.variants] == [
        (Side.CHAMPION, "triage@1"),
        (Side.CANDIDATE, "triage.prompt"),
    ]
    assert [(case.name, case.critical) for case in bench.cases] == [("one", True), ("two", False)]
    assert (bench.prompt_name, bench.partial, bench.suite.name) == ("triage", False, "triage")


def test_candidate_and_champion_of_the_same_version_are_one_variant(tmp_path: Path) -> None:
    bench, _ = joined(tmp_path, HEAD + CASES, champion=PROMPT)
    assert bench is not None
    assert [item.side for item in bench.variants] == [Side.CHAMPION]


@pytest.mark.parametrize(
    ("around", "names"),
    [
        ({"cases": ("o*",)}, ["one"]),
        ({"tags": ("b", "c")}, ["two"]),
        ({"cases": ("one",), "tags": ("b",)}, []),
        ({"cases": ("nothing",)}, []),
    ],
)
def test_a_selection_is_partial(around: dict[str, Any], names: list[str], tmp_path: Path) -> None:
    bench, found = joined(tmp_path, HEAD + CASES, **around)
    assert messages(found) == []
    assert bench is not None
    assert ([case.name for case in bench.cases], bench.partial) == (names, True)


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        ("triage.prompt", ["triage.prompt"]),
        ("[triage.prompt, triage.b.prompt]", ["triage.prompt", "triage.b.prompt"]),
        ("'*.prompt'", ["triage.b.prompt", "triage.prompt"]),
        ("'**/*.b.prompt'", ["triage.b.prompt"]),
        ("[triage.prompt, triage.prompt]", ["triage.prompt"]),
    ],
)
def test_candidates(written: str, labels: list[str], tmp_path: Path) -> None:
    text = HEAD.replace("triage.prompt", written) + CASES
    bench, found = joined(tmp_path, text, {"triage.b.prompt": OTHER})
    assert messages(found) == []
    assert bench is not None
    assert [item.label for item in bench.candidates] == labels


@pytest.mark.parametrize(
    ("written", "code", "column"),
    [
        ("triag.prompt", Code.FILE_NOT_FOUND, 9),
        ("[triage.prompt, gone.prompt]", Code.FILE_NOT_FOUND, 25),
        ("'x*.prompt'", Code.FILE_NOT_FOUND, 9),
        ("'**x'", Code.BAD_VALUE, 9),
        ("'/etc/*'", Code.PATH_OUTSIDE, 9),
        ("'../*.prompt'", Code.PATH_OUTSIDE, 9),
        ("[triage.prompt, other.prompt]", Code.BAD_VALUE, 9),
        ("suite.yaml", Code.PROMPT_SYNTAX, 1),
    ],
)
def test_prompts_that_are_none(written: str, code: Code, column: int, tmp_path: Path) -> None:
    bench, found = joined(tmp_path, HEAD.replace("triage.prompt", written) + CASES, {"other.prompt": OTHER})
    assert bench is None
    assert (code, column) in [(item.code, item.location.column) for item in found.errors]


def test_a_prompt_from_the_command_line_stands_in(tmp_path: Path) -> None:
    (tmp_path / "triage.new.prompt").write_text(OTHER, encoding="utf-8")
    bench, _ = joined(tmp_path, HEAD + CASES, prompts=(tmp_path / "triage.new.prompt",))
    assert bench is not None
    assert [item.label for item in bench.candidates] == ["triage.new.prompt"]
    _, found = joined(tmp_path, HEAD + CASES, prompts=(tmp_path / "gone.prompt",))
    assert [str(item.location) for item in found] == ["gone.prompt"]


@pytest.mark.parametrize(
    ("written", "code", "hint"),
    [
        ("opnai/gpt-5", Code.UNKNOWN_PROVIDER, "did you mean 'openai/gpt-5'?"),
        ("zzz/gpt-5", Code.UNKNOWN_PROVIDER, "known providers: "),
        ("python/gone.py:f", None, None),
        ("{model: python/own.py:answer, uses prompt: true}", Code.BAD_VALUE, "leave 'uses prompt' out"),
    ],
)
def test_models_that_are_none(written: str, code: Code | None, hint: str | None, tmp_path: Path) -> None:
    text = HEAD.replace("openai/fake", written) + CASES
    bench, found = joined(tmp_path, text, {"own.py": "def answer(vars):\n    return 'x'\n"})
    assert bench is None
    item = found.errors[0]
    assert code in (None, item.code)
    assert hint is None or (item.hint or "").startswith(hint)
    assert item.location.line == 3


def test_one_model_written_alone_has_its_place(tmp_path: Path) -> None:
    text = HEAD.replace("[openai/fake]", "opnai/fake") + CASES
    _, found = joined(tmp_path, text)
    assert [str(item.location) for item in found] == ["suite.yaml:3:9"]


def test_models_from_the_command_line(tmp_path: Path) -> None:
    text = HEAD.replace("openai/fake", "openai/fake, openai/other") + CASES
    bench, _ = joined(tmp_path, text, models=("openai/fake",))
    assert bench is not None
    assert ([model.name for model in bench.models], bench.partial) == (["openai/fake"], True)
    _, found = joined(tmp_path, text, models=("fake",))
    assert [str(item.location) for item in found] == ["--model fake"]


def test_the_gate_names_models_of_the_suite(tmp_path: Path) -> None:
    text = HEAD.replace("openai/fake", "openai/fake, openai/other") + CASES
    bench, _ = joined(tmp_path, text + "gate: {models: openai/other}\n")
    assert bench is not None
    assert [(model.name, model.gated) for model in bench.models] == [("openai/fake", False), ("openai/other", True)]
    _, found = joined(tmp_path, text + "gate: {models: openai/othr}\n")
    assert [(item.code, item.hint, str(item.location)) for item in found] == [
        (Code.UNKNOWN_MODEL, "did you mean 'openai/other'?", "suite.yaml:7:16")
    ]


def test_the_plan_is_the_same_for_the_same_files_and_no_other(tmp_path: Path) -> None:
    def plan(text: str) -> str:
        bench, _ = joined(tmp_path, text)
        assert bench is not None
        return bench.plan_hash

    assert plan(HEAD + CASES) == plan(HEAD + CASES + "# a remark\n")
    changes = [CASES.replace("hi", "hello"), CASES.replace("expect: x", "expect: y"), CASES + "gate: {repeats: 4}\n"]
    assert len({plan(HEAD + text) for text in (CASES, *changes)}) == 4


def test_a_provider_is_shaped_by_its_settings_without_secrets_by_default() -> None:
    spec = ProviderSpec(connect=lambda name, context: SimpleNamespace())  # type: ignore[arg-type, return-value]
    assert spec.shaped_by("m", context(options={"url": "u", "api_key": "k"})) == {"url": "u"}


def test_the_gate_names_tags_of_the_cases(tmp_path: Path) -> None:
    cases = "cases:\n- {case: a, vars: {message: hi}, tags: [x, y]}\n- {case: b, vars: {message: ho}, tags: y}\n"
    text = HEAD + "checks: json\n" + cases
    bench, found = joined(tmp_path, text + "gate: {tags: {x: {floor: 90%}, y: {margin: 5%}}}\n")
    assert messages(found) == []
    assert bench
    assert bench.cases.tagged == {"x": {"a"}, "y": {"a", "b"}}
    _, found = joined(tmp_path, text + "gate: {tags: {x: {floor: 90%}, z: {margin: 5%}}}\n")
    [error] = found.errors
    assert error.message == "no case has the tag 'z'"
    assert error.location.column == 32
    _, found = joined(tmp_path, text + "gate: {tags: {x: {floor: 90%}, z: {margin: 5%}}}\n", cases=("a",))
    assert messages(found) == []
