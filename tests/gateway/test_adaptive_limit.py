from __future__ import annotations

from promptbench.gateway.model_state import AdaptiveLimit


def rounds(limit: AdaptiveLimit, count: int, now: float = 0.0) -> list[int]:
    found = []
    for _ in range(count):
        for _ in range(limit.size):
            limit.answered(now)
        found.append(limit.size)
    return found


def test_it_doubles_until_the_first_limit() -> None:
    limit = AdaptiveLimit(100)
    assert limit.size == 20
    assert rounds(limit, 3) == [40, 80, 100]


def test_one_cut_an_episode_then_slow_growth() -> None:
    limit = AdaptiveLimit(100)
    rounds(limit, 3)
    for second in (0.0, 0.1, 14.9):
        limit.rate_limited(second, None)
    assert limit.size == 80
    assert rounds(limit, 2, now=10.0) == [80, 80], "no growth before the server had its rest"
    assert rounds(limit, 3, now=16.0) == [84, 88, 92]
    limit.rate_limited(20.0, 60.0)
    limit.rate_limited(40.0, None)
    assert limit.size == 73
    assert rounds(limit, 1, now=79.0) == [73]
    assert rounds(limit, 1, now=81.0) == [76]


def test_never_below_ten_unless_the_provider_is_narrower() -> None:
    limit, narrow = AdaptiveLimit(50), AdaptiveLimit(4)
    for episode in range(20):
        limit.rate_limited(episode * 100.0, None)
        narrow.rate_limited(episode * 100.0, None)
    assert (limit.size, narrow.size) == (10, 4)


def test_trouble_pauses_growth_and_cuts_nothing() -> None:
    limit = AdaptiveLimit(100)
    for _ in range(19):
        limit.answered(0.0)
    limit.failed()
    for _ in range(19):
        limit.answered(0.0)
    assert limit.size == 20
    limit.answered(0.0)
    assert limit.size == 40
