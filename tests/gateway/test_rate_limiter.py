from __future__ import annotations

import random

import pytest

from promptbench.core.types import Usage
from promptbench.gateway import RateLimiter
from promptbench.gateway.headers import Announced

NONE = Usage(0, 0)


def times_of(
    limiter: RateLimiter, count: int, usage: Usage = NONE, late: float = 0.0, start: float = 0.0
) -> list[float]:
    """When requests that are all there at once go, each waking up to `late` seconds too late."""
    draw = random.Random(1)
    times: list[float] = []
    for _ in range(count):
        now = start
        delay = limiter.reserve(usage, now)
        while True:
            now = max(now + delay + draw.random() * late, times[-1] if times else now)
            if (delay := limiter.leave(now)) <= 0:
                break
        limiter.sent(now)
        times.append(now)
    return times


def most_in_a_second(times: list[float]) -> int:
    return max(sum(start <= time < start + 1 for time in times) for start in times)


@pytest.mark.parametrize("per_minute", [30, 60, 300, 600, 6000, 15000])
@pytest.mark.parametrize("late", [0.0, 0.01])
def test_no_second_holds_more_than_its_share(per_minute: int, late: float) -> None:
    count = max(5, per_minute // 10)
    times = times_of(RateLimiter({"requests": per_minute}), count, late=late)
    assert most_in_a_second(times) <= max(1, per_minute / 60)
    floor = (count - 1) * 60 / per_minute
    assert floor <= times[-1] <= 1.3 * floor + 0.1


def test_without_a_limit_nothing_waits() -> None:
    assert times_of(RateLimiter(), 100) == [0.0] * 100


def test_those_who_were_all_held_up_do_not_go_at_once() -> None:
    limiter = RateLimiter({"requests": 600})
    for _ in range(50):
        limiter.reserve(NONE, 0.0)
    # The process was stopped for ten seconds.
    gone = sum(limiter.leave(10.0) == 0 for _ in range(50))
    assert gone == 10
    assert 0.9 < limiter.leave(10.0) < 1.1
    for _ in range(gone):
        limiter.sent(10.4)
    assert limiter.leave(11.2) > 0, "they really went at 10.4"
    assert limiter.leave(11.5) == 0


def test_what_went_before_the_limit_was_known_counts() -> None:
    limiter = RateLimiter()
    assert times_of(limiter, 20) == [0.0] * 20
    limiter.announce(Announced({"requests": 600.0}), 0.2)
    assert limiter.reserve(NONE, 0.2) == pytest.approx(20 * 0.1 / 0.95 - 0.2)


def test_tokens_are_booked_and_given_back() -> None:
    limiter = RateLimiter({"tokens": 60_000})
    expected = Usage(600, 350)
    assert limiter.reserve(expected, 0.0) == 0.0
    assert limiter.reserve(expected, 0.0) == pytest.approx(1.0, abs=0.03)
    limiter.settle(expected, Usage(600, 350 - 475))
    assert limiter.reserve(expected, 0.0) == pytest.approx(1.5, abs=0.03)


def test_the_lower_of_both_limits_holds() -> None:
    limiter = RateLimiter({"requests": 60})
    limiter.announce(Announced({"requests": 6000.0}), 0.0)
    assert most_in_a_second(times_of(limiter, 5)) == 1
    limiter.announce(Announced({"requests": 30.0}), 100.0)
    times = times_of(limiter, 3, start=100.0)
    assert times[2] - times[1] > 1.9


def test_when_nothing_is_left_all_wait() -> None:
    limiter = RateLimiter()
    limiter.announce(Announced({"requests": 600.0}, wait=5.0), 0.0)
    assert limiter.leave(1.0) == pytest.approx(4.0)
    limiter.announce(Announced(wait=86_400.0), 0.0)
    assert limiter.leave(1.0) == pytest.approx(59.0), "a minute is waited for, no day"
