"""What a report counts. The run record is real; its attempts are written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from promptbench.core.types import Answer, Attempt, AttemptKey, Outcome, Rung, Score, Side, Usage
from promptbench.engine.prepare.options import Selection
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.project import Project
from promptbench.report.model import RunReport
from promptbench.store.runs import RunStore, RunVariant
from promptbench.workflows.judge.execute import JudgedRun, judge_all
from promptbench.workflows.judge.report import build
from tests.helpers.project import SUITE, V2

MODEL = "openai/fake"


def attempt(
    variant: str, case: str, repeat: int, *, passed: bool, ms: float = 10.0, cost: float | None = 0.5
) -> Attempt:
    return Attempt(
        key=AttemptKey(variant, MODEL, case, repeat),
        outcome=Outcome.PASSED if passed else Outcome.FAILED,
        request_hash=f"sha256:{case}{repeat}",
        answer=Answer("{}" if passed else "no", "fake-1", usage=Usage(10, 2), provider_ms=ms),
        rung=Rung.RAW if passed else Rung.NONE,
        well_formed=passed,
        scores=() if passed else (Score("json", False, 0.0, "not JSON"),),
        cost=cost,
    )


@pytest.fixture
def reported(tmp_path: Path) -> object:
    (tmp_path / "promptbench.toml").write_text("")
    folder = tmp_path / "suites" / "triage"
    folder.mkdir(parents=True)
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "triage.better.prompt").write_text(V2)
    workspace = Project.open(tmp_path, {"OPENAI_API_KEY": "sk-test-0123456789"})

    def report(make: object) -> RunReport:
        with workspace.prompts() as store, RunStore(tmp_path / ".promptbench") as runs:
            [prepared], _ = workspace.assemble(Selection(), store=store, runs=runs)
            candidate = prepared.candidates[0]
            variant = RunVariant(candidate.hash, Side.CANDIDATE, candidate.label, candidate.prompt.source)
            info, _ = runs.start("plan", "triage", "triage", {"path": "p", "command": "c"}, [variant], "0")
            runs.add(info.id, [(item, False) for item in make(candidate.hash)])  # type: ignore[operator]
            table = AttemptMatrix.of(runs.outcomes(info.id), {})
            return build(runs, JudgedRun(prepared, info, judge_all(prepared, table, asked_all=True), table))

    return report


def test_a_row_counts_the_first_round_only(reported: object) -> None:
    def attempts(variant: str) -> list[Attempt]:
        first = [attempt(variant, case, k, passed=True) for case in ("hello", "late parcel") for k in range(3)]
        return first + [attempt(variant, "hello", k, passed=False) for k in range(3, 11)]

    [row] = reported(attempts).rows  # type: ignore[operator]
    assert (row.attempts, row.passed, row.well_formed) == (6, 6, 6)
    assert row.rungs["raw"] == 6
    assert (row.input_tokens, row.output_tokens) == (60, 12)
    assert row.cost_per_1000 == 500.0


def test_one_unknown_price_makes_the_sum_unknown(reported: object) -> None:
    def attempts(variant: str) -> list[Attempt]:
        return [attempt(variant, "hello", k, passed=True, cost=None if k else 0.5) for k in range(3)]

    [row] = reported(attempts).rows  # type: ignore[operator]
    assert row.cost is None
    assert row.cost_per_1000 is None


def test_a_failing_case_shows_a_failing_answer(reported: object) -> None:
    def attempts(variant: str) -> list[Attempt]:
        return [attempt(variant, "hello", k, passed=k != 1) for k in range(3)]

    report = reported(attempts)  # type: ignore[operator]
    [flip] = report.flips
    assert (flip.case, flip.flip, flip.candidate.answer) == ("hello", "failing", "no")
    assert flip.candidate.reasons == ["json: not JSON"]
    [line] = list(report.failures)
    assert line["vars"] == {"message": "Hello"}
    assert line["failed"] == "json: not JSON"


def cached(item: Attempt) -> Attempt:
    assert item.answer is not None
    return replace(item, answer=replace(item.answer, recorded=True, provider_ms=0.0), tries=0, cost=0.0)


def test_answers_from_the_cache_count_for_quality_and_for_nothing_else(reported: object) -> None:
    def attempts(variant: str) -> list[Attempt]:
        asked = [attempt(variant, "hello", k, passed=True, ms=10.0 + k) for k in range(2)]
        return [*asked, *(cached(attempt(variant, "late parcel", k, passed=k > 0)) for k in range(3))]

    report = reported(attempts)  # type: ignore[operator]
    [row] = report.rows
    assert (row.attempts, row.cached, row.passed, row.well_formed) == (5, 3, 4, 4)
    assert (row.p50_ms, row.mean_ms, row.input_tokens, row.output_tokens) == (10.5, 10.5, 20, 4)
    assert (row.cost, row.cost_per_1000) == (1.0, 500.0)
    [line] = list(report.failures)
    assert line["latency_ms"] is None


def test_only_answers_from_the_cache_have_no_times_and_cost_nothing(reported: object) -> None:
    def attempts(variant: str) -> list[Attempt]:
        return [cached(attempt(variant, "hello", k, passed=True)) for k in range(3)]

    [row] = reported(attempts).rows  # type: ignore[operator]
    assert (row.attempts, row.cached, row.p50_ms, row.queue_p50_ms) == (3, 3, None, None)
    assert (row.cost, row.cost_per_1000) == (0.0, None)


def test_an_unknown_price_stays_unknown_beside_the_cache(reported: object) -> None:
    def attempts(variant: str) -> list[Attempt]:
        asked = attempt(variant, "hello", 0, passed=True, cost=None)
        return [asked, *(cached(attempt(variant, "hello", k, passed=True)) for k in (1, 2))]

    [row] = reported(attempts).rows  # type: ignore[operator]
    assert (row.cost, row.cost_per_1000) == (None, None)
