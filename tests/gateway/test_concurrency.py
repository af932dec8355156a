from __future__ import annotations

from promptbench.gateway.concurrency import Width


def rounds(width: Width, count: int, now: float = 0.0) -> list[int]:
    found = []
    for _ in range(count):
        for _ in range(width.width):
            width.answered(now)
        found.append(width.width)
    return found


def test_it_doubles_until_the_first_limit() -> None:
    width = Width(100)
    assert width.width == 20
    assert rounds(width, 3) == [40, 80, 100]


def test_one_cut_an_episode_then_slow_growth() -> None:
    width = Width(100)
    rounds(width, 3)
    for second in (0.0, 0.1, 14.9):
        width.limited(second, None)
    assert width.width == 80
    assert rounds(width, 2, now=10.0) == [80, 80], "no growth before the server had its rest"
    assert rounds(width, 3, now=16.0) == [84, 88, 92]
    width.limited(20.0, 60.0)
    width.limited(40.0, None)
    assert width.width == 73
    assert rounds(width, 1, now=79.0) == [73]
    assert rounds(width, 1, now=81.0) == [76]


def test_never_below_ten_unless_the_provider_is_narrower() -> None:
    width, narrow = Width(50), Width(4)
    for episode in range(20):
        width.limited(episode * 100.0, None)
        narrow.limited(episode * 100.0, None)
    assert (width.width, narrow.width) == (10, 4)


def test_trouble_pauses_growth_and_cuts_nothing() -> None:
    width = Width(100)
    for _ in range(19):
        width.answered(0.0)
    width.troubled()
    for _ in range(19):
        width.answered(0.0)
    assert width.width == 20
    width.answered(0.0)
    assert width.width == 40
