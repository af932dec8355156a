from __future__ import annotations

import statistics

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptbench.metrics.latency import Latency, quantile

_times = st.lists(st.floats(0, 1e7), min_size=1, max_size=60)


def test_no_calls() -> None:
    assert Latency.of([]) is None


def test_one_call() -> None:
    assert Latency.of([12.5]) == Latency(1, 12.5, 12.5, 12.5, 0.0)


def test_by_hand() -> None:
    latency = Latency.of([40.0, 10.0, 20.0, 30.0])
    assert latency is not None
    assert (latency.count, latency.p50, latency.mean) == (4, 25.0, 25.0)
    assert latency.p99 == pytest.approx(39.7)
    assert latency.deviation == pytest.approx(11.18, abs=0.01)


@settings(deadline=None)
@given(_times)
def test_figures_are_numpys(times: list[float]) -> None:
    latency = Latency.of(times)
    assert latency is not None
    assert latency.p50 == pytest.approx(numpy.quantile(times, 0.5))
    assert latency.p99 == pytest.approx(numpy.quantile(times, 0.99))
    assert latency.mean == pytest.approx(statistics.fmean(times))
    assert latency.deviation == pytest.approx(numpy.std(times), abs=1e-6)


@settings(deadline=None)
@given(_times, st.floats(0, 1))
def test_a_quantile_is_within(times: list[float], share: float) -> None:
    ordered = sorted(times)
    assert ordered[0] <= quantile(ordered, share) * (1 + 1e-12)
    assert quantile(ordered, share) <= ordered[-1] * (1 + 1e-12)
