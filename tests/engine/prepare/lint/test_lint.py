"""What is told of a suite that is sound, with its files, its champion and its models."""

from __future__ import annotations

import gc
import json
import tracemalloc
from pathlib import Path

import pytest

from promptbench.core.errors import Code, Diagnostics, Severity
from promptbench.engine.prepare.lint.lint import Lint
from promptbench.engine.prepare.lint.windows import Window
from tests.helpers.linted import case, variant
from tests.helpers.suites import HEAD, PROMPT, joined, messages

CLOSED = PROMPT.replace("{team: string}", "{'team(enum)': [billing, shipping]}")
OPEN = CLOSED.replace("shipping]", "shipping, refund]")
CASES = """\
cases:
  - case: charged twice
    vars: {message: I was charged twice for March}
    expect: {team: refund}
"""


def test_the_prompt_in_production_is_looked_at_too(tmp_path: Path) -> None:
    bench, found = joined(tmp_path, HEAD + CASES, {"triage.prompt": OPEN}, champion=CLOSED)
    assert bench is not None
    lacks = [item for item in found if item.code is Code.LABEL_NOT_OFFERED]
    assert [item.severity for item in lacks] == [Severity.WARNING]
    assert "triage@1" in lacks[0].message
    assert str(lacks[0].location) == "suite.yaml:7:20"


def test_a_candidate_that_is_in_production_is_told_once(tmp_path: Path) -> None:
    _, found = joined(tmp_path, HEAD + CASES, {"triage.prompt": CLOSED}, champion=CLOSED)
    assert [item.code for item in found] == [Code.LABEL_NOT_OFFERED]


def test_cases_of_a_file_are_told_at_their_line(tmp_path: Path) -> None:
    lines = [{"case": f"c{n}", "vars": {"message": "hi"}, "expect": {"team": team}} for n, team in enumerate("bc")]
    files = {"triage.prompt": CLOSED, "more.jsonl": "".join(json.dumps(line) + "\n" for line in lines)}
    _, found = joined(tmp_path, HEAD + "cases: more.jsonl\n", files)
    assert [(item.location.path, item.location.line) for item in found] == [("more.jsonl", 1), ("more.jsonl", 2)]


@pytest.mark.parametrize(("line", "told"), [("", 1), ("    uses prompt: false\n", 0)])
def test_only_models_that_are_asked_with_the_prompt_have_a_window(line: str, told: int, tmp_path: Path) -> None:
    text = f"suite: triage\nprompt: triage.prompt\nmodels:\n  - model: gguf/smollm2-135m\n{line}"
    _, found = joined(tmp_path, text + CASES.replace("for March", "for March " * 2000))
    assert len([said for said in messages(found) if "gguf/smollm2-135m takes 4,096 tokens" in said]) == told


@pytest.mark.slow
def test_what_is_held_does_not_grow_with_the_cases() -> None:
    lint = Lint([variant(CLOSED), variant("Which team of: billing, shipping? {{message}}")], {"m": Window(lambda: 600)})

    def look(start: int, count: int) -> int:
        for number in range(start, start + count):
            expect = {"team": f"team{number}", "why": f"reason{number}", f"field{number}": "x", "text": "long " * 50}
            lint.look(case(f"c{number}", f"message {number} " * 200, expect))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = look(0, 400)
        assert look(400, 400) - first < 20_000
    finally:
        tracemalloc.stop()
    found = Diagnostics()
    lint.report(found)
    assert len(found) < 20
