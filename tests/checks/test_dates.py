from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, strategies as st

from promptbench.checks.date import find_dates


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-04",
        "2026-03-04T10:00:00Z",
        "2026/3/4",
        "4.3.2026",
        "04. 03. 2026",
        "4 March 2026",
        "4th of March, 2026",
        "March 4th, 2026",
        "MAR. 4 2026",
        "4-Mar-2026",
    ],
)
def test_reads(text: str) -> None:
    [found] = find_dates(f"Due ({text}).")
    assert found.dates == (date(2026, 3, 4),)


@pytest.mark.parametrize("text", ["03/04/2026", "3-4-2026"])
def test_two_readings_are_both_given(text: str) -> None:
    [found] = find_dates(text)
    assert found.dates == (date(2026, 4, 3), date(2026, 3, 4))


@pytest.mark.parametrize("text", ["13/04/2026", "04/13/2026"])
def test_where_only_one_reading_is_a_date_it_is_it(text: str) -> None:
    assert [found.dates for found in find_dates(text)] == [(date(2026, 4, 13),)]


@pytest.mark.parametrize(
    "text",
    ["31 April 2026", "2026-13-01", "2026-03", "March 2026", "4/3/26", "12026-03-04", "2026-03-04-05", "4 x 2026"],
)
def test_what_is_no_whole_date_is_not_read(text: str) -> None:
    assert list(find_dates(text)) == []


@given(st.dates(min_value=date(1000, 1, 1)), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d %B %Y", "%b %d, %Y"]))
def test_what_is_written_is_read(day: date, form: str) -> None:
    assert [found.dates for found in find_dates(f"on {day.strftime(form)}, at noon")] == [(day,)]
