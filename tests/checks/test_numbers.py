from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from promptbench.checks._numbers import find


def values(text: str, *, comma: bool = False) -> list[str]:
    return [str(number.value) for number in find(text, comma=comma)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is 5.", ["5"]),
        ("0.10", ["0.10"]),
        (".5 and 0,5", ["0.5", "0.5"]),
        ("1,234.5", ["1234.5"]),
        ("1.234,5", ["1234.5"]),
        ("1 234,5", ["1234.5"]),
        ("1\u00a0234\u00a0567", ["1234567"]),
        ("1'234'567.8", ["1234567.8"]),
        ("12,34,567", ["1234567"]),
        ("1.234.567", ["1234567"]),
        ("1e3", ["1E+3"]),
        ("-5, −7 and +3", ["-5", "-7", "3"]),
        ("-$5 $-6 (7)", ["-5", "-6", "7"]),
        ("2020-2021", ["2020", "2021"]),
        ("1,2,3", ["1", "2", "3"]),
        ("in 2023 100 people", ["2023", "100"]),
        ("5kg 12%", ["5", "12"]),
        ("x=-3", ["-3"]),
        ("GPT-4 H2O v2 1.2.3", []),
        ("five", []),
        ("9" * 500, []),
    ],
)
def test_reads(text: str, expected: list[str]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [("1,234", "1234", "1.234"), ("1.234", "1.234", "1234"), ("1,50", "1.50", "1.50"), ("0,125", "0.125", "0.125")],
)
def test_the_decimal_mark_decides(text: str, point: str, comma: str) -> None:
    assert values(text) == [point]
    assert values(text, comma=True) == [comma]
    [number] = find(text)
    assert number.other == (None if point == comma else Decimal(comma))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_every_way_to_write_a_number_is_it(number: Decimal) -> None:
    english = f"{number:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    french = english.replace(",", "\u202f").replace(".", ",")
    swiss = english.replace(",", "’")
    for text in (str(number), english, german, french, swiss):
        [found] = find(f"The total is {text} EUR.")
        assert found.value == number, text


@given(st.text())
def test_numbers_stand_in_the_text_one_behind_the_other(text: str) -> None:
    end = 0
    for number in find(text):
        assert end <= number.start < number.end
        assert text[number.start : number.end] == number.text
        end = number.end
