from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("refund", "A REFUND is on its way"),
        (["refund", "14 days"], "The Refund takes 14 days."),
        ("STRASSE", "in der straße"),
        (1, "1.10"),
        (True, "it is true"),
        ({"any of": ["refund", "voucher"]}, "a voucher"),
        ({"any of": "refund"}, "Refunded"),
        ({"any of": [True, 5], "all of": "a"}, "a5"),
        ({"All_Of": ["a", "b"]}, "ab"),
        ({"all of": ["rate"], "whole words": "yes"}, "the rate."),
        ({"all of": ["C++"], "whole-words": True}, "C or C++?"),
        ({"all of": ["café", "it's"], "ignore": ["accents", "case", "unicode"]}, "Cafe, it’s"),
        ({"all of": "Yes", "ignore": "Nothing"}, "Yes"),
        ({"all of": "a b", "ignore": "white space"}, "a\n b"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("contains", argument, text).passed


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        (["a", "refund", "week"], "a day", "'refund' is not in the answer; 'week' is not in the answer"),
        ({"any of": ["refund", "voucher"]}, "no", "none of 'refund', 'voucher' is in the answer"),
        (
            {"any of": ["a"], "all of": ["b"]},
            "x",
            "'b' is not in the answer; none of 'a' is in the answer",
        ),
        ({"all of": "rate", "whole words": True}, "separate rates, rate_x", "'rate' is not in the answer"),
        ({"all of": "Yes", "ignore": "nothing"}, "yes", "'Yes' is not in the answer"),
        ({"all of": "Yes", "ignore": "punctuation"}, "yes", "'Yes' is not in the answer"),
    ],
)
def test_says_what_is_missing(argument: Json, text: str, reason: str) -> None:
    assert score("contains", argument, text).reason == reason


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (None, "give a text"),
        ("", "give a text"),
        ([], "give a text"),
        ([""], "give a text"),
        ([["a"]], "give a text"),
        ([None], "give a text"),
        ({}, "'any of' or 'all of'"),
        ({"whole words": True}, "'any of' or 'all of'"),
        ({"any of": []}, "give a text"),
        ({"a": 1}, "unknown option 'a'"),
        ({"anyof": "x"}, "did you mean 'any of'"),
        ({"any of": "x", "whole words": "maybe"}, "expected yes or no"),
        ({"any of": "x", "ignore": "cases"}, "did you mean 'case'"),
        ({"any of": [","], "ignore": "punctuation"}, "',' is empty after"),
    ],
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score("contains", argument, "x")
