"""How many requests are let through at first, when nothing is known of a server's limits."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from promptbench.core.types import FailureKind, ProviderFailure
from promptbench.gateway import Gateway, RateLimiter, Reply
from promptbench.providers import openai
from tests.helpers import fake_openai as fake, virtual_time
from tests.helpers.asking import ask_for, context
from tests.helpers.scripted import TRANSIENT, Scripted

MODEL = "scripted/m"


def at_once(provider: Scripted, limiter: RateLimiter | None, seconds: float) -> int:
    """How many of a hundred requests are on their way after so many seconds."""

    async def run() -> int:
        gateway = Gateway(
            {MODEL: provider},
            limiters={MODEL: limiter} if limiter else {},
            notice=lambda text: None,
            clock=virtual_time.now,
            random=lambda: 1.0,
        )
        asks = [asyncio.create_task(gateway.call(ask_for(MODEL))) for _ in range(100)]
        await asyncio.sleep(seconds)
        found = provider.at_once
        for ask in asks:
            ask.cancel()
        await asyncio.gather(*asks, return_exceptions=True)
        return found

    return virtual_time.run(run())


@pytest.mark.parametrize(
    ("limiter", "first", "then"),
    [
        (RateLimiter(), 1, 20),
        (RateLimiter({"tokens": 1e9}), 1, 20),
        (RateLimiter({"requests": 1e9}), 20, 40),
        (None, 50, 50),
    ],
    ids=["unknown", "requests unknown", "known", "on this machine"],
)
def test_the_first_request_goes_alone_where_no_limit_is_known(
    limiter: RateLimiter | None, first: int, then: int
) -> None:
    assert at_once(Scripted(["fine"], 50, seconds=1.0), limiter, 0.5) == first
    assert at_once(Scripted(["fine"], 50, seconds=1.0), limiter, 1.5) == then


def test_a_limit_without_a_word_about_it_leaves_it_alone() -> None:
    limited = ProviderFailure(FailureKind.RATE_LIMIT, "slow down", status=429, retry_after=10.0)
    assert at_once(Scripted([limited, "fine"], 50, seconds=1.0), RateLimiter(), 5.0) == 0
    assert at_once(Scripted([limited, "fine"], 50, seconds=1.0), RateLimiter(), 11.5) == 1
    assert at_once(Scripted([limited, "fine"], 50, seconds=1.0), RateLimiter(), 12.5) > 10


def test_a_server_that_fails_is_no_reason_to_go_slowly() -> None:
    assert at_once(Scripted([TRANSIENT, "fine"], 50, seconds=1.0), RateLimiter(), 1.2) > 10


@pytest.mark.slow
def test_limits_that_the_first_answer_tells_are_kept_from_the_second_on() -> None:
    times: list[float] = []
    told = {"x-ratelimit-limit-requests": "1200", "x-ratelimit-remaining-requests": "1199"}

    def script(body: dict[str, Any]) -> fake.Step:
        times.append(time.monotonic())
        return fake.as_json(fake.completion("fine"), headers=told)

    async def run(url: str) -> list[Reply]:
        provider = openai.SPEC.connect("m", context(options={"base_url": url}))
        gateway = Gateway({"openai/m": provider}, limiters={"openai/m": RateLimiter()}, notice=lambda text: None)
        try:
            return await asyncio.gather(*(gateway.call(ask_for("openai/m", f"case {n}")) for n in range(50)))
        finally:
            await gateway.close()

    with fake.FakeOpenAI(script) as server:
        replies = asyncio.run(run(server.base_url))
    assert all(reply.answer for reply in replies)
    assert max(sum(start <= one < start + 1 for one in times) for start in times) <= 1.1 * 1200 / 60
