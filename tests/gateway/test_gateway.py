"""The gateway over providers that follow a script, and over the real OpenAI provider on loopback."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.errors import Exit
from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request
from promptbench.gateway import Gateway, ModelDown, Reply
from promptbench.providers import openai
from tests.helpers import fake_openai as fake
from tests.helpers.asking import ask_for, context
from tests.helpers.scripted import FATAL, REJECTED, TRANSIENT, Scripted

MODEL = "scripted/m"
ROOT = Path(__file__).parents[2]


def limited(seconds: float | None) -> ProviderFailure:
    return ProviderFailure(FailureKind.RATE_LIMIT, "slow down", status=429, retry_after=seconds)


class PreparedSuite:
    """A gateway with one scripted model, whose sleeps take no time and are written down."""

    def __init__(self, provider: Scripted, **options: Any) -> None:
        self.provider = provider
        self.slept: list[float] = []
        self.notices: list[str] = []
        options = {"random": lambda: 1.0, "sleep": self._sleep} | options
        self.gateway = Gateway({MODEL: provider}, notice=self.notices.append, **options)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def ask(self) -> Coroutine[Any, Any, Reply]:
        return self.gateway.call(ask_for(MODEL))

    def one(self) -> Reply:
        return asyncio.run(self.ask())


async def proven(prepared: PreparedSuite) -> None:
    """Lets the model answer once."""
    assert (await prepared.ask()).answer is not None


def test_an_answer_comes_through() -> None:
    prepared = PreparedSuite(Scripted(["hello"]))
    reply = prepared.one()
    assert reply.answer == Answer("hello", "m")
    assert (reply.failure, reply.tries, reply.failed_tries) == (None, 1, ())
    assert reply.queue_ms < 50


def test_a_transient_failure_is_retried() -> None:
    prepared = PreparedSuite(Scripted(["first", TRANSIENT, TRANSIENT, TRANSIENT, "at last"]))

    async def run() -> Reply:
        await proven(prepared)
        return await prepared.ask()

    reply = asyncio.run(run())
    assert reply.answer is not None
    assert reply.answer.text == "at last"
    assert prepared.slept == [0.5, 1.0, 2.0]
    assert reply.tries == 4
    assert [(failed.kind, failed.message, failed.status) for failed in reply.failed_tries] == [
        (FailureKind.TRANSIENT, "busy", 503)
    ] * 3


def test_retries_end() -> None:
    prepared = PreparedSuite(Scripted(["first", TRANSIENT]), retries=4)

    async def run() -> Reply:
        await proven(prepared)
        return await prepared.ask()

    reply = asyncio.run(run())
    assert (reply.answer, reply.failure, reply.tries) == (None, TRANSIENT, 5)
    assert prepared.slept == [0.5, 1.0, 2.0, 4.0]


def test_a_rejected_request_is_not_retried_and_harms_no_other() -> None:
    prepared = PreparedSuite(Scripted([*[REJECTED] * 20, "fine"]))

    async def run() -> list[Reply]:
        return [await prepared.ask() for _ in range(21)]

    replies = asyncio.run(run())
    assert [reply.tries for reply in replies] == [1] * 21
    assert replies[0].failure is REJECTED
    assert replies[-1].answer is not None


def test_a_rate_limit_waits_as_asked_and_says_so_once() -> None:
    prepared = PreparedSuite(Scripted([limited(20.0)] * 3 + ["fine"], concurrency=3, seconds=0.01))

    async def run() -> list[Reply]:
        return await asyncio.gather(*(prepared.ask() for _ in range(3)))

    replies = asyncio.run(run())
    assert all(reply.answer for reply in replies)
    assert prepared.slept == [20.0, 20.0, 20.0]
    assert prepared.notices == ["slow down; waiting 20 s"]


def test_whoever_asks_for_minutes_is_down() -> None:
    prepared = PreparedSuite(Scripted([limited(600.0)]))

    async def run() -> Reply:
        reply = await prepared.ask()
        with pytest.raises(ModelDown, match="slow down"):
            await prepared.ask()
        return reply

    assert asyncio.run(run()).tries == 1
    assert prepared.slept == []


def test_a_fatal_failure_ends_the_model_at_once() -> None:
    prepared = PreparedSuite(Scripted([FATAL, "never"]))

    async def run() -> Reply:
        reply = await prepared.ask()
        with pytest.raises(ModelDown) as caught:
            await prepared.ask()
        assert (caught.value.model, caught.value.reason) == (MODEL, "key refused")
        assert caught.value.exit is Exit.ENVIRONMENT
        return reply

    assert asyncio.run(run()).failure is FATAL
    assert prepared.provider.calls == 1
    assert prepared.notices == [f"{MODEL} is disabled for this run: key refused"]


def test_those_who_wait_for_a_slot_learn_that_the_model_is_down() -> None:
    prepared = PreparedSuite(Scripted([FATAL], concurrency=1, seconds=0.02))

    async def run() -> list[Reply | BaseException]:
        return await asyncio.gather(*(prepared.ask() for _ in range(10)), return_exceptions=True)

    first, *others = asyncio.run(run())
    assert isinstance(first, Reply)
    assert all(isinstance(other, ModelDown) for other in others)
    assert prepared.provider.calls == 1


def test_five_failed_requests_in_a_row_end_the_model() -> None:
    prepared = PreparedSuite(Scripted(["first", TRANSIENT]), retries=1)

    async def run() -> list[Reply]:
        await proven(prepared)
        replies = [await prepared.ask() for _ in range(5)]
        with pytest.raises(ModelDown, match="busy"):
            await prepared.ask()
        return replies

    assert [reply.failure for reply in asyncio.run(run())] == [TRANSIENT] * 5
    assert prepared.provider.calls == 1 + 5 * 2


def test_an_answer_in_between_clears_the_count() -> None:
    nearly: list[str | ProviderFailure] = [TRANSIENT, TRANSIENT, TRANSIENT, TRANSIENT, "fine"]
    prepared = PreparedSuite(Scripted(["first", *nearly * 3]), retries=0)

    async def run() -> int:
        return [(await prepared.ask()).answer is not None for _ in range(16)].count(True)

    assert asyncio.run(run()) == 4


def test_a_request_between_tries_stops_when_the_model_goes_down() -> None:
    prepared = PreparedSuite(Scripted([TRANSIENT, FATAL, "never"]))

    async def run() -> list[Reply]:
        return await asyncio.gather(*(prepared.ask() for _ in range(2)))

    first, second = asyncio.run(run())
    assert first.failure is TRANSIENT
    assert second.failure is FATAL
    assert prepared.provider.calls == 2


def test_requests_at_once_are_limited_by_the_provider_and_by_the_cap() -> None:
    async def run(prepared: PreparedSuite) -> list[Reply]:
        return await asyncio.gather(*(prepared.ask() for _ in range(12)))

    wide, narrow = Scripted(["x"], 4, seconds=0.02), Scripted(["x"], 4, seconds=0.02)
    replies = asyncio.run(run(PreparedSuite(wide)))
    asyncio.run(run(PreparedSuite(narrow, concurrency=2)))
    assert (wide.most_at_once, narrow.most_at_once) == (4, 2)
    assert [reply.queue_ms >= 15 for reply in replies] == [False] * 4 + [True] * 8


def test_the_users_concurrency_exceeds_the_providers_default_but_not_its_bound() -> None:
    async def run(prepared: PreparedSuite) -> list[Reply]:
        return await asyncio.gather(*(prepared.ask() for _ in range(12)))

    free, bound = Scripted(["x"], 4, seconds=0.02), Scripted(["x"], 4, seconds=0.02)
    bound.max_concurrency = 4
    above, kept = PreparedSuite(free, concurrency=10), PreparedSuite(bound, concurrency=10)
    asyncio.run(run(above))
    asyncio.run(run(kept))
    assert (free.most_at_once, bound.most_at_once) == (10, 4)
    assert above.notices == []
    assert kept.notices == [f"{MODEL} takes at most 4 calls at once, so --concurrency 10 is 4 for it"]


def test_a_cancelled_request_frees_its_slot() -> None:
    prepared = PreparedSuite(Scripted(["x"], concurrency=1, seconds=60))

    async def run() -> Reply:
        tasks = [asyncio.create_task(prepared.ask()) for _ in range(3)]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        prepared.provider.seconds = 0.0
        return await asyncio.wait_for(prepared.ask(), 5)

    assert asyncio.run(run()).answer is not None


def test_the_queue_time_holds_the_sleeps_and_not_the_provider() -> None:
    prepared = PreparedSuite(Scripted([TRANSIENT, "fine"], seconds=0.1), sleep=lambda seconds: asyncio.sleep(0.2))
    reply = prepared.one()
    assert 190 < reply.queue_ms < 290
    assert reply.failed_tries[0].provider_ms >= 95


def test_every_provider_is_closed_also_when_one_fails() -> None:
    class Stubborn(Scripted):
        async def close(self) -> None:
            raise OSError("no")

    good, bad = Scripted(["x"]), Stubborn(["x"])
    gateway = Gateway({"a/b": bad, "c/d": good}, notice=print)
    with pytest.raises(OSError, match="no"):
        asyncio.run(gateway.close())
    assert good.closed == 1


def test_an_error_that_is_no_provider_failure_is_ours() -> None:
    class Broken(Scripted):
        async def complete(self, request: Request) -> Answer:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        PreparedSuite(Broken([])).one()


# With the real provider


def over_http(url: str, use: Callable[[Gateway], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    async def run() -> Any:
        provider = openai.SPEC.connect("m", context(options={"base_url": url, "concurrency": 4}))
        gateway = Gateway({"openai/m": provider}, notice=lambda text: None, **options)
        try:
            return await use(gateway)
        finally:
            await gateway.close()

    return asyncio.run(run())


def test_a_struggling_server_answers_in_the_end() -> None:
    with fake.FakeOpenAI([fake.error(429, headers={"retry-after-ms": "30"}), fake.error(500), "fine"]) as server:
        reply = over_http(server.base_url, lambda gateway: gateway.call(ask_for("openai/m")), random=lambda: 0.01)
    assert reply.answer.text == "fine"
    assert [failed.status for failed in reply.failed_tries] == [429, 500]
    assert reply.queue_ms >= 30


@pytest.mark.slow
def test_a_dead_server_ends_a_run_in_seconds() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"

        async def run(gateway: Gateway) -> list[Any]:
            return await asyncio.gather(
                *(gateway.call(ask_for("openai/m")) for _ in range(200)), return_exceptions=True
            )

        began = time.monotonic()
        outcomes = over_http(url, run)
    assert time.monotonic() - began < 60
    downs = [outcome for outcome in outcomes if isinstance(outcome, ModelDown)]
    assert len(downs) >= 190
    assert "the connection to 127.0.0.1:" in downs[0].reason


INTERRUPTED = """
import asyncio, sys
from promptbench.gateway import Gateway
from promptbench.providers import openai
from tests.helpers.asking import ask_for, context

async def main():
    gateway = Gateway({"openai/m": openai.SPEC.connect("m", context(options={"base_url": sys.argv[1]}))}, notice=print)
    try:
        asks = [asyncio.create_task(gateway.call(ask_for("openai/m"))) for _ in range(100)]
        await asyncio.sleep(1)
        print("asking", flush=True)
        await asyncio.gather(*asks)
    finally:
        await gateway.close()

try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.slow
def test_an_interrupt_ends_a_run_at_once() -> None:
    with fake.FakeOpenAI([fake.stall()]) as server:
        command = [sys.executable, "-W", "error", "-c", INTERRUPTED, server.base_url]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "asking\n"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "")
