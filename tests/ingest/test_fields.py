from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from promptbench.ingest._fields import between_ms, count, filled, items, moment, number, record, rest, text, written


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2026-11-01T09:59:59.000Z", "2026-11-01T09:59:59Z"),
        ("2026-11-01T11:59:59.5+02:00", "2026-11-01T09:59:59.500Z"),
        ("2026-11-01 09:59:59.000000", "2026-11-01T09:59:59Z"),
        ("2026-11-01 09:59:59 UTC", "2026-11-01T09:59:59Z"),
        ("2026-11-01", "2026-11-01T00:00:00Z"),
        (1730000000, "2024-10-27T03:33:20Z"),
        (1730000000.25, "2024-10-27T03:33:20.250Z"),
        (1730000000812, "2024-10-27T03:33:20.812Z"),
        ("1730000000812000", "2024-10-27T03:33:20.812Z"),
        ("1730000000812000000", "2024-10-27T03:33:20.812Z"),
        (datetime(2026, 11, 1, 11, tzinfo=timezone(timedelta(hours=1))), "2026-11-01T10:00:00Z"),
        ("yesterday", None),
        ("", None),
        (True, None),
        (0, None),
        (-5, None),
        (1e300, None),
        ("0001-01-01T00:00:00+14:00", None),
        ([], None),
    ],
)
def test_moment(value: Any, read: str | None) -> None:
    assert moment(value) == read


def test_between() -> None:
    assert between_ms("2026-11-01T10:00:00Z", "2026-11-01 10:00:00.812") == pytest.approx(812)
    assert between_ms("1730000000000000000", 1730000000812000000) == pytest.approx(812)
    assert between_ms("2026-11-01T10:00:01Z", "2026-11-01T10:00:00Z") is None
    assert between_ms(None, "2026-11-01T10:00:00Z") is None


def test_numbers() -> None:
    assert [number(value) for value in ("1e2", 3, " 4 ", True, "x", None, "nan", float("inf"), 10**400, [])] == [
        100, 3, 4, None, None, None, None, None, None, None,
    ]  # fmt: skip
    assert [count(value) for value in ("31", 31.0, 31, -1, 0.5, None)] == [31, 31, 31, None, None, None]


def test_texts() -> None:
    assert [text(value) for value in ("a", 3, 0.5, True, None, [])] == ["a", "3", "0.5", None, None, None]
    assert [filled(value) for value in (" ", "", "a", 0)] == [None, None, "a", "0"]
    assert written({"a": ["é"]}) == '{"a": ["é"]}'
    assert written(None) is None
    assert written("x") == "x"


def test_objects_and_lists_may_be_json_in_a_text() -> None:
    assert record('{"a": 1}') == {"a": 1}
    assert record("[1]") == {}
    assert record("{") == {}
    assert items(' [1, "2"]') == [1, "2"]
    assert items("text") == []


def test_rest_leaves_out_what_is_empty() -> None:
    assert rest({"a": 1, "b": None, "c": "", "d": 0, "e": [], "f": False}, {"a"}) == {"d": 0, "f": False}
