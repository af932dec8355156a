"""What of the queue is for a slot, for a rate limit and between tries. The clock is real, so bounds are loose."""

from __future__ import annotations

import asyncio

from promptbench.gateway import Gateway, RateLimiter, Reply
from tests.helpers.asking import ask_for
from tests.helpers.scripted import TRANSIENT, Scripted

MODEL = "scripted/m"


def ask(provider: Scripted, times: int = 1, *, before: int = 0, limiter: RateLimiter | None = None) -> list[Reply]:
    """Replies to so many requests at once, after so many that came before. Any wait between tries is 0.1 s."""

    async def run() -> list[Reply]:
        async def sleep(seconds: float) -> None:
            await asyncio.sleep(0.1 if limiter is None else seconds)

        pacers = {MODEL: limiter} if limiter else {}
        gateway = Gateway({MODEL: provider}, limiters=pacers, patience=60, sleep=sleep, notice=lambda text: None)
        for _ in range(before):
            await gateway.call(ask_for(MODEL))
        return await asyncio.gather(*(gateway.call(ask_for(MODEL)) for _ in range(times)))

    return asyncio.run(run())


def slot_ms(reply: Reply) -> float:
    return reply.queue_ms - reply.limit_ms - reply.backoff_ms


def test_who_waits_for_nothing_waits_for_no_time() -> None:
    (reply,) = ask(Scripted(["x"], seconds=0.2))
    assert reply.backoff_ms == 0
    assert 0 <= reply.limit_ms <= reply.queue_ms < 200


def test_a_slot_is_neither_limit_nor_backoff() -> None:
    *_, last = ask(Scripted(["x"], concurrency=1, seconds=0.1), 3)
    assert slot_ms(last) >= 190
    assert last.limit_ms < slot_ms(last)
    assert last.backoff_ms == 0


def test_a_rate_limit_is_told_apart() -> None:
    *_, last = ask(Scripted(["x"]), 4, limiter=RateLimiter({"requests": 600}))
    assert last.queue_ms >= last.limit_ms >= 250
    assert last.backoff_ms == 0


def test_the_time_between_tries_is_told_apart() -> None:
    (reply,) = ask(Scripted(["first", TRANSIENT, TRANSIENT, "at last"]), before=1)
    assert reply.tries == 3
    assert reply.backoff_ms >= 195
    assert slot_ms(reply) + reply.limit_ms < reply.backoff_ms


def test_waiting_for_a_silent_model_counts_as_between_tries() -> None:
    script = ["first", *[TRANSIENT] * 30, "back"]
    replies = ask(Scripted(script, concurrency=8), 8, before=1)
    assert all(reply.answer for reply in replies)
    slowest = max(replies, key=lambda reply: reply.queue_ms)
    assert slowest.backoff_ms > slowest.queue_ms / 2
