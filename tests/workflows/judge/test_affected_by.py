"""Which changed files may change the verdict of a suite."""

from __future__ import annotations

from pathlib import Path

import pytest

import promptbench
from promptbench.core.errors import Diagnostics
from promptbench.suite.loader import load
from promptbench.workflows.judge.affected_by import is_affected

PACKAGE = Path(promptbench.__file__).parent
SUITE = """\
suite: triage
prompt: [triage.prompt, 'short/triage.*.prompt']
models: [openai/gpt-5-mini, python/../../models/own.py:classify]
checks: [{any of: [{contains: refund}, {python: ../../rules/polite.py:check}]}]
cases:
  - case: charged twice
    vars: {message: I was charged twice}
    checks: [{python: {function: ../../rules/late/sums.py:adds_up}}]
  - more.jsonl
gate: {repeats: 3}
"""


def concerns(root: Path, *changed: str | Path) -> bool:
    folder = root / "suites" / "triage"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "suite.yaml").write_text(SUITE, encoding="utf-8")
    (folder / "more.jsonl").write_text('{"case": "late", "vars": {"message": "late"}, "expect": "x"}\n')
    suite = load(folder / "suite.yaml", "suite.yaml", Diagnostics())
    assert suite
    return is_affected(suite, [root / file for file in changed], root / "prompt_store" / "text")


@pytest.mark.parametrize(
    "file",
    [
        "suites/triage/suite.yaml",
        "suites/triage/more.jsonl",
        "suites/triage/short/triage.gone.prompt",
        "suites/triage/labels.txt",
        "models/own.py",
        "models/weights.bin",
        "rules/polite.py",
        "rules/late/words.txt",
        "prompt_store/text/triage/events/0123.json",
        PACKAGE / "checks" / "contains.py",
        PACKAGE / "gate" / "judge.py",
    ],
)
def test_what_a_suite_uses_concerns_it(file: str | Path, tmp_path: Path) -> None:
    assert concerns(tmp_path, file)
    assert concerns(tmp_path, "src/app.py", file)


@pytest.mark.parametrize(
    "file",
    [
        "src/app.py",
        "suites/other/suite.yaml",
        "suites/triage-2/suite.yaml",
        "suites/triage/README.md",
        "suites/triage/durations.json",
        "prompt_store/text/triage2/events/0123.json",
        "prompt_store/text",
        PACKAGE / "docs" / "changelog.md",
        PACKAGE.parent / "tests" / "conftest.py",
    ],
)
def test_what_it_does_not_use_does_not(file: str | Path, tmp_path: Path) -> None:
    assert not concerns(tmp_path, file)


def test_nothing_concerns_nobody(tmp_path: Path) -> None:
    assert not concerns(tmp_path)
