from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise

import numpy
import pytest
from hypothesis import given, settings, strategies as st

from promptbench.metrics.latency import ENOUGH, Latency, TokenTimes, by_tokens, quantile

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


def _edges(buckets: Sequence[TokenTimes]) -> list[tuple[int, int, int]]:
    return [(bucket.least, bucket.most, bucket.calls) for bucket in buckets]


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
    assert (found[1].p50_ms, found[1].deviation_ms) == (2.5, 0.5)


def test_no_known_tokens_no_buckets() -> None:
    assert by_tokens([], []) == []
    assert by_tokens([1.0, 2.0], [-1, -1]) == []


def test_a_time_without_tokens_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        by_tokens([1.0, 2.0], [5])


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(-1, 10**6)), max_size=80))
def test_every_call_of_known_tokens_is_in_one_bucket(calls: list[tuple[float, int]]) -> None:
    found = by_tokens([time for time, _ in calls], [tokens for _, tokens in calls])
    assert sum(bucket.calls for bucket in found) == sum(tokens >= 0 for _, tokens in calls)
    assert all(before.most < after.least for before, after in pairwise(found))
    for bucket in found:
        inside = [time for time, tokens in calls if bucket.least <= tokens <= bucket.most]
        latency = Latency.of(inside)
        assert latency is not None
        figures = (bucket.p50_ms, bucket.p90_ms, bucket.p99_ms, bucket.deviation_ms)
        assert (latency.p50, latency.p90, latency.p99, latency.deviation) == figures
        assert (bucket.calls, bucket.few) == (latency.count, latency.count < ENOUGH)
