from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from promptbench.core.call_filter import CallFilter
from promptbench.core.errors import InputError
from promptbench.core.types import FailureTier, LoggedCall, Message, Usage
from promptbench.store.calls import BATCH, CallStore
from promptbench.store.runs import RunStore

FULL = LoggedCall(
    id="c1",
    answer="a\ud800",
    model="openai/gpt",
    time="2026-11-24T10:00:00Z",
    variables={"m": "ü"},
    messages=(Message("system", "s"), Message("user", "u")),
    prompt="triage",
    prompt_version="7",
    error="e",
    finish_reason="length",
    usage=Usage(1, 2, 3, 4),
    latency_ms=1.5,
    failed="parse",
    tags=("a", "b"),
    extra={"x": [1]},
    tier=FailureTier.TRUNCATED,
    format="other",
    expected={"team": None},
    cost=0.1,
    raw={"b": 1, "a": "ü"},
)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(tmp_path) as store:
        yield store


@pytest.fixture
def calls(runs: RunStore) -> CallStore:
    return runs.calls()


def many(count: int) -> Iterator[LoggedCall]:
    return (LoggedCall(str(index), "x", format="f", raw={"n": index}) for index in range(count))


def test_a_call_comes_back_as_it_was(calls: CallStore) -> None:
    assert calls.add([FULL, LoggedCall("c2", None)], "log.jsonl") == 2
    first, second = calls.find()
    assert first.call == replace(FULL, answer="a?")
    assert first.source == "log.jsonl"
    assert second.call == LoggedCall("c2", None)


def test_the_same_call_is_kept_once(calls: CallStore) -> None:
    assert calls.add([FULL, FULL], "a") == 1
    assert calls.add([FULL, replace(FULL, raw={"a": "ü", "b": 1})], "b") == 0
    assert calls.known([FULL, LoggedCall("c2", None)]) == 1
    assert calls.add([replace(FULL, answer="other"), replace(FULL, format="more"), replace(FULL, raw={})], "c") == 3
    assert len(calls) == 4


def test_many_are_committed_in_batches(calls: CallStore, tmp_path: Path) -> None:
    def breaking() -> Iterator[LoggedCall]:
        yield from many(2 * BATCH + 10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calls.add(breaking(), "log")
    with RunStore(tmp_path) as other:
        assert len(other.calls()) == 2 * BATCH
    assert calls.add(many(2 * BATCH + 10), "log") == 10


def test_what_json_cannot_hold(calls: CallStore) -> None:
    odd = {"n": float("nan"), "b": b"\xff", "d": date(2026, 11, 24), 1: ["x", float("inf")]}
    calls.add([LoggedCall("1", None, raw=odd, extra=odd)], "log")
    [kept] = calls.find()
    assert kept.call.raw == kept.call.extra == {"n": None, "b": "\ufffd", "d": "2026-11-24", "1": ["x", None]}


def test_find_with_a_filter(calls: CallStore) -> None:
    calls.add([FULL, replace(FULL, id="ok", tier=None), replace(FULL, id="m", model="other")], "log")
    assert [kept.call.id for kept in calls.find(CallFilter(failed=True))] == ["c1", "m"]
    assert [kept.call.id for kept in calls.find(CallFilter(models=("other",)))] == ["m"]


def test_get_by_id_by_its_beginning_and_by_the_logs_own(calls: CallStore) -> None:
    calls.add([FULL, replace(FULL, id="c2"), replace(FULL, id="c2", answer="x")], "log")
    first = next(calls.find())
    assert calls.get(first.id) == calls.get(first.id[:8]) == calls.get("c1") == first
    with pytest.raises(InputError, match="matches several"):
        calls.get("c2")
    with pytest.raises(InputError, match="not found"):
        calls.get(first.id[:3])


def test_columns_for_other_tools(calls: CallStore, tmp_path: Path) -> None:
    calls.add([FULL], "log")
    with sqlite3.connect(tmp_path / "runs.sqlite") as database:
        row = database.execute("SELECT tier, input_tokens, json_extract(variables, '$.m') FROM logged_call").fetchone()
    database.close()
    assert row == ("cut", 1, "ü")
