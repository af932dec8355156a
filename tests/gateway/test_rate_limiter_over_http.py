"""Rate limits against a real server on loopback that fails now and then, and notes when it is asked."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import Any

import pytest

from promptbench.gateway import Gateway, RateLimiter
from promptbench.providers import openai
from tests.helpers import fake_openai as fake
from tests.helpers.asking import ask_for, context

PER_MINUTE = 3000
COUNT = 200


class Limiter:
    """Answers 429 to a tenth and 500 to a fiftieth of the calls, and tells its limit in every answer."""

    def __init__(self) -> None:
        self.draw = random.Random(7)
        self.times: list[float] = []
        self.answered: Counter[str] = Counter()

    def __call__(self, body: dict[str, Any]) -> fake.Step:
        self.times.append(time.monotonic())
        told = {"x-ratelimit-limit-requests": str(PER_MINUTE), "x-ratelimit-remaining-requests": "1"}
        chance = self.draw.random()
        if chance < 0.12:
            status = 429 if chance < 0.1 else 500
            return fake.error(status, headers={**told, "retry-after-ms": "100"} if status == 429 else told)
        self.answered[body["messages"][-1]["content"]] += 1
        return fake.as_json(fake.completion("fine"), headers=told)


@pytest.mark.slow
@pytest.mark.parametrize(
    "configured",
    [pytest.param(True, id="from the settings"), pytest.param(False, id="learnt from the headers")],
)
def test_no_case_is_lost_and_no_second_too_full(configured: bool) -> None:
    limiter = Limiter()

    async def run(url: str) -> list[Any]:
        provider = openai.SPEC.connect("m", context(options={"base_url": url}))
        limiter = RateLimiter({"requests": PER_MINUTE} if configured else None)
        gateway = Gateway({"openai/m": provider}, limiters={"openai/m": limiter}, notice=lambda text: None)
        try:
            return await asyncio.gather(*(gateway.call(ask_for("openai/m", f"case {n}")) for n in range(COUNT)))
        finally:
            await gateway.close()

    with fake.FakeOpenAI(limiter) as server:
        replies = asyncio.run(run(server.base_url))
    assert all(reply.answer is not None for reply in replies)
    assert all(reply.answer.limits is None for reply in replies), "headers are for the gateway"
    assert set(limiter.answered.values()) == {1}, "nothing is asked again after an answer"
    times = limiter.times
    # Times are those of arrival, which a busy machine bunches by a few; no second holds a burst.
    assert max(sum(start <= one < start + 1 for one in times) for start in times) <= 1.1 * PER_MINUTE / 60
    floor = (len(times) - 1) * 60 / PER_MINUTE
    # `tests.bench.limits` measures how near to the floor it comes; here other tests run beside it.
    assert times[-1] - times[0] <= 2 * floor + 2
