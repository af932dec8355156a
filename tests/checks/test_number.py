from __future__ import annotations

import pytest

from promptbench.core.types import Json
from promptbench.yaml.marked import WrittenNumber
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (42, "The answer is 42."),
        (WrittenNumber("0.1"), "0.10"),
        ("1234.50", "1,234.5"),
        ({"is": 1234.5}, "1.234,5 EUR"),
        ({"is": 1234}, "1 234"),
        ({"is": 1234, "decimal": "comma"}, "1.234"),
        ({"is": 100, "within": 5}, "95"),
        ({"is": 100, "within": "5%"}, "105"),
        ({"is": -100, "within": "5 %"}, "-105"),
        ({"is": 0.3, "within": 0}, "0.3"),
        ({"at least": 3, "at most": 5}, "5"),
        ({"at least": 3}, "1e9"),
        ({"is": 5, "unit": "EUR"}, "12 items cost 5 EUR"),
        ({"is": 5, "unit": ["€", "EUR"]}, "€5"),
        ({"is": -5, "unit": "$"}, "-$5"),
        ({"is": 5, "unit": "kg"}, "5kg"),
        ({"is": 5, "unit": "%"}, "5\u00a0%"),
        ({"is": 5, "unit": "day"}, "a 5-day trip"),
        ({"is": 7, "at": "total"}, '{"total": 7, "tax": 1}'),
        ({"is": 7, "at": "total"}, '{"total": "7.00 EUR"}'),
        ({"is": 0.1, "at": "total"}, '{"total": 0.1}'),
        ({"is": 2, "which": "last"}, "1 and 2"),
        ({"is": 1, "which": "first"}, "1 and 2"),
        ({"is": 2, "which": "any"}, "1, 2, 3"),
        (3, "3, that is 3.0"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("number", argument, text).reason == ""


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        (42, "41", "expected 42, got 41"),
        (42, "forty-two", "no number found in 'forty-two'"),
        (1, "1 and 2", "several numbers, 1, 2: add 'which: first', 'last' or 'any'"),
        ({"is": 4, "which": "any"}, "1 2 3", "expected 4, got 1, 2, 3"),
        ({"is": 100, "within": "5%"}, "105.01", "expected within 5% of 100, got 105.01"),
        ({"at least": 3, "at most": 5}, "6", "expected at least 3 and at most 5, got 6"),
        (WrittenNumber("0.3"), "0.30000000000000004", "expected 0.3, got 0.30000000000000004"),
        (
            1234,
            "1.234",
            "expected 1234, got 1.234; '1.234' is right with 'decimal: comma'",
        ),
        ({"is": 5, "unit": "EUR"}, "5 USD", "unit 'EUR' not found at 5"),
        ({"is": 5, "unit": "m"}, "5 miles", "unit 'm' not found at 5"),
        ({"is": 5, "unit": ["h", "m"]}, "5 km", "unit 'h' or 'm' not found at 5"),
        ({"is": 5, "at": "a"}, "{}", "a is missing"),
        ({"is": 5, "at": "a"}, '{"a": [5]}', "a: expected a text, got [5]"),
    ],
)
def test_says_what_is_wrong(argument: Json, text: str, reason: str) -> None:
    assert score("number", argument, text).reason == reason


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("five", "expected a number"),
        (None, "expected a number"),
        (True, "expected a number"),
        ("nan", "expected a number"),
        ("1e9999", "expected a number"),
        ({}, "say which number"),
        ({"is": 1, "at least": 0}, "without"),
        ({"at least": 1, "within": 0}, "needs"),
        ({"at least": 2, "at most": 1}, "no number is at least 2 and at most 1"),
        ({"is": 1, "within": -1}, "negative"),
        ({"is": 1, "which": "second"}, "known are only, first, last, any"),
        ({"is": 1, "wihtin": 1}, "did you mean 'within'"),
        ({"is": 1, "unit": ""}, "give a text"),
        ({"is": 1, "unit": " "}, "'unit' must be"),
        ({"is": 1, "decimal": "semicolon"}, "'decimal' is"),
    ],
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score("number", argument, "1")


def test_a_long_answer_is_not_looked_into() -> None:
    assert score("number", 1, "1 " * 25_000_000).reason == "the answer is too long: more than 1,000,000 characters"
