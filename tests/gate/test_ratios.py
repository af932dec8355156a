from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from promptbench.core.canonical import canonical
from promptbench.core.types import Answer, Attempt
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.evidence import SuiteProof, evidence, rejudge
from promptbench.gate.judge import GatedModel, Result, Verdict, judge
from promptbench.gate.policy import Policy
from tests.gate.kit import CANDIDATE, CHAMPION, MODEL, Cases, attempts, guards, infos

CASES: Cases = {"t": ("-" * 15, "+" * 15), **guards(3, "+++")}
MODELS = [GatedModel(MODEL, deterministic=False)]
Figures = dict[str, tuple[float, float | None]]
"""Milliseconds and dollars of a call, by variant; later tries take a hundred times as much."""


def made(figures: Figures) -> Iterator[Attempt]:
    for attempt in attempts(CASES):
        ms, cost = figures[attempt.key.variant]
        grown = 1 if attempt.key.repeat < 3 else 100
        yield replace(
            attempt,
            answer=Answer("x", MODEL, provider_ms=ms * grown),
            cost=None if cost is None else cost * grown,
        )


def judged(figures: Figures, policy: Policy) -> Verdict:
    return judge(
        AttemptMatrix(made(figures), measured=policy.measured),
        champion=CHAMPION,
        candidate=CANDIDATE,
        models=MODELS,
        cases=infos(CASES),
        policy=policy,
        asked_all=True,
    )


BOTH = Policy(cost_ratio=1.2, latency_ratio=1.5)


def test_within() -> None:
    verdict = judged({CHAMPION: (500, 0.0001), CANDIDATE: (700, 0.00012)}, BOTH)
    assert verdict.result is Result.PASS
    assert verdict.sentence.endswith("; cost ratio 1.20; latency ratio 1.40")


def test_over() -> None:
    verdict = judged({CHAMPION: (500, 0.0001), CANDIDATE: (800, 0.00013)}, BOTH)
    assert verdict.sentence == (
        "FAIL: cost ratio 1.30 is above 1.20 (`gate: cost ratio`): $0.13 per 1,000 calls, in production $0.1 per 1,000 "
        "calls; latency ratio 1.60 is above 1.50 (`gate: latency ratio`): a median of 800 ms, in production a median "
        "of 500 ms (fixed 1 of 1 failing case)"
    )


def test_just_over_looks_like_it() -> None:
    verdict = judged({CHAMPION: (1000, 0.0), CANDIDATE: (1501, 0.0)}, Policy(latency_ratio=1.5))
    assert "latency ratio 1.501 is above 1.500" in verdict.sentence


@pytest.mark.parametrize(
    ("champion", "candidate", "result"),
    [
        (0.0, 0.0, Result.PASS),
        (0.0, 0.0001, Result.FAIL),
        (0.0001, 0.0, Result.PASS),
        (None, 0.0001, Result.INCONCLUSIVE),
        (0.0001, None, Result.INCONCLUSIVE),
    ],
)
def test_costs_of_nothing_and_of_nobody_knows(champion: float | None, candidate: float | None, result: Result) -> None:
    verdict = judged({CHAMPION: (1, champion), CANDIDATE: (1, candidate)}, Policy(cost_ratio=1.2))
    assert verdict.result is result


def test_an_unknown_cost_is_said() -> None:
    verdict = judged({CHAMPION: (1, None), CANDIDATE: (1, None)}, Policy(cost_ratio=1.2))
    assert verdict.sentence.startswith("INCONCLUSIVE: the cost of a call is unknown, so its ratio is too")


def test_nothing_is_measured_unasked() -> None:
    policy = Policy()
    assert policy.measured == 0
    table = AttemptMatrix(made({CHAMPION: (1, 1.0), CANDIDATE: (2, 2.0)}), measured=policy.measured)
    assert table.latency_cost(CHAMPION, MODEL).cost is None
    assert table.latency_cost(CHAMPION, MODEL).latency is None


def test_an_attempt_counts_once_and_one_from_the_cache_not() -> None:
    attempt = next(made({CHAMPION: (10, 1.0), CANDIDATE: (0, 0.0)}))
    table = AttemptMatrix(
        [attempt, attempt, replace(attempt, key=replace(attempt.key, case="other"), tries=0)], measured=3
    )
    assert list(table.latency_cost(attempt.key.variant, MODEL).times) == [10]


def proof(figures: Figures, policy: Policy) -> dict[str, Any]:
    part = SuiteProof(
        suite="s",
        path="p",
        run="r",
        suite_hash="",
        checks_hash="",
        policy=policy,
        models=MODELS,
        cases=infos(CASES),
        verdict=judged(figures, policy),
        returned_models={},
    )
    return json.loads(canonical(evidence("triage", [(part, made(figures))], tool="", made="")))  # type: ignore[no-any-return]


def test_the_proof_holds_what_the_ratios_are_of() -> None:
    found = proof({CHAMPION: (500.1, 0.0001), CANDIDATE: (700.3, 0.00011)}, BOTH)
    assert found["suites"][0]["models"][0]["latency"] == {"candidate": 700.3, "champion": 500.1}
    assert rejudge(found) == []
    assert {line["k"] for line in found["attempts"] if "ms" in line} == {0, 1, 2}
    for line in found["attempts"]:
        if line["prompt"] == "candidate" and "cost" in line:
            line["cost"] *= 2
    assert "suite s: recorded PASS, judged again FAIL" in rejudge(found)


def test_a_proof_without_ratios_has_no_figures() -> None:
    found = proof({CHAMPION: (500, 0.0001), CANDIDATE: (9000, 0.1)}, Policy())
    assert found["suites"][0]["policy"].keys().isdisjoint({"cost_ratio", "latency_ratio", "tags"})
    assert not any({"ms", "cost"} & line.keys() for line in found["attempts"])
