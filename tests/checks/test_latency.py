from __future__ import annotations

import pytest

from promptbench.core.types import CallFacts, Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "most"), [("800 ms", 800), ("2 s", 2000), ("0.5s", 500), (750, 750), ("1 min", 60_000)]
)
def test_at_most(argument: Json, most: float) -> None:
    for written in (argument, {"at most": argument}):
        assert score("latency", written, "x", call=CallFacts(latency_ms=most)).passed
        assert not score("latency", written, "x", call=CallFacts(latency_ms=most + 1)).passed


def test_says_how_long_it_took() -> None:
    result = score("latency", "2 s", "x", call=CallFacts(latency_ms=2500))
    assert result.reason == "time: expected at most 2 s, got 2.5 s"


def test_an_unknown_time_fails_and_a_text_without_a_call_passes() -> None:
    assert score("latency", "2 s", "x", call=CallFacts()).reason == "time is unknown, so it cannot be checked"
    assert score("latency", "2 s", "x").passed


@pytest.mark.parametrize("argument", [None, "fast", "2 parsecs", 0, -1, "-1 s", {}, []])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"time|number"):
        score("latency", argument, "x")
