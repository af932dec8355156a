"""What is read of a run without its texts is the same as what its attempts say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from promptbench.core.types import (
    Answer,
    Attempt,
    AttemptKey,
    FailedTry,
    FailureKind,
    Outcome,
    Repair,
    Rung,
    Score,
    Usage,
)
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.store.runs import RunStore
from promptbench.workflows.judge.run_tally import Collector, Tally


def made() -> Iterator[Attempt]:
    """Yield attempts of every kind, three for each case."""
    timed = Answer("{}", "m", usage=Usage(30, 4), provider_ms=10.5, first_byte_ms=2.0)
    answers = [timed, Answer("[", "m", provider_ms=3.25), Answer("é", "m", usage=Usage(7, 1), by_batch=True)]
    rungs = [None, Rung.RAW, Rung.EXTRACTED, Rung.NONE]
    refused = FailedTry(FailureKind.REJECTED, "no", 400, 1.0)
    kinds: list[dict[str, Any]] = [
        *({"outcome": of, "answer": it, "rung": on} for of, it, on in product(list(Outcome)[:2], answers, rungs)),
        {"outcome": Outcome.PASSED, "answer": timed, "tries": 0, "cost": 0.0},
        {"outcome": Outcome.PASSED, "answer": timed, "rung": Rung.RAW, "cost": None},
        {"outcome": Outcome.FAILED, "answer": timed, "rung": Rung.RAW, "repairs": (Repair("a", 1), Repair("a", 2))},
        {"outcome": Outcome.ERRORED, "error": "timed out"},
        {"outcome": Outcome.ERRORED, "error": "refused", "failed_tries": (refused,)},
        {"outcome": Outcome.ERRORED, "error": "judge", "answer": timed},
        {"outcome": Outcome.ERRORED, "error": "down", "answer": timed, "fallback": "openai/other"},
    ]
    for number, kind in enumerate(kinds):
        model = "recorded/m" if number % 5 == 4 else "openai/m"
        key = AttemptKey("v", model, f"case {number // 3}", number % 3)
        common = {"cost": 0.1 * number, "queue_ms": 0.3, "limit_ms": 0.1, "scores": (Score("json", True, 1.0),)}
        yield Attempt(key=key, request_hash="", well_formed=number % 2 == 0, **{**common, **kind})


def test_a_table_and_tallies_need_no_texts(tmp_path: Path) -> None:
    with RunStore(tmp_path) as runs:
        run = runs.start("plan", "suite", "prompt", {}, [], "0")[0].id
        runs.add(run, [(attempt, False) for attempt in made()])
        attempts = list(runs.attempts(run))
        table, expected = AttemptMatrix.of(runs.outcomes(run), {}, measured=3), AttemptMatrix(attempts, measured=3)
        collected = Collector(table, set())
        assert not collected.count(runs.grid().figures(run), {"openai/m": 2, "recorded/m": 2}, {"case 1"})
        shown = list(runs.attempts_shown(run, {"case 2"}))
    assert shown == [it for it in attempts if it.error or it.fallback or it.key.case == "case 2"]
    tallies: dict[tuple[str, str], Tally] = {}
    for attempt in attempts:
        if attempt.key.repeat < 2 and attempt.key.case != "case 1":
            tallies.setdefault((attempt.key.variant, attempt.key.model), Tally()).add(attempt)
    assert len(tallies) == 2
    for slot, tally in tallies.items():
        assert list(table.cells(*slot)) == list(expected.cells(*slot))
        assert repr(table.latency_cost(*slot)) == repr(expected.latency_cost(*slot))
        assert table.cached(*slot) == expected.cached(*slot)
        assert asdict(collected.tallies[slot]) == asdict(tally)
    assert collected.attempts.total() == len(attempts)


def test_repairs_are_by_count_then_by_name_in_every_process() -> None:
    """The hashes of texts, which order a set, differ between processes."""
    tally, names = Tally(), [f"rule {number}" for number in range(9)]
    for some in (names[::-1], ["rule 7"]):
        repairs = tuple(Repair(name, 0) for name in some)
        key = AttemptKey("v", "m", "case", 0)
        tally.add(Attempt(key, Outcome.PASSED, "", Answer("{}", "m"), rung=Rung.EXTRACTED, repairs=repairs))
    assert list(tally.row("p", "candidate", "m", gated=True).repairs) == ["rule 7", *names[:7], names[8]]
