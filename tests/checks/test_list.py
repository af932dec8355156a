from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (["a", "b"], '["a", "b"]'),
        (["open the lid", "press start"], "1. open the lid\n2. press start"),
        (["a", "b", "a"], "a, b, a"),
        ({"is": ["A", "b"], "ignore": "case", "at": "x"}, '{"x": ["a", "B"]}'),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("list", argument, text).reason == ""


@pytest.mark.parametrize(
    ("argument", "text", "reason", "value"),
    [
        (["a", "b", "c"], "a, c, b", "wrong order: item 2: expected 'b', got 'c'", 2 / 3),
        (["a", "b", "c"], "c, a, b", "wrong order: item 1: expected 'a', got 'c'", 2 / 3),
        (["a", "b", "c"], "x, a, b, c", "unexpected 'x'", 6 / 7),
        (["a", "b"], "a", "missing 'b'", 2 / 3),
    ],
)
def test_says_what_is_wrong(argument: Json, text: str, reason: str, value: float) -> None:
    result = score("list", argument, text)
    assert result.reason == reason
    assert result.value == pytest.approx(value)


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.lists(st.sampled_from("abc"), min_size=1, max_size=8)
)
def test_only_the_same_list_passes(wanted: list[str], got: list[str]) -> None:
    assert score("list", wanted, "\n".join(got)).passed == (wanted == got)


@pytest.mark.parametrize("argument", [None, "a", {}])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match="give a list"):
        score("list", argument, "a")
