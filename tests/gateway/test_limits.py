from __future__ import annotations

import random

import pytest

from promptbench.core.types import Usage
from promptbench.gateway import Pacer
from promptbench.gateway.headers import Announced

NONE = Usage(0, 0)


def times_of(pacer: Pacer, count: int, usage: Usage = NONE, late: float = 0.0, start: float = 0.0) -> list[float]:
    """When requests that are all there at once go, each waking up to `late` seconds too late."""
    draw = random.Random(1)
    times: list[float] = []
    for _ in range(count):
        now = start
        delay = pacer.reserve(usage, now)
        while True:
            now = max(now + delay + draw.random() * late, times[-1] if times else now)
            if (delay := pacer.leave(now)) <= 0:
                break
        pacer.left(now)
        times.append(now)
    return times


def most_in_a_second(times: list[float]) -> int:
    return max(sum(start <= time < start + 1 for time in times) for start in times)


@pytest.mark.parametrize("per_minute", [30, 60, 300, 600, 6000, 15000])
@pytest.mark.parametrize("late", [0.0, 0.01])
def test_no_second_holds_more_than_its_share(per_minute: int, late: float) -> None:
    count = max(5, per_minute // 10)
    times = times_of(Pacer({"requests": per_minute}), count, late=late)
    assert most_in_a_second(times) <= max(1, per_minute / 60)
    floor = (count - 1) * 60 / per_minute
    assert floor <= times[-1] <= 1.3 * floor + 0.1


def test_without_a_limit_nothing_waits() -> None:
    assert times_of(Pacer(), 100) == [0.0] * 100


def test_those_who_were_all_held_up_do_not_go_at_once() -> None:
    pacer = Pacer({"requests": 600})
    for _ in range(50):
        pacer.reserve(NONE, 0.0)
    # The process was stopped for ten seconds.
    gone = sum(pacer.leave(10.0) == 0 for _ in range(50))
    assert gone == 10
    assert 0.9 < pacer.leave(10.0) < 1.1
    for _ in range(gone):
        pacer.left(10.4)
    assert pacer.leave(11.2) > 0, "they really went at 10.4"
    assert pacer.leave(11.5) == 0


def test_what_went_before_the_limit_was_known_counts() -> None:
    pacer = Pacer()
    assert times_of(pacer, 20) == [0.0] * 20
    pacer.announce(Announced({"requests": 600.0}), 0.2)
    assert pacer.reserve(NONE, 0.2) == pytest.approx(20 * 0.1 / 0.95 - 0.2)


def test_tokens_are_booked_and_given_back() -> None:
    pacer = Pacer({"tokens": 60_000})
    assert pacer.counts_tokens
    expected = Usage(600, 350)
    assert pacer.reserve(expected, 0.0) == 0.0
    assert pacer.reserve(expected, 0.0) == pytest.approx(1.0, abs=0.03)
    pacer.settle(expected, Usage(600, 350 - 475))
    assert pacer.reserve(expected, 0.0) == pytest.approx(1.5, abs=0.03)


def test_the_lower_of_both_limits_holds() -> None:
    pacer = Pacer({"requests": 60})
    pacer.announce(Announced({"requests": 6000.0}), 0.0)
    assert most_in_a_second(times_of(pacer, 5)) == 1
    pacer.announce(Announced({"requests": 30.0}), 100.0)
    times = times_of(pacer, 3, start=100.0)
    assert times[2] - times[1] > 1.9


def test_when_nothing_is_left_all_wait() -> None:
    pacer = Pacer()
    pacer.announce(Announced({"requests": 600.0}, wait=5.0), 0.0)
    assert pacer.leave(1.0) == pytest.approx(4.0)
    pacer.announce(Announced(wait=86_400.0), 0.0)
    assert pacer.leave(1.0) == pytest.approx(59.0), "a minute is waited for, no day"
