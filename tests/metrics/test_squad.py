"""The figures were computed with SQuAD's own script, or can be computed by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from promptbench.metrics.squad import exact_match, normalise, token_f1


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  quick, brown fox!", "quick brown fox"),
        ("A cat and an apple", "cat and apple"),
        ("theatre", "theatre"),
        ("U.S.A.", "usa"),
        ("the-end", "theend"),
        ("«quoted»", "«quoted»"),
        ("The", ""),
    ],
)
def test_normalises_in_the_order_of_the_official_script(text: str, normal: str) -> None:
    assert normalise(text) == normal


@pytest.mark.parametrize(
    ("answer", "right", "exact", "f1"),
    [
        ("Denver Broncos", ["Denver Broncos", "The Denver Broncos"], 1, 1),
        ("Broncos", ["Denver Broncos", "Carolina"], 0, 2 / 3),
        ("b b c", ["b c c"], 0, 2 / 3),
        ("", [""], 1, 1),
        ("", [], 1, 1),
        ("Paris", [], 0, 0),
        ("", ["Paris"], 0, 0),
        ("", ["Paris", "the"], 0, 0),
        ("x", ["y"], 0, 0),
    ],
)
def test_scores(answer: str, right: list[str], exact: float, f1: float) -> None:
    assert exact_match(answer, right) == exact
    assert token_f1(answer, right) == pytest.approx(f1)


@given(st.text(), st.text())
def test_f1_is_a_share_and_one_for_what_matches(answer: str, right: str) -> None:
    assert 0 <= token_f1(answer, [right]) <= 1
    if exact_match(answer, [right]):
        assert token_f1(answer, [right]) == 1
