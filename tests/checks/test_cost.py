from __future__ import annotations

import pytest

from promptbench.core.types import CallFacts, Json
from tests.helpers.subjects import score


@pytest.mark.parametrize("argument", ["$0.002", "0.002", 0.002, {"at most": "$ 0.002"}])
def test_at_most(argument: Json) -> None:
    assert score("cost", argument, "x", call=CallFacts(cost=0.002)).passed
    result = score("cost", argument, "x", call=CallFacts(cost=0.0021))
    assert result.reason == "cost: expected at most $0.002, got $0.0021"


def test_an_unknown_cost_fails_and_a_text_without_a_call_passes() -> None:
    assert score("cost", 1, "x", call=CallFacts()).reason == "cost is unknown, so it cannot be checked"
    assert score("cost", 1, "x").passed


@pytest.mark.parametrize("argument", [None, "cheap", "€1", -1, {}])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"number|negative"):
        score("cost", argument, "x")
