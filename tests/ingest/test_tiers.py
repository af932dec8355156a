from __future__ import annotations

from typing import Any

import pytest

from promptbench.core.types import FailureTier
from promptbench.ingest._fields import classify_failure, find_low_score, iterate_scores, parse_truth


def test_an_earlier_tier_outweighs_a_later_one() -> None:
    everything: dict[str, Any] = {"error": "429", "finish_reason": "length", "refusal": True, "verdict": "wrong"}
    assert classify_failure(**everything) == ("429", FailureTier.TRANSPORT)
    assert classify_failure(**everything | {"error": None}) == ("refusal", FailureTier.TRUNCATED)
    assert classify_failure(**everything | {"error": None, "refusal": False}) == (
        "finish reason length",
        FailureTier.TRUNCATED,
    )
    assert classify_failure(verdict="wrong", finish_reason="stop") == ("wrong", FailureTier.CONTENT)
    assert classify_failure(finish_reason="stop") == (None, None)
    assert classify_failure() == (None, None)


@pytest.mark.parametrize(
    "reason",
    ["length", "max_tokens", "content_filter", "refusal", "model_context_window_exceeded", "pause_turn", "MAX_TOKENS",
     "SAFETY", "max_output_tokens"],
)  # fmt: skip
def test_an_answer_is_cut_by_its_finish_reason(reason: str) -> None:
    assert classify_failure(finish_reason=reason) == (f"finish reason {reason}", FailureTier.TRUNCATED)


def test_the_finish_reason_error_is_no_answer() -> None:
    assert classify_failure(finish_reason="error") == ("finish reason error", FailureTier.TRANSPORT)


@pytest.mark.parametrize(
    ("value", "read"),
    [(True, True), (0, False), ("TRUE", True), (" no ", False), ("failed", False), ("ok", True), (1.0, True),
     ("maybe", None), ("", None), (None, None), (7, None), ([], None)],
)  # fmt: skip
def test_truth(value: Any, read: bool | None) -> None:
    assert parse_truth(value) is read


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"format": [0]}, "score format 0"),
        ({"correctness": 0.25}, "score correctness 0.25"),
        ({"correctness": 0.5}, None),
        ({"rating": 4}, None),
        ({"rating": -1}, "score rating -1"),
        ({"right": False}, "score right False"),
        ({"verdict": "incorrect"}, "score verdict incorrect"),
        ({"verdict": "some words"}, None),
        ({"toxicity": 0, "hallucination": 0.1, "latency": 0}, None),
        ({"fine": 1, "format": [1, 0]}, "score format 0"),
        ({"none": None}, None),
        ({}, None),
        ([1], None),
    ],
)
def test_low_scores(scores: Any, said: str | None) -> None:
    assert find_low_score(iterate_scores(scores)) == said
