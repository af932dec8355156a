from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, strategies as st

from promptbench.workflows.measure.bench import Arrivals, Due, Load, schedule

LOADS = [
    Load(Arrivals.CLOSED, concurrency=3),
    Load(Arrivals.CONSTANT, rate=10),
    Load(Arrivals.POISSON, rate=10),
]


def made(load: Load, models: int, calls: int, seed: int = 1) -> list[Due]:
    return list(schedule(load, models, calls, Random(seed)))


@given(st.sampled_from(LOADS), st.integers(1, 4), st.integers(1, 30), st.integers(0, 9))
def test_each_model_gets_its_calls_in_order(load: Load, models: int, calls: int, seed: int) -> None:
    found = made(load, models, calls, seed)
    for model in range(models):
        assert [due.number for due in found if due.model == model] == list(range(calls))
    times = [due.at for due in found]
    assert times == sorted(time for time in times if time is not None) if load.open else set(times) == {None}
    assert found == made(load, models, calls, seed)


def test_closed_rounds_ask_each_model_once_and_none_first_always() -> None:
    found = made(LOADS[0], 2, 200)
    rounds = [(found[at].model, found[at + 1].model) for at in range(0, 400, 2)]
    counts = Counter(rounds)
    assert set(counts) == {(0, 1), (1, 0)}
    assert 70 < counts[0, 1] < 130


def test_constant_arrivals_stand_evenly_between_each_other() -> None:
    found = made(Load(Arrivals.CONSTANT, rate=10), 2, 3)
    assert [(due.model, due.at) for due in found] == [
        (model, pytest.approx(at)) for model, at in [(0, 0.0), (1, 0.05), (0, 0.1), (1, 0.15), (0, 0.2), (1, 0.25)]
    ]


def test_poisson_arrivals_have_their_rate_and_no_memory() -> None:
    times = [due.at or 0.0 for due in made(Load(Arrivals.POISSON, rate=50), 1, 5000)]
    gaps = [after - before for before, after in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(1 / 50, rel=0.06)
    # Of exponential gaps the share that is longer than the mean is 1/e.
    assert sum(gap > mean for gap in gaps) / len(gaps) == pytest.approx(1 / math.e, abs=0.03)
