from __future__ import annotations

import json
from typing import Any

import pytest

from promptbench.gate.policy import Policy, TagPolicy

OLD = {
    "margin": "auto",
    "repeats": 3,
    "fixed": "any",
    "format_floor": 0.95,
    "answer_floor": 0.8,
    "max_age": 7.0,
}
"""The policy of a run or a proof before there were tags and ratios."""


def test_what_came_later_is_there_where_it_is_set() -> None:
    assert Policy().as_dict() == OLD
    assert Policy.of(OLD) == Policy()


def test_comes_back_from_json() -> None:
    policy = Policy(
        margin=0.05, tags={"a": TagPolicy(0.9, 0.1), "b": TagPolicy(margin=0.2)}, cost_ratio=1.2, latency_ratio=2.0
    )
    assert Policy.of(json.loads(json.dumps(policy.as_dict()))) == policy


@pytest.mark.parametrize(
    "data",
    [
        {"margin": 0.0},
        {"margin": 1e-300},
        {"margin": 1.0},
        {"margin": "5%"},
        {"margin": float("nan")},
        {"margin": True},
        {"tags": {"a": {"margin": -1.0}}},
        {"tags": {"a": {"margin": "auto"}}},
    ],
)
def test_what_is_no_margin(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        Policy.of({**OLD, **data})


def test_a_field_of_a_later_version_is_refused() -> None:
    with pytest.raises(TypeError):
        Policy.of({**OLD, "later": 1})
