from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from promptbench.gateway.headers import Announced, read, seconds_until

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1s", 1.0),
        ("0s", 0.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("7", 7.0),
        ("2026-11-24T12:00:30Z", 30.0),
        ("2026-11-24T13:00:30+01:00", 30.0),
        ("2026-11-24T11:00:00Z", 0.0),
        ("2026-11-24T12:00:30", None),
        ("-1", None),
        ("-1s", None),
        ("soon", None),
        ("1s later", None),
        ("", None),
    ],
)
def test_when_it_is_whole_again(text: str, seconds: float | None) -> None:
    found = seconds_until(text, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_openai() -> None:
    headers = {
        "x-ratelimit-limit-requests": "15000",
        "x-ratelimit-remaining-requests": "14999",
        "x-ratelimit-reset-requests": "4ms",
        "x-ratelimit-limit-tokens": "40000000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6m0s",
        "x-ratelimit-limit-tokens_usage_based": "1",
    }
    assert read(headers) == Announced({"requests": 15000.0, "tokens": 40000000.0}, 360.0)


def test_anthropic() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-11-24T12:00:05Z",
        "anthropic-ratelimit-input-tokens-limit": "30000",
        "anthropic-ratelimit-input-tokens-remaining": "29000",
        "anthropic-ratelimit-output-tokens-limit": "8000",
    }
    found = read(headers, NOW)
    assert found.per_minute == {"requests": 50.0, "input-tokens": 30000.0, "output-tokens": 8000.0}
    assert found.wait == 5.0


@pytest.mark.parametrize("limit", ["-1", "0", "", "many", "1.5e3"])
def test_azure_may_say_nothing(limit: str) -> None:
    headers = {
        "x-ratelimit-limit-requests": limit,
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1s",
    }
    assert read(headers) == Announced()


def test_a_days_limit_is_no_pace() -> None:
    headers = {
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-reset-requests": "8.64s",
    }
    assert read(headers) == Announced()


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=40))
def test_whatever_a_server_writes(limit: str, remaining: str, reset: str) -> None:
    for parts in (("x-ratelimit-{}-requests", ""), ("anthropic-ratelimit-requests-{}", "")):
        values = {"limit": limit, "remaining": remaining, "reset": reset}
        found = read({parts[0].format(name): value for name, value in values.items()}, NOW)
        assert found.wait >= 0
        assert all(value > 0 for value in found.per_minute.values())
