from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings, strategies as st
from rich.cells import cell_len

from promptbench.report.words import clean, cut, duration, excerpt, money, share, times, width_of
from tests.report.kit import ESCAPES, LONG, RIGHT_TO_LEFT, SURROGATE, WIDE

_texts = st.text(alphabet=st.characters(exclude_categories=())) | st.sampled_from([ESCAPES, RIGHT_TO_LEFT, WIDE])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[red]markup[/] :smile:", "[red]markup[/] :smile:"),
        ("a\nb\r\nc\td", "a⏎b⏎c d"),
        ("\x1b[31m", "\\u001b[31m"),
        ("\u202eabc", "\\u202eabc"),
        ("\U000e0041", "\\U000e0041"),
        ("12\u00a0000\u202f€", "12 000 €"),
        (SURROGATE, "half a pair: � and �"),
        ("日本 שלום é ✓", "日本 שלום é ✓"),
    ],
)
def test_clean(text: str, shown: str) -> None:
    assert clean(text) == shown


@settings(deadline=None)
@given(_texts)
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = clean(text)
    assert shown.isprintable()
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert shown.encode().decode() == shown
    assert clean(shown) == shown


@settings(deadline=None)
@given(_texts, st.integers(1, 40))
def test_a_cut_text_fits(text: str, width: int) -> None:
    shown = cut(clean(text), width)
    assert cell_len(shown) <= width
    assert shown == clean(text) or shown.endswith("…")


@settings(deadline=None)
@given(_texts, st.integers(1, 40))
def test_an_excerpt_fits_and_says_that_it_is_one(text: str, width: int) -> None:
    shown = excerpt(text, width)
    assert width_of(shown) <= width
    assert shown == clean(text) or shown.endswith("…")


def test_cut_by_columns() -> None:
    assert cut("日本語", 6) == "日本語"
    assert cut("日本語", 5) == "日本…"
    assert cut("日本語", 4) == "日…"
    assert cut("abc", 0) == ""


def test_an_excerpt_of_a_huge_text_takes_no_time() -> None:
    start = time.process_time()
    assert excerpt(LONG * 10_000, 20) == '{"team": "billing",…'
    assert excerpt("e" + "\u0301" * 50_000_000, 20).endswith("…")
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (None, "–"),
        (0.0, "0.00 ms"),
        (0.42, "0.42 ms"),
        (0.997, "1.0 ms"),
        (3.14159, "3.1 ms"),
        (9.96, "10 ms"),
        (12.4, "12 ms"),
        (999.6, "1.0 s"),
        (65_000.0, "65.0 s"),
    ],
)
def test_duration(milliseconds: float | None, shown: str) -> None:
    assert duration(milliseconds) == shown


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [
        (None, "unknown"),
        (0.0, "$0"),
        (1234.5, "$1,234.50"),
        (1.0, "$1.00"),
        (0.9999, "$1.00"),
        (0.31, "$0.310"),
        (0.012, "$0.012"),
        (0.0012, "$0.0012"),
        (0.00000056, "$0.00000056"),
        (1e-12, "<$0.00000001"),
    ],
)
def test_money(dollars: float | None, shown: str) -> None:
    assert money(dollars) == shown


@settings(deadline=None)
@given(st.floats(0, 1e6, exclude_min=True))
def test_money_is_never_rounded_to_nothing(dollars: float) -> None:
    shown = money(dollars)
    assert any(digit in shown for digit in "123456789")
    assert len(shown) <= 13


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 0, "–"), (0, 7, "0 %"), (7, 7, "100 %"), (1, 1000, "1 %"), (999, 1000, "99 %"), (1, 3, "33 %")],
)
def test_share(part: int, whole: int, shown: str) -> None:
    assert share(part, whole) == shown


@pytest.mark.parametrize(
    ("ratio", "shown"), [(1.0, "1.0"), (3.14, "3.1"), (12.3, "12"), (123.0, "120"), (40_620.0, "41,000")]
)
def test_times(ratio: float, shown: str) -> None:
    assert times(ratio) == shown
