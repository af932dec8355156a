from __future__ import annotations

from hypothesis import given, strategies as st

from promptbench.metrics.pareto import front

_points = st.dictionaries(st.text(max_size=3), st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)))


def test_what_another_one_beats_is_left_out() -> None:
    points = {"cheap": (1.0, 9.0), "fast": (9.0, 1.0), "worse": (9.0, 9.0), "as cheap": (1.0, 9.0)}
    assert front(points) == ["cheap", "fast", "as cheap"]
    assert front({}) == []


@given(_points)
def test_the_front_beats_all_others_and_none_of_its_own(points: dict[str, tuple[int, int, int]]) -> None:
    found = front(points)
    assert bool(found) is bool(points)

    def beats(one: str, other: str) -> bool:
        return points[one] != points[other] and all(a <= b for a, b in zip(points[one], points[other], strict=True))

    assert not any(beats(one, other) for one in found for other in found)
    assert all(any(beats(one, other) for one in found) for other in points.keys() - set(found))
