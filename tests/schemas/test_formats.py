"""Each format: what is one, and what is none."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.schemas.validator import FORMATS, format_checker

IS = {
    "date": ["2026-11-24", "2024-02-29"],
    "date-time": ["2026-11-24T09:30:12Z", "2026-11-24t15:59:60.123-08:00"],
    "duration": ["P3D", "P1Y2M3DT4H5M6S", "PT30M", "P2W", "P1Y", "P2MT5S", "PT1M2S", "P1Y2M"],
    "email": [
        "jo@example.com",
        "a.b+c@mail.example.co.uk",
        "x@localhost",
        '"a b"@a.com',
        '"a@\\"b"@a.com',
        "x@[127.0.0.1]",
        "x@[IPv6:::1]",
    ],
    "hostname": ["example.com", "a", "xn--bcher-kva.example"],
    "ipv4": ["127.0.0.1"],
    "ipv6": ["::1", "2001:db8::7"],
    "json-pointer": ["", "/a/b~1c/0"],
    "regex": ["^a+$", r"\d{3}"],
    "time": ["09:30:00Z", "15:59:60-08:00", "01:29:60+01:30", "23:59:60z"],
    "uri": ["https://example.com/a?b=c#d", "urn:isbn:0451450523", "mailto:jo@example.com"],
    "uri-reference": ["/a/b", "#top", "https://example.com/%20"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000"],
}
IS_NOT = {
    "date": ["2026-02-30", "2026-1-2", "20261124", "today", ""],
    "date-time": [
        "2026-11-24",
        "2026-11-24 09:30:12Z",
        "2026-11-24T09:30:12",
        "2026-13-01T00:00:00Z",
        "2026-06-30T23:58:60Z",
    ],
    "duration": ["P", "PT", "3D", "P1D2Y", "P1W2D", "P1Y2D", "PT1H2S", "P1YT", ""],
    "email": [
        "jo",
        "@example.com",
        "jo@",
        "a b@example.com",
        "jo@exa mple.com",
        ".a@example.com",
        '"a"b"@a.com',
        "x@[1.2.3.300]",
        "@[1.2.3.4]",
    ],
    "hostname": ["", "-a.com", "a..b", "a_b.com", "x" * 64, ".".join(["abcdefgh"] * 40)],
    "ipv4": ["127.0.0", "256.1.1.1", "1.2.3.4/8", "01.2.3.4"],
    "ipv6": ["127.0.0.1", "12345::", "fe80::1%eth0"],
    "json-pointer": ["a", "/~2"],
    "regex": ["(", "[z-a]"],
    "time": ["09:30Z", "24:00:00Z", "09:30:00", "9:30:00Z", "22:59:60Z", "23:59:60-08:00"],
    "uri": ["/a", "example.com", "https://exa mple.com", "http://a/%zz", 'http://a/"'],
    "uri-reference": ["a b", "\\a"],
    "uuid": ["123e4567e89b12d3a456426614174000", "g23e4567-e89b-12d3-a456-426614174000"],
}


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_one(name: str) -> None:
    assert [text for text in IS[name] if not format_checker().conforms(text, name)] == []


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_none(name: str) -> None:
    assert [text for text in IS_NOT[name] if format_checker().conforms(text, name)] == []


@settings(max_examples=200, deadline=None, database=None)
@given(st.sampled_from(sorted(FORMATS)), st.text(max_size=40) | st.integers() | st.none())
def test_nothing_is_raised(name: str, value: object) -> None:
    assert format_checker().conforms(value, name) in (True, False)
    assert isinstance(value, str) or format_checker().conforms(value, name)


@pytest.mark.parametrize("name", FORMATS)
def test_a_long_text_takes_no_time(name: str) -> None:
    began = time.perf_counter()
    for char in ("a", "a.", "1", "/~0", ":", "P1"):
        format_checker().conforms(char * 200_000, name)
    assert time.perf_counter() - began < 10
