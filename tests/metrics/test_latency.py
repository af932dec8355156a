from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptbench.metrics.latency import ENOUGH, Latency, TokenBucket, by_tokens, quantile

DATA = Path(__file__).parents[2].parent / "shared" / "data"

_times = st.lists(st.floats(0, 1e7), min_size=1, max_size=60)


def test_no_calls() -> None:
    assert Latency.of([]) is None


def test_one_call() -> None:
    assert Latency.of([12.5]) == Latency(1, 12.5, 12.5, 12.5, 12.5, 0.0)


def test_by_hand() -> None:
    latency = Latency.of([40.0, 10.0, 20.0, 30.0])
    assert latency is not None
    assert (latency.count, latency.p50, latency.mean) == (4, 25.0, 25.0)
    assert latency.p90 == pytest.approx(37.0)
    assert latency.p99 == pytest.approx(39.7)
    assert latency.deviation == pytest.approx(11.18, abs=0.01)


@settings(deadline=None)
@given(_times)
def test_figures_are_numpys(times: list[float]) -> None:
    latency = Latency.of(times)
    assert latency is not None
    assert latency.p50 == pytest.approx(numpy.quantile(times, 0.5))
    assert latency.p90 == pytest.approx(numpy.quantile(times, 0.9))
    assert latency.p99 == pytest.approx(numpy.quantile(times, 0.99))
    assert latency.mean == pytest.approx(statistics.fmean(times))
    assert latency.deviation == pytest.approx(numpy.std(times), abs=1e-6)


@settings(deadline=None)
@given(_times, st.floats(0, 1))
def test_a_quantile_is_within(times: list[float], share: float) -> None:
    ordered = sorted(times)
    assert ordered[0] <= quantile(ordered, share) * (1 + 1e-12)
    assert quantile(ordered, share) <= ordered[-1] * (1 + 1e-12)


@pytest.mark.parametrize(("calls", "told"), [(2, False), (ENOUGH - 1, False), (ENOUGH + 1, True), (1000, True)])
def test_of_fewer_calls_than_enough_p99_is_one_of_the_two_slowest(calls: int, told: bool) -> None:
    latency = Latency.of([float(n) for n in range(calls)])
    assert latency is not None
    assert (latency.p99 <= calls - 2) is told


def _edges(buckets: Sequence[TokenBucket]) -> list[tuple[int, int, int]]:
    return [(bucket.least, bucket.most, bucket.latency.count) for bucket in buckets]


def test_buckets_double() -> None:
    tokens = [0, 15, 16, 31, 32, 63, 64, 1000, 1024, 200_000, -1]
    found = by_tokens([float(n) for n in range(11)], tokens)
    assert _edges(found) == [
        (0, 15, 2),
        (16, 31, 2),
        (32, 63, 2),
        (64, 127, 1),
        (512, 1023, 1),
        (1024, 2047, 1),
        (131_072, 262_143, 1),
    ]
    assert found[1].latency == Latency.of([2.0, 3.0])


def test_no_known_tokens_no_buckets() -> None:
    assert by_tokens([], []) == []
    assert by_tokens([1.0, 2.0], [-1, -1]) == []


def test_a_time_without_tokens_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        by_tokens([1.0, 2.0], [5])


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(-1, 10**6)), max_size=80))
def test_every_call_of_known_tokens_is_in_one_bucket(calls: list[tuple[float, int]]) -> None:
    found = by_tokens([time for time, _ in calls], [tokens for _, tokens in calls])
    assert sum(bucket.latency.count for bucket in found) == sum(tokens >= 0 for _, tokens in calls)
    assert all(before.most < after.least for before, after in pairwise(found))
    for bucket in found:
        inside = [time for time, tokens in calls if bucket.least <= tokens <= bucket.most]
        assert Latency.of(inside) == bucket.latency


@pytest.mark.skipif(not (DATA / "bfcl_logs").exists(), reason="the BFCL logs are not on this machine")
@pytest.mark.parametrize(
    ("model", "whole", "by_output"),
    [
        (
            "claude-instant-1.2",
            "0.72 2.48 0.32",
            {15: "0.54 2.36", 31: "0.64 2.81", 63: "0.76 1.20", 127: "1.11 1.49"},
        ),
        ("gpt-3.5-turbo-0125", "0.60 2.25 0.33", {}),
    ],
)
def test_published_figures_of_bfcl(model: str, whole: str, by_output: dict[int, str]) -> None:
    with (DATA / "bfcl_logs" / f"{model}.jsonl").open() as lines:
        calls = [json.loads(line) for line in lines]
    times, tokens = [call["latency_s"] for call in calls], [call["output_tokens"] for call in calls]
    latency = Latency.of(times)
    assert latency is not None
    assert f"{latency.p50:.2f} {latency.p99:.2f} {latency.deviation:.2f}" == whole
    buckets = {bucket.most: bucket.latency for bucket in by_tokens(times, tokens)}
    for most, figures in by_output.items():
        assert f"{buckets[most].p50:.2f} {buckets[most].p99:.2f}" == figures


@pytest.mark.skipif(not (DATA / "llmperf_2023").exists(), reason="the LLMPerf data are not on this machine")
@pytest.mark.parametrize(
    ("host", "figures"),
    [
        ("anyscale", "2.26 3.71 0.46"),
        ("bedrock", "6.99 8.09 0.40"),
        ("fireworks", "3.77 4.49 0.27"),
        ("groq", "0.81 0.99 0.07"),
        ("lepton", "4.57 4.82 0.38"),
        ("perplexity", "4.97 5.84 0.65"),
        ("replicate", "12.37 74.95 12.25"),
        ("together", "2.44 3.53 0.28"),
    ],
)
def test_published_figures_of_llmperf(host: str, figures: str) -> None:
    calls = json.loads((DATA / "llmperf_2023" / f"{host}_70b.json").read_text())
    latency = Latency.of([call["end_to_end_latency_s"] for call in calls if call["error_code"] is None])
    assert latency is not None
    assert f"{latency.p50:.2f} {latency.p99:.2f} {latency.deviation:.2f}" == figures
