from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given, strategies as st
from scipy import stats

from promptbench.stats.quantiles import Interval, deviation_interval, quantile_interval, rank_bounds, ratio_interval

Draw = Callable[[Random], float]

DISTRIBUTIONS: dict[str, Draw] = {
    "log-normal": lambda random: math.exp(random.gauss(0, 0.5)),
    "bimodal": lambda random: random.gauss(1, 0.1) if random.random() < 0.7 else random.gauss(3, 0.3),
    "stalls": lambda random: math.exp(random.gauss(0, 0.2)) + 20 * (random.random() < 0.01),
}


@given(st.integers(1, 3000), st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.sampled_from([0.9, 0.95, 0.99]))
def test_ranks_are_those_of_the_binomial_distribution(count: int, share: float, confidence: float) -> None:
    each = (1 - confidence) / 2
    below = stats.binom(count, share)
    low, high = rank_bounds(count, share, confidence)
    slack = 1e-9
    if low is None:
        assert below.cdf(0) > each - slack
    else:
        assert below.cdf(low - 1) <= each + slack
        assert low == count or below.cdf(low) > each - slack
    if high is None:
        assert below.sf(count - 1) > each - slack
    else:
        assert below.sf(high - 1) <= each + slack
        assert high == 1 or below.sf(high - 2) > each - slack


@pytest.mark.parametrize(
    ("count", "share", "bounds"),
    [
        (1, 0.5, (None, None)),
        (5, 0.5, (None, None)),
        (6, 0.5, (1, 6)),
        (100, 0.5, (40, 61)),  # the table in Conover, and in most textbooks
        (367, 0.99, (359, None)),
        (368, 0.99, (360, 368)),
    ],
)
def test_ranks_that_are_known(count: int, share: float, bounds: tuple[int | None, int | None]) -> None:
    assert rank_bounds(count, share) == bounds


def test_the_interval_has_its_figure_in_it() -> None:
    ordered = [float(n) for n in range(1, 101)]
    assert quantile_interval(ordered, 50.5, 0.5) == Interval(50.5, 40.0, 61.0)
    assert quantile_interval(ordered, 99.01, 0.99) == Interval(99.01, 97.0, None)


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_intervals_hold_the_truth_as_often_as_they_promise(name: str) -> None:
    """150 samples of 400: at 95 % fewer than 133 are expected in one of 3,000 tests."""
    draw, random = DISTRIBUTIONS[name], Random(11)
    large = sorted(draw(random) for _ in range(60_000))
    deviation = statistics.pstdev(large)
    true = {share: large[int(share * len(large))] for share in (0.5, 0.9, 0.99)}
    hits, spreads = dict.fromkeys(true, 0), 0
    for _ in range(150):
        sample = sorted(draw(random) for _ in range(400))
        for share, value in true.items():
            hits[share] += _holds(quantile_interval(sample, sample[int(share * 400)], share), value)
        spreads += _holds(deviation_interval(sample, statistics.pstdev(sample)), deviation)
    assert min(hits.values()) >= 133
    assert spreads >= 130


def test_a_ratio_of_medians_holds_the_truth_as_often_as_it_promises() -> None:
    random, hits = Random(3), 0
    for _ in range(150):
        fast, slow = (sorted(scale * math.exp(random.gauss(0, 0.5)) for _ in range(100)) for scale in (1, 3))
        ratio = ratio_interval(_median(slow), _median(fast))
        assert ratio is not None
        hits += _holds(ratio, 3.0)
    assert hits >= 133


def test_a_ratio_by_hand() -> None:
    ratio = ratio_interval(Interval(4.0, 2.0, 8.0), Interval(1.0, 1.0, 1.0))
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((4.0, 2.0, 8.0))
    assert ratio_interval(Interval(4.0, 2.0, None), Interval(1.0, 1.0, 1.0)) == Interval(4.0, pytest.approx(2.0), None)
    assert ratio_interval(Interval(4.0, 2.0, 8.0), Interval(0.0, 0.0, 1.0)) is None


@given(st.lists(st.floats(0.001, 1e6), min_size=10, max_size=80))
def test_the_interval_of_a_deviation_is_one(values: list[float]) -> None:
    found = deviation_interval(values, statistics.pstdev(values))
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.high


def test_the_interval_of_a_deviation_is_bonetts() -> None:
    """Worked out from the formula with numpy and scipy."""
    import numpy

    random = Random(5)
    values = [random.expovariate(1) for _ in range(50)]
    z = stats.norm.ppf(0.975)
    middle = stats.trim_mean(values, 1 / (2 * math.sqrt(46)))
    kurtosis = 50 * sum((x - middle) ** 4 for x in values) / sum((x - numpy.mean(values)) ** 2 for x in values) ** 2
    c = 50 / (50 - z)
    error = c * math.sqrt((kurtosis - 47 / 50) / 49)
    bounds = [math.exp((math.log(c * numpy.var(values, ddof=1)) + sign * z * error) / 2) for sign in (-1, 1)]
    found = deviation_interval(values, 1.0)
    assert [found.low, found.high] == pytest.approx(bounds)


def test_too_few_values_for_a_deviation_and_equal_ones() -> None:
    assert deviation_interval([1.0, 2.0, 4.0], 1.2) == Interval(1.2, None, None)
    assert deviation_interval([3.0] * 20, 0.0) == Interval(0.0, 0.0, 0.0)


def _median(ordered: Sequence[float]) -> Interval:
    return quantile_interval(ordered, statistics.median(ordered), 0.5)


def _holds(interval: Interval, value: float) -> bool:
    low, high = interval.low, interval.high
    return (low is None or low <= value) and (high is None or value <= high)
