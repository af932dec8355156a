from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from promptbench.core.types import AttemptKey
from promptbench.engine.plan import Repeats, first_round, first_round_size, in_random_order, round_sizes
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from tests.helpers.suites import PROMPT, joined

SUITE = """\
suite: triage
prompt: triage.prompt
models: [openai/fake, {model: python/own.py:answer, deterministic: true}]
checks: [json]
cases: [more.jsonl, {case: one, vars: {message: Hi}}]
gate: {repeats: 2}
"""
OWN = "def answer(vars):\n    return 'x'\n"


def bench(folder: Path) -> PreparedSuite:
    lines = [json.dumps({"case": name, "vars": {"message": name}}) for name in ("two", "three")]
    files = {"more.jsonl": "\n".join(lines), "own.py": OWN}
    found = joined(folder, SUITE, files, champion=PROMPT.replace("Which", "What"))
    assert found[0] is not None, list(found[1])
    return found[0]


def test_every_case_is_asked_of_both_prompts_and_once_of_an_own_model(tmp_path: Path) -> None:
    ours = bench(tmp_path)
    # One request is repeated, to confirm what the suite declares.
    repeated, *tasks = first_round(ours, Repeats(2))
    assert (repeated.key.model, repeated.repeat) == ("python/own.py:answer", 1)
    assert 1 + len(tasks) == first_round_size(ours, Repeats(2)) == 3 * (2 * 2 + 1) + 1
    assert round_sizes(ours, Repeats(2)) == {"openai/fake": 12, "python/own.py:answer": 4}
    # The repeated request counts also when it has confirmed the model.
    confirmed = replace(ours, confirmed={"python/own.py:answer": True})
    assert first_round_size(confirmed, Repeats(2)) == first_round_size(ours, Repeats(2))
    champion, candidate = (variant.hash for variant in ours.variants)
    of_one = [(task.key.variant, task.key.model, task.repeat) for task in tasks if task.case.name == "one"]
    both = {champion, candidate}
    for repeat in range(2):
        pair = of_one[2 * repeat : 2 * repeat + 2]
        assert {variant for variant, _, _ in pair} == both
        assert {(model, number) for _, model, number in pair} == {("openai/fake", repeat)}
    assert of_one[4:] == [("", "python/own.py:answer", 0)]


def test_which_prompt_comes_first_depends_on_the_seed_alone() -> None:
    names = ["a", "b"]
    orders = [in_random_order(names, "run 1", f"case {n}", n % 3) for n in range(400)]
    assert orders == [in_random_order(names[::-1], "run 1", f"case {n}", n % 3) for n in range(400)]
    assert 150 < sum(order[0] == "a" for order in orders) < 250
    assert orders != [in_random_order(names, "run 2", f"case {n}", n % 3) for n in range(400)]


def test_what_is_done_is_neither_asked_nor_built(tmp_path: Path) -> None:
    ours = bench(tmp_path)
    (tmp_path / "more.jsonl").unlink()  # so that building one of its cases would fail

    def done(key: AttemptKey) -> bool:
        return key.case != "one" or key.repeat == 0 or key.model == "python/own.py:answer"

    assert [(task.case.name, task.repeat) for task in first_round(ours, Repeats(2), done)] == [("one", 1), ("one", 1)]
