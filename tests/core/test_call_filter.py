from __future__ import annotations

from datetime import UTC, datetime

import pytest

from promptbench.core.call_filter import CallFilter, Condition, parse_since
from promptbench.core.types import FailureTier, LoggedCall, Usage

CALL = LoggedCall(
    id="c1",
    answer="It is LATE",
    model="openai/gpt-5-mini",
    time="2026-11-10T12:00:00Z",
    variables={"message": "hi", "n": 3},
    usage=Usage(200, 10),
    latency_ms=900.5,
    tags=("eu", "prod"),
    tier=FailureTier.CONTENT,
    extra={"team": "north"},
    raw={"metadata": {"customer": "acme", "paid": True, "a.b": 1}, "scores": [{"value": 0.2}, {"value": 0.9}]},
)


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        ("metadata.customer=acme", True),
        ("metadata.customer = acme ", True),
        ("metadata.customer!=acme", False),
        ("metadata.customer=Acme", False),
        ("metadata.nothing=acme", False),
        ("metadata.nothing!=acme", True),
        ("metadata.paid=true", True),
        ("metadata.a.b=1", True),
        ("answer~late", True),
        ("answer~early", False),
        ("latency_ms>900", True),
        ("latency_ms<=900", False),
        ("vars.n>=3", True),
        ("vars.message=hi", True),
        ("usage.input_tokens=200", True),
        ("tags=eu", True),
        ("tags=us", False),
        ("scores.value>0.5", True),
        ("scores.value>0.95", False),
        ("team=north", True),
        ("tier=content", True),
        ("metadata.customer>1", False),
    ],
)
def test_conditions(written: str, holds: bool) -> None:
    assert Condition.parse(written).holds(CALL) is holds
    assert CallFilter(conditions=(Condition.parse(written),)).matches(CALL) is holds


@pytest.mark.parametrize("written", ["", "team", "=x", "latency_ms>fast"])
def test_what_is_no_condition(written: str) -> None:
    with pytest.raises(ValueError, match=r"expected a comparison|compares numbers"):
        Condition.parse(written)


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (CallFilter(), True),
        (CallFilter(failed=True), True),
        (CallFilter(tiers=frozenset({FailureTier.TRUNCATED})), False),
        (CallFilter(models=("gpt-5*",)), True),
        (CallFilter(models=("openai/*",)), True),
        (CallFilter(models=("claude*", "anthropic/*")), False),
        (CallFilter(since=datetime(2026, 11, 10, tzinfo=UTC)), True),
        (CallFilter(since=datetime(2026, 11, 11, tzinfo=UTC)), False),
    ],
)
def test_filters(wanted: CallFilter, matches: bool) -> None:
    assert wanted.matches(CALL) is matches
    assert bool(wanted) is (wanted != CallFilter())


@pytest.mark.parametrize("time", [None, "", "yesterday"])
def test_a_call_without_a_time_is_not_known_to_be_new(time: str | None) -> None:
    assert not CallFilter(since=datetime(2020, 1, 1, tzinfo=UTC)).matches(LoggedCall("c", None, time=time))


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T12:00+02:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 17, tzinfo=UTC)),
        ("24 H", datetime(2026, 11, 23, tzinfo=UTC)),
    ],
)
def test_since(written: str, found: datetime) -> None:
    assert parse_since(written, datetime(2026, 11, 24, tzinfo=UTC)) == found


@pytest.mark.parametrize("written", ["", "soon", "7", "9999999999w", "2026-13-01"])
def test_what_is_no_time(written: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_since(written)
