from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.types import ModelRef, Usage
from promptbench.engine.plan import Estimate, Repeats, estimates
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.text.tokens import ASSUMED_OUTPUT
from tests.helpers.suites import HEAD, joined

CASES = """\
checks: [json]
cases:
  - case: one
    vars: {message: Hello}
  - case: two
    vars: {message: 'Hello, where is my parcel?'}
"""
OWN = "def own(vars):\n    return 'x'\n"


def bench_of(folder: Path, head: str = HEAD, **more: str) -> PreparedSuite:
    bench, found = joined(folder, head + CASES, {"own.py": OWN}, **more)
    assert bench is not None, found.errors
    return bench


def by_tokens(model: ModelRef, usage: Usage) -> float:
    return usage.input_tokens * 0.001 + usage.output_tokens * 0.01


def test_every_repeat_of_every_prompt_counts(tmp_path: Path) -> None:
    one = estimates(bench_of(tmp_path), Repeats(1), by_tokens)["openai/fake"]
    assert (one.calls, one.output_tokens) == (2, 2 * ASSUMED_OUTPUT)
    # `Which team is this for? Hello` and the longer one, four characters a token, each rounded up.
    assert one.input_tokens == -(-29 // 4) + -(-50 // 4)
    assert one.cost == pytest.approx(one.input_tokens * 0.001 + one.output_tokens * 0.01)
    three = estimates(bench_of(tmp_path, champion="Team? {{message}}\n"), Repeats(3), by_tokens)["openai/fake"]
    assert three.calls == 2 * 2 * 3


def test_a_bound_on_the_answer_is_the_most_to_expect(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, champion="---\nconfig: {maxOutputTokens: 20}\n---\nTeam? {{message}}\n")
    assert estimates(bench, Repeats(1), by_tokens)["openai/fake"].output_tokens == 2 * (ASSUMED_OUTPUT + 20)


def test_a_model_that_is_a_function_is_asked_once_and_reads_nothing(tmp_path: Path) -> None:
    head = HEAD.replace("[openai/fake]", "[openai/fake, {model: 'python/own.py:own', deterministic: true}]")
    found = estimates(bench_of(tmp_path, head), Repeats(3), lambda model, usage: 0.0)
    assert found["openai/fake"].calls == 6
    # One of them is repeated.
    assert found["python/own.py:own"].calls == 3
    assert found["python/own.py:own"].input_tokens == 0


def test_an_unknown_price_is_no_price_at_all(tmp_path: Path) -> None:
    found = estimates(bench_of(tmp_path), Repeats(1), lambda model, usage: None)
    assert found["openai/fake"] == Estimate(2, 21, 2 * ASSUMED_OUTPUT, None)
