"""What judges said, in the record of runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from promptbench.core.types import Answer, Attempt, AttemptKey, Judging, Outcome, Score, Usage
from promptbench.store.runs import RunStore

ANSWER = Answer("a", "m-1", {}, Usage(3, 4), "stop", 12.5)
SAID = Answer('{"reason": "so", "verdict": "pass"}', "j-1", {"temperature": 0}, Usage(30, 4))
JUDGING = Judging("sha256:q1", "p/j", "one", "sha256:t", SAID, "pass", None, 1, 2.5, 0.01, "2026-01-01T00:00:00.000Z")
KEY = AttemptKey("v", "p/m", "one", 0)
ERRORED = Attempt(
    KEY,
    Outcome.ERRORED,
    "sha256:r",
    ANSWER,
    scores=(Score("rubric", False, 0.0, "verdict is missing", 1.0, errored=True),),
    error="judge p/j: busy",
    judgings=(JUDGING, replace(JUDGING, request_hash="sha256:q2", answer=None, verdict=None, error="busy")),
)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(tmp_path) as store:
        yield store


def started(runs: RunStore, suite: str = "s") -> str:
    return runs.start(f"plan {suite}", suite, "p", {}, [], "1")[0].id


def test_judgings_come_back_and_their_answers_are_recordings(runs: RunStore) -> None:
    run = started(runs)
    runs.add(run, [(ERRORED, False)], {"p/j"})
    assert list(runs.judgings(run)) == list(ERRORED.judgings)
    assert runs.judged(run, "sha256:q1") == SAID
    assert runs.judged(run, "sha256:q2") is None
    assert runs.find("sha256:q1") == (replace(SAID, recorded=True), True)
    assert runs.deterministic("p/m") is False


def test_an_answer_without_verdict_is_asked_for_again(runs: RunStore) -> None:
    run = started(runs)
    runs.add(run, [(replace(ERRORED, judgings=(replace(JUDGING, verdict=None),)), False)])
    assert runs.judged(run, "sha256:q1") is None
    runs.add(run, [(ERRORED, False)])
    assert runs.judged(run, "sha256:q1") == SAID
    assert len(list(runs.judgings(run))) == 2


def test_what_another_run_was_told_is_not_taken(runs: RunStore) -> None:
    runs.add(started(runs), [(ERRORED, False)])
    assert runs.judged(started(runs, "t"), "sha256:q1") is None


def test_the_unjudged_and_why(runs: RunStore) -> None:
    run = started(runs)
    others = [
        replace(ERRORED, key=replace(KEY, repeat=1), outcome=Outcome.PASSED, error=None),
        replace(ERRORED, key=replace(KEY, repeat=2), answer=None),
        replace(ERRORED, key=replace(KEY, repeat=3), fallback="p/other"),
        replace(ERRORED, key=replace(KEY, repeat=4)),
        replace(ERRORED, key=replace(KEY, repeat=5), error="a reason"),
    ]
    runs.add(run, [(item, False) for item in (ERRORED, *others)])
    assert {key.repeat for key in runs.unjudged(run)} == {0, 4, 5}
    assert list(runs.unjudged_reasons(run).items()) == [("judge p/j: busy", 2), ("a reason", 1)]
    found = runs.attempt(run, KEY)
    assert found is not None
    assert found.scores == ERRORED.scores
    assert found.answer is not None
    assert found.answer.text == "a"
    assert runs.attempt(run, replace(KEY, repeat=9)) is None


def test_an_answer_of_no_run(runs: RunStore) -> None:
    runs.record("sha256:x", "p/j", SAID, deterministic=False)
    assert runs.find("sha256:x") == (replace(SAID, recorded=True), False)


def test_the_latest_run_of_a_suite(runs: RunStore) -> None:
    started(runs)
    last = started(runs, "t")
    assert runs.latest_of_suite("t") == last
