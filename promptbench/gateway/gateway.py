"""The only caller of providers: one slot for each request in flight, retries, and an end to calling a dead model."""

from __future__ import annotations

import asyncio
import random as random_module
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from promptbench.core.protocols import Provider
from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request
from promptbench.gateway.circuit import Circuit
from promptbench.gateway.retry import RetryPolicy

_LONG_WAIT = 5.0
"""Seconds from which a wait is worth a word to the user."""


@dataclass(frozen=True, slots=True)
class Try:
    """One failed try."""

    failure_kind: FailureKind
    message: str
    status: int | None
    provider_ms: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request: exactly one of `answer` and `failure` is set.

    `queue_ms` is the time spent waiting for a slot and between tries, apart from the provider's time.
    """

    answer: Answer | None
    failure: ProviderFailure | None
    tries: int
    failed_tries: tuple[Try, ...]
    queue_ms: float


@dataclass(slots=True)
class _Line:
    """What the gateway keeps for one model."""

    provider: Provider
    circuit: Circuit
    slots: asyncio.Semaphore
    quiet_until: float = 0.0


class Gateway:
    """Asks the providers, keyed by model reference (`openai/gpt-5-mini`). `notice` gets sentences for the user."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        retries: int = 4,
        concurrency: int | None = None,
        notice: Callable[[str], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._lines = {
            model: _Line(provider, Circuit(model), asyncio.Semaphore(_width(provider, concurrency)))
            for model, provider in providers.items()
        }
        self._policy = RetryPolicy(retries, random)
        self._notice = notice
        self._sleep = sleep

    async def ask(self, request: Request) -> Reply:
        """The reply, after retries. Raises ModelDown at once when the model has been given up."""
        line = self._lines[str(request.model)]
        line.circuit.check()
        queued = time.perf_counter()
        async with line.slots:
            # Whoever waited for a slot may have waited for a model that went down meanwhile.
            line.circuit.check()
            return await self._try(line, request, time.perf_counter() - queued)

    async def close(self) -> None:
        """Closes every provider, also when one of them fails to close."""
        closed = await asyncio.gather(*(line.provider.close() for line in self._lines.values()), return_exceptions=True)
        for error in closed:
            if isinstance(error, BaseException):
                raise error

    async def _try(self, line: _Line, request: Request, waited: float) -> Reply:
        """Asks until there is an answer or no hope. The slot is kept between tries: that eases a struggling server."""
        failed: list[Try] = []
        started = time.perf_counter()
        while True:
            began = time.perf_counter()
            try:
                answer = await line.provider.ask(request)
            except ProviderFailure as error:
                failure, now = error, time.perf_counter()
                failed.append(Try(failure.kind, failure.message, failure.status, (now - began) * 1000))
            else:
                line.circuit.answered()
                return Reply(answer, None, len(failed) + 1, tuple(failed), waited * 1000)
            delay = self._policy.delay(failure, len(failed), proven=line.circuit.proven, elapsed=now - started)
            if delay is not None:
                waited += await self._wait(line, delay, failure)
            if delay is None or line.circuit.reason is not None:
                self._give_up(line, failure)
                return Reply(None, failure, len(failed), tuple(failed), waited * 1000)

    async def _wait(self, line: _Line, delay: float, failure: ProviderFailure) -> float:
        """Sleeps, says so when it takes long, and returns the seconds that it really took."""
        began = time.perf_counter()
        if delay >= _LONG_WAIT and began >= line.quiet_until:
            line.quiet_until = began + delay
            self._notice(f"{failure.message}; waiting {delay:.0f} s")
        await self._sleep(delay)
        return time.perf_counter() - began

    def _give_up(self, line: _Line, failure: ProviderFailure) -> None:
        was_down = line.circuit.reason is not None
        line.circuit.failed(failure, hopeless=self._policy.hopeless(failure))
        if line.circuit.reason is not None and not was_down:
            self._notice(f"{line.circuit.model} is given up: {line.circuit.reason}")


def _width(provider: Provider, cap: int | None) -> int:
    return max(1, provider.concurrency if cap is None else min(provider.concurrency, cap))
