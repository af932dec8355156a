"""What enters the times of a report, and what is said of a queue."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from promptbench.core.types import Answer, Attempt, AttemptKey, Outcome, Usage
from promptbench.workflows.judge.figures.latency import Timing, longer_wait
from promptbench.workflows.judge.run_tally import Tally

KEY = AttemptKey("v", "openai/m", "case", 0)


def attempt(
    ms: float = 100.0, *, first_byte: float | None = None, tokens: Usage | None = None, **changes: Any
) -> Attempt:
    answer = Answer("{}", "m", usage=tokens, provider_ms=ms, first_byte_ms=first_byte)
    return replace(Attempt(KEY, Outcome.PASSED, "sha256:0", answer=answer), **changes)


def timing(*attempts: Attempt) -> Timing:
    made = Tally()
    for item in attempts:
        made.add(item)
    return made.timing


def test_nothing_has_no_times() -> None:
    figures = timing().figures()
    assert (figures["timed"], figures["p50_ms"], figures["queue_p99_ms"], figures["by_input_tokens"]) == (
        0,
        None,
        None,
        [],
    )


def test_the_figures_of_calls() -> None:
    calls = [attempt(100.0 * n, first_byte=10.0 * n, tokens=Usage(300, 20 * n), queue_ms=n) for n in range(1, 5)]
    figures = timing(*calls).figures()
    assert (figures["timed"], figures["few"]) == (4, True)
    assert (figures["p50_ms"], figures["mean_ms"], figures["first_byte_p50_ms"]) == (250.0, 250.0, 25.0)
    assert figures["p90_ms"] == pytest.approx(370.0)
    assert figures["queue_p99_ms"] == pytest.approx(3.97)
    assert [(size.least, size.most, size.calls) for size in figures["by_input_tokens"]] == [(256, 511, 4)]
    assert [(size.least, size.most, size.calls) for size in figures["by_output_tokens"]] == [
        (16, 31, 1),
        (32, 63, 2),
        (64, 127, 1),
    ]


@pytest.mark.parametrize(
    "kept",
    [
        attempt(9.0, answer=Answer("{}", "m", provider_ms=9.0, recorded=True)),
        attempt(9.0, tries=0),
        attempt(9.0, answer=None, outcome=Outcome.ERRORED),
    ],
    ids=["recorded", "cached", "errored"],
)
def test_what_was_not_asked_now_has_no_time(kept: Attempt) -> None:
    assert timing(attempt(), kept, attempt()).figures()["timed"] == 2


def test_a_call_of_unknown_size_and_one_without_a_network_count_where_they_can() -> None:
    figures = timing(attempt(tokens=Usage(20, 20), first_byte=5.0), attempt()).figures()
    assert figures["timed"] == 2
    assert figures["first_byte_p50_ms"] == 5.0
    assert [size.calls for size in figures["by_output_tokens"]] == [1]


def test_a_hundred_thousand_calls_take_a_few_megabytes() -> None:
    made = timing(*[attempt(first_byte=5.0, tokens=Usage(300, 20))] * 100_000)
    arrays = (made.provider, made.queue, made.first_byte, made.input_tokens, made.output_tokens)
    assert sum(map(sys.getsizeof, arrays)) < 6_000_000
    assert made.figures()["few"] is False


def waiting(calls: int = 120, **parts: float) -> Timing:
    return timing(*[attempt(1200.0, queue_ms=4100.0, **parts) for _ in range(calls)])


def test_a_queue_that_takes_longer_than_the_model_is_said_in_one_sentence() -> None:
    said = longer_wait("openai/m", [waiting(limit_ms=4000.0), waiting(limit_ms=3900.0, backoff_ms=100.0)])
    assert said == (
        "openai/m: waiting in the queue took longer than the model: p99 queue 4.1 s, model 1.2 s; most of it for a "
        "rate limit: raise it, or make fewer calls"
    )


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"backoff_ms": 3000.0, "limit_ms": 900.0}, "between retries"),
        ({}, "for a free slot"),
        ({"limit_ms": 3000.0}, "for a rate limit"),
    ],
)
def test_it_says_what_was_waited_for(parts: dict[str, float], why: str) -> None:
    assert f"most of it {why}" in (longer_wait("openai/m", [waiting(**parts)]) or "")


@pytest.mark.parametrize(
    "calls",
    [
        [],
        [attempt(1200.0, queue_ms=1100.0, limit_ms=1100.0)] * 120,
        [attempt(0.02, queue_ms=400.0, limit_ms=400.0)] * 120,
        [attempt(1200.0, queue_ms=4100.0)] * 99,
        [attempt(1200.0, queue_ms=4100.0)] * 50 + [attempt(1200.0)] * 70,
    ],
    ids=["none", "shorter", "under-a-second", "start-of-a-small-run", "start-of-a-run"],
)
def test_nothing_is_said_where_it_would_be_noise(calls: list[Attempt]) -> None:
    assert longer_wait("openai/m", [timing(*calls)]) is None
