"""A model that falls silent in a run, by a clock that jumps; and a real server that goes away and returns."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request
from promptbench.gateway import Budget, BudgetReached, Gateway, ModelDown, RateLimiter, Reply, Stopped
from promptbench.gateway.model_state import LONGEST_REST
from promptbench.providers import openai
from tests.helpers import fake_openai as fake, virtual_time
from tests.helpers.asking import ask_for, context
from tests.helpers.scripted import FATAL, REJECTED, TRANSIENT, Scripted

MODEL = "scripted/m"
PATIENCE = 300.0
_Result = TypeVar("_Result")


class Weather(Scripted):
    """Answers after a tenth of a second; a call that ends between `begin` and `end` seconds fails."""

    def __init__(self, begin: float, end: float, failure: ProviderFailure = TRANSIENT, concurrency: int = 8) -> None:
        super().__init__(["fine"], concurrency, seconds=0.1)
        self.begin, self.end, self.failure = begin, end, failure
        self.times: list[float] = []
        self.answered: list[str] = []
        self.back = asyncio.Event()

    async def complete(self, request: Request) -> Answer:
        self.times.append(virtual_time.now())
        answer = await super().complete(request)
        if self.begin <= virtual_time.now() < self.end:
            raise self.failure
        if virtual_time.now() >= self.end:
            self.back.set()
        self.answered.append(request.messages[0].content)
        return answer


class PreparedSuite:
    """A gateway with one model, in virtual time."""

    def __init__(self, provider: Scripted, **options: Any) -> None:
        self.provider = provider
        self.notices: list[str] = []
        options = {"patience": PATIENCE, "random": lambda: 0.5, "clock": virtual_time.now} | options
        self.gateway = Gateway({MODEL: provider}, notice=self.notices.append, **options)

    async def all(self, count: int, start: int = 0) -> list[Reply | BaseException]:
        asks = (self.gateway.call(ask_for(MODEL, f"case {number}")) for number in range(start, start + count))
        return await asyncio.gather(*asks, return_exceptions=True)


def in_no_time(make: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
    return virtual_time.run(make())


def answers(replies: list[Reply | BaseException]) -> int:
    return sum(isinstance(reply, Reply) and reply.answer is not None for reply in replies)


def test_an_outage_is_waited_out_and_nothing_is_lost() -> None:
    provider = Weather(1.0, 200.0)
    prepared = PreparedSuite(provider)

    async def run() -> list[Reply | BaseException]:
        return await prepared.all(200)

    replies = in_no_time(run)
    assert answers(replies) == 200
    assert set(provider.answered) == {f"case {number}" for number in range(200)}
    assert len(provider.answered) == 201, "nothing is asked twice but the probe"
    assert prepared.notices == [
        "scripted/m does not answer: busy; trying again every 30 s or sooner, up to 5 min (outage-minutes)",
        "scripted/m answers again",
    ]
    assert max(reply.tries for reply in replies if isinstance(reply, Reply)) < 12


def test_a_silent_model_is_asked_by_one_probe_at_a_time_with_growing_rests() -> None:
    provider = Weather(1.0, 200.0)
    in_no_time(lambda: PreparedSuite(provider).all(200))
    probes = [moment for moment in provider.times if 10 < moment < 200]
    rests = [later - earlier - 0.1 for earlier, later in itertools.pairwise(probes)]
    assert len(probes) <= 12
    assert rests == sorted(rests, key=lambda rest: round(rest, 6))
    assert rests[-1] == pytest.approx(0.75 * LONGEST_REST)


def test_after_an_outage_a_model_is_not_asked_by_all_at_once() -> None:
    provider = Weather(3.0, 200.0, concurrency=50)
    prepared = PreparedSuite(provider, limiters={MODEL: RateLimiter()})

    async def run() -> int:
        asking = asyncio.create_task(prepared.all(3000))
        await asyncio.sleep(100)
        assert provider.most_at_once == 50
        provider.most_at_once = 0
        await provider.back.wait()
        await asyncio.sleep(0.05)
        first = provider.most_at_once
        assert answers(await asking) == 3000
        return first

    assert in_no_time(run) <= 20
    assert provider.most_at_once == 50


def test_patience_ends() -> None:
    provider = Weather(1.0, 1e9)
    prepared = PreparedSuite(provider)

    async def run() -> tuple[list[Reply | BaseException], float]:
        return await prepared.all(200), virtual_time.now()

    replies, ended = in_no_time(run)
    assert 300 < ended < 320
    assert prepared.notices[1:] == ["scripted/m is disabled for this run: no answer for 5 min: busy"]
    errored = [reply for reply in replies if isinstance(reply, Reply) and reply.failure]
    assert len(errored) == 8, "what was asked and got no answer"
    assert {reply.tries for reply in errored} == {5}
    assert sum(isinstance(reply, ModelDown) for reply in replies) == 200 - 8 - answers(replies)
    assert answers(replies) == len(provider.answered)


def test_without_patience_a_model_is_given_up_at_once() -> None:
    prepared = PreparedSuite(Weather(1.0, 1e9), patience=0.0)

    async def run() -> float:
        await prepared.all(200)
        return virtual_time.now()

    assert in_no_time(run) < 10
    assert prepared.notices == ["scripted/m is disabled for this run: busy"]


def test_a_model_that_never_answered_is_not_waited_for() -> None:
    prepared = PreparedSuite(Weather(0.0, 1e9))

    async def run() -> float:
        replies = await prepared.all(50)
        assert not answers(replies)
        return virtual_time.now()

    assert in_no_time(run) < 5
    assert prepared.notices == ["scripted/m is disabled for this run: busy"]


@pytest.mark.parametrize("bad", [1, 2, 4, 20])
@pytest.mark.parametrize("concurrency", [1, 2, 8])
def test_requests_that_always_fail_are_no_outage(bad: int, concurrency: int) -> None:
    class Poisoned(Weather):
        async def complete(self, request: Request) -> Answer:
            answer = await super().complete(request)
            if int(request.messages[0].content.removeprefix("case ")) >= 100 - bad:
                raise TRANSIENT
            return answer

    prepared = PreparedSuite(Poisoned(0.0, 0.0, concurrency=concurrency))

    async def run() -> tuple[list[Reply | BaseException], float]:
        return await prepared.all(100), virtual_time.now()

    replies, ended = in_no_time(run)
    assert answers(replies) == 100 - bad
    assert all(isinstance(reply, Reply) and reply.tries <= 6 for reply in replies)
    assert prepared.notices == []
    assert ended < 200


@pytest.mark.parametrize("concurrency", [1, 2, 3])
def test_however_few_are_asked_at_once_none_is_lost(concurrency: int) -> None:
    provider = Weather(1.0, 120.0, concurrency=concurrency)
    replies = in_no_time(lambda: PreparedSuite(provider).all(40))
    assert answers(replies) == 40


@pytest.mark.parametrize("count", [1, 3])
def test_the_last_ones_of_a_run_wait_too(count: int) -> None:
    prepared = PreparedSuite(Weather(1.0, 100.0))

    async def run() -> list[Reply | BaseException]:
        await prepared.all(1)
        await asyncio.sleep(1)
        return await prepared.all(count, 1)

    assert answers(in_no_time(run)) == count


def test_a_blip_that_is_over_before_the_first_probe_loses_nothing() -> None:
    prepared = PreparedSuite(Weather(1.0, 6.0))
    replies = in_no_time(lambda: prepared.all(200))
    assert answers(replies) == 200
    assert prepared.notices == []


def test_without_retries_there_is_none_after_a_pause_either() -> None:
    class Poisoned(Weather):
        async def complete(self, request: Request) -> Answer:
            answer = await super().complete(request)
            if request.messages[0].content == "case 50":
                raise TRANSIENT
            return answer

    replies = in_no_time(lambda: PreparedSuite(Poisoned(0.0, 0.0), retries=0).all(100))
    assert [reply.tries for reply in replies if isinstance(reply, Reply)] == [1] * 100
    assert answers(replies) == 99


def test_calls_that_hang_are_an_outage_too() -> None:
    class Hanging(Weather):
        async def complete(self, request: Request) -> Answer:
            if self.begin <= virtual_time.now() < self.end:
                await asyncio.sleep(120)
                raise ProviderFailure(FailureKind.TRANSIENT, "no answer within 120 s")
            return await super().complete(request)

    prepared = PreparedSuite(Hanging(1.0, 350.0))

    async def run() -> tuple[list[Reply | BaseException], float]:
        return await prepared.all(200), virtual_time.now()

    replies, ended = in_no_time(run)
    assert answers(replies) == 200
    assert len(prepared.notices) == 2
    assert ended < 500


def test_an_answer_to_a_call_in_flight_ends_the_outage() -> None:
    class Slow(Weather):
        async def complete(self, request: Request) -> Answer:
            if request.messages[0].content == "slow":
                await asyncio.sleep(20)
                return Answer("at last", "m")
            return await super().complete(request)

    prepared = PreparedSuite(Slow(1.0, 19.0))

    async def run() -> float:
        await prepared.all(1)
        slow = asyncio.create_task(prepared.gateway.call(ask_for(MODEL, "slow")))
        await asyncio.sleep(1)
        assert answers(await prepared.all(7)) == 7
        ended = virtual_time.now()
        assert (await slow).answer
        return ended

    assert in_no_time(run) == pytest.approx(20.3, abs=0.3)


def test_a_refused_key_ends_the_wait() -> None:
    class Locked(Weather):
        async def complete(self, request: Request) -> Answer:
            if virtual_time.now() > 30:
                raise FATAL
            return await super().complete(request)

    prepared = PreparedSuite(Locked(1.0, 1e9))

    async def run() -> float:
        await prepared.all(200)
        return virtual_time.now()

    assert in_no_time(run) < 60
    assert prepared.notices[1:] == ["scripted/m is disabled for this run: key refused"]


def test_a_server_that_refuses_a_probe_is_back() -> None:
    class Picky(Weather):
        async def complete(self, request: Request) -> Answer:
            if virtual_time.now() > 30:
                raise REJECTED
            return await super().complete(request)

    prepared = PreparedSuite(Picky(1.0, 1e9))
    replies = in_no_time(lambda: prepared.all(200))
    assert prepared.notices[1:] == ["scripted/m answers again"]
    assert all(isinstance(reply, Reply) for reply in replies)
    assert [reply.failure for reply in replies[-3:] if isinstance(reply, Reply)] == [REJECTED] * 3


@pytest.mark.parametrize(("asked", "waited"), [(120.0, True), (600.0, False)])
def test_who_asks_for_minutes_gets_them_within_the_patience(asked: float, waited: bool) -> None:
    limited = ProviderFailure(FailureKind.RATE_LIMIT, "slow down", status=429, retry_after=asked)
    prepared = PreparedSuite(Weather(1.0, 120.0, limited))
    replies = in_no_time(lambda: prepared.all(200))
    assert (answers(replies) == 200) is waited
    assert len(prepared.provider.times) < 220  # type: ignore[attr-defined]


def test_stopping_ends_the_wait_at_once() -> None:
    prepared = PreparedSuite(Weather(1.0, 1e9))

    async def run() -> tuple[list[Reply | BaseException], float]:
        asking = asyncio.create_task(prepared.all(200))
        await asyncio.sleep(60)
        assert prepared.notices
        prepared.gateway.stop()
        began = virtual_time.now()
        return await asking, virtual_time.now() - began

    replies, took = in_no_time(run)
    assert took <= 0.1, "a probe on its way may end"
    unanswered = [reply for reply in replies if not (isinstance(reply, Reply) and reply.answer)]
    assert sum(isinstance(reply, Stopped) for reply in unanswered) == len(unanswered) - 8
    assert "disabled" not in "".join(prepared.notices)


def test_whoever_is_cancelled_while_it_rests_leaves_its_turn() -> None:
    prepared = PreparedSuite(Weather(1.0, 60.0))

    async def run() -> int:
        await prepared.all(1)
        await asyncio.sleep(1)
        asks = [asyncio.create_task(prepared.gateway.call(ask_for(MODEL, f"case {number}"))) for number in range(8)]
        await asyncio.sleep(20)
        for task in asks[:7]:
            task.cancel()
        return answers(await asyncio.gather(*asks, return_exceptions=True))

    assert in_no_time(run) == 1


def test_the_minutes_of_a_run_are_kept_in_an_outage() -> None:
    bench_at: list[float] = []

    async def run() -> list[Reply | BaseException]:
        budget = Budget(max_minutes=2, clock=virtual_time.now)
        prepared = PreparedSuite(Weather(1.0, 1e9), budgets=[budget])
        replies = await prepared.all(200)
        bench_at.append(virtual_time.now())
        return replies

    replies = in_no_time(run)
    assert 60 < bench_at[0] <= 120
    assert any(isinstance(reply, BudgetReached) for reply in replies)


# With a real server


@pytest.mark.slow
def test_a_server_that_goes_away_and_comes_back() -> None:
    first = fake.FakeOpenAI()
    asked: list[str] = []
    notices: list[str] = []

    def script(body: dict[str, Any]) -> str:
        asked.append(body["messages"][-1]["content"])
        if len(asked) >= 30:
            first.die()
        return "fine"

    def heard(text: str) -> None:
        notices.append(text)
        if len(notices) == 1:
            server.start()

    first.script = script

    def back_again() -> None:
        with fake.FakeOpenAI(lambda body: asked.append(body["messages"][-1]["content"]) or "fine", first.port):
            done.wait(30)

    async def run(url: str) -> list[Reply]:
        provider = openai.SPEC.connect("m", context(options={"base_url": url, "concurrency": 5}))
        gateway = Gateway({"openai/m": provider}, retries=1, patience=60, notice=heard, random=lambda: 0.0)
        try:
            asks = [asyncio.create_task(gateway.call(ask_for("openai/m", f"case {n}"))) for n in range(100)]
            return await asyncio.wait_for(asyncio.gather(*asks), 60)
        finally:
            await gateway.close()

    done, server = threading.Event(), threading.Thread(target=back_again)
    try:
        with first:
            replies = asyncio.run(run(first.base_url))
    finally:
        done.set()
        server.join(10)
    assert all(reply.answer is not None for reply in replies)
    assert notices[0].startswith("openai/m does not answer: the connection to 127.0.0.1:")
    assert notices[1:] == ["openai/m answers again"]
    # Those on the wire when the server went were asked again, one question was the probe, and nothing else.
    assert set(asked) == {f"case {n}" for n in range(100)}
    assert len(asked) - 100 <= 6
