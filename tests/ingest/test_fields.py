from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from promptbench.ingest._fields import (
    as_count,
    as_iso_time,
    as_list,
    as_nonblank,
    as_number,
    as_object,
    as_text,
    milliseconds_between,
    omit_fields,
    to_text,
)


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
    assert as_iso_time(value) == read


def test_between() -> None:
    assert milliseconds_between("2026-11-01T10:00:00Z", "2026-11-01 10:00:00.812") == pytest.approx(812)
    assert milliseconds_between("1730000000000000000", 1730000000812000000) == pytest.approx(812)
    assert milliseconds_between("2026-11-01T10:00:01Z", "2026-11-01T10:00:00Z") is None
    assert milliseconds_between(None, "2026-11-01T10:00:00Z") is None


def test_numbers() -> None:
    assert [as_number(value) for value in ("1e2", 3, " 4 ", True, "x", None, "nan", float("inf"), 10**400, [])] == [
        100, 3, 4, None, None, None, None, None, None, None,
    ]  # fmt: skip
    assert [as_count(value) for value in ("31", 31.0, 31, -1, 0.5, None)] == [31, 31, 31, None, None, None]


def test_texts() -> None:
    assert [as_text(value) for value in ("a", 3, 0.5, True, None, [])] == ["a", "3", "0.5", None, None, None]
    assert [as_nonblank(value) for value in (" ", "", "a", 0)] == [None, None, "a", "0"]
    assert to_text({"a": ["é"]}) == '{"a": ["é"]}'
    assert to_text(None) is None
    assert to_text("x") == "x"


def test_objects_and_lists_may_be_json_in_a_text() -> None:
    assert as_object('{"a": 1}') == {"a": 1}
    assert as_object("[1]") == {}
    assert as_object("{") == {}
    assert as_list(' [1, "2"]') == [1, "2"]
    assert as_list("text") == []


def test_rest_leaves_out_what_is_empty() -> None:
    assert omit_fields({"a": 1, "b": None, "c": "", "d": 0, "e": [], "f": False}, {"a"}) == {"d": 0, "f": False}
