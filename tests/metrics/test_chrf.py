from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from promptbench.checks.similar import chrf


@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [
        # As sacreBLEU 2 gives them: CHRF().sentence_score(answer, [reference]).score / 100
        ("The cat sat on the mat.", "The cat is on the mat.", 0.6717273492330233),
        ("ab", "abc", 0.6363636363636363),
        ("a b", "ab", 1),
        ("abc", "xyz", 0),
        ("", "", 1),
        ("", "a", 0),
    ],
)
def test_scores(answer: str, reference: str, value: float) -> None:
    assert chrf(answer, reference) == pytest.approx(value, abs=1e-12)


@given(st.text(), st.text())
def test_is_a_share(answer: str, reference: str) -> None:
    assert 0 <= chrf(answer, reference) <= 1
    assert chrf(answer, answer) == pytest.approx(1)
