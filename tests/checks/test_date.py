from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("2026-03-04", "It is due on March 4th, 2026."),
        ("4 March 2026", "4.3.2026"),
        ({"is": "2026-03-04", "order": "month first"}, "03/04/2026"),
        ({"is": "2026-04-03", "order": "day first"}, "03/04/2026"),
        ({"is": "2026-03-04", "at": "due"}, '{"due": "2026-03-04T12:00:00Z"}'),
        ({"is": "2026-03-05", "which": "last"}, "from 2026-03-04 to 2026-03-05"),
        ({"is": "2026-03-04", "which": "first"}, "from 2026-03-04 to 2026-03-05"),
        ({"is": "2026-03-04", "which": "any"}, "2026-03-03, 2026-03-04"),
        ("2026-03-04", "2026-03-04, that is 4 March 2026"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("date", argument, text).reason == ""


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        ("2026-03-04", "2026-03-05", "expected 2026-03-04, got 2026-03-05"),
        ("2026-03-04", "next week", "no date found in 'next week'"),
        (
            "2026-03-04",
            "03/04/2026",
            "'03/04/2026' can be 2026-04-03 or 2026-03-04: add 'order: day first' or 'month first'",
        ),
        (
            "2026-03-04",
            "2026-03-04 or 2026-03-05",
            "several dates, '2026-03-04', '2026-03-05': add 'which: first', 'last' or 'any'",
        ),
        ({"is": "2026-03-04", "which": "any"}, "2026-03-05", "expected 2026-03-04, got '2026-03-05'"),
        ({"is": "2026-03-04", "at": "due"}, "{}", "due is missing"),
    ],
)
def test_says_what_is_wrong(argument: Json, text: str, reason: str) -> None:
    assert score("date", argument, text).reason == reason


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("03/04/2026", "can be 2026-04-03 or 2026-03-04"),
        ("tomorrow", "is not a date"),
        ("by 2026-03-04", "is not a date"),
        (None, "is not a date"),
        (2026, "is not a date"),
        ({"is": "2026-03-04", "order": "year first"}, "'order' is"),
    ],
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score("date", argument, "x")
