"""The state that the gateway keeps for one model: its limits and whether it is available."""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType

from promptbench.core.protocols import Provider
from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request, Usage
from promptbench.gateway import headers
from promptbench.gateway.circuit import Circuit
from promptbench.gateway.rate_limiter import RateLimiter
from promptbench.gateway.tokens import Forecast

PER_TURN = 4  # tasks admitted in one turn of the event loop: few enough to spread, enough to be handled together


class ResizableSemaphore:
    """First come, first served. Shrinking does not evict the tasks inside.

    Only a few tasks enter in each turn of the event loop. Requests that are made in the same turn are written in the
    same later turn, answered together and handled together, for ever after: the provider idles while this process
    works, and the other way round. A few per turn spread out.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._entered = 0  # in this turn of the loop

    def resize(self, size: int) -> None:
        self._size = size
        self._admit()

    async def __aenter__(self) -> None:
        if self._inside < self._size and not self._waiting and self._entered < PER_TURN:
            self._enter()
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                with contextlib.suppress(ValueError):
                    self._waiting.remove(waiter)
            else:
                self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _enter(self) -> None:
        self._inside += 1
        self._entered += 1
        if self._entered == 1:
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._entered = 0
        self._admit()

    def _leave(self) -> None:
        self._inside -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._inside < self._size and self._entered < PER_TURN:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._enter()
                waiter.set_result(None)


# Slow start and cuts follow inspect_ai's adaptive connections, and so do the numbers.
START = 20
LEAST = 10
GROWTH = 1.05
CUT = 0.8
COOLDOWN = 15.0  # seconds after a cut without another cut or growth; longer if the server asks for it


class AdaptiveLimit:
    """The current limit for one model, between 10 and `most`; a smaller `most` is used as it is. Times in seconds."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = min(START, most)
        self._slow_start = True
        self._clean = 0
        self._quiet_until = -math.inf

    def answered(self, now: float) -> None:
        """Count an answer at the first try. As many of them as the limit are a reason to grow."""
        self._clean += 1
        if self._clean < self.size:
            return
        self._clean = 0
        if now >= self._quiet_until:
            self.size = min(
                self.size * 2 if self._slow_start else max(self.size + 1, int(self.size * GROWTH)), self.most
            )

    def failed(self) -> None:
        """Restart counting after a failure that is not a rate limit. The limit stays."""
        self._clean = 0

    def rate_limited(self, now: float, retry_after: float | None) -> None:
        """Cut the limit once, however many calls are rejected at the same time."""
        self._slow_start = False
        self._clean = 0
        if now >= self._quiet_until:
            self.size = max(int(self.size * CUT), min(LEAST, self.most))
            self._quiet_until = now + COOLDOWN
        self._quiet_until = max(self._quiet_until, now + (retry_after or 0.0))


class ModelState:
    """One model. `slots` is the only limit on calls at once: adaptive with a rate limiter, else constantly `most`.

    While no rate limit is known, the first request goes alone: its answer announces the limits, if the server has any,
    before a burst can be punished.
    """

    def __init__(self, provider: Provider, most: int, limiter: RateLimiter | None, circuit: Circuit) -> None:
        self.provider = provider
        self.most = most
        self.circuit = circuit
        self.limiter = limiter
        self.answered_last: Request | None = None
        self.forecast = Forecast()
        self.quiet_until = 0.0  # no wait is reported to the user before this time
        self.replaced = False  # by its fallback, which is announced once
        self._limit = AdaptiveLimit(most) if limiter else None
        self._alone = limiter is not None and not limiter.limits_requests
        self.slots = ResizableSemaphore(1 if self._alone else self._limit.size if self._limit else most)

    def answered(self, request: Request, expected: Usage, answer: Answer, now: float, *, first_try: bool) -> None:
        """Learn from an answer. One that took several tries is a reason neither to grow nor to shrink."""
        was_away = self.circuit.open and self.circuit.lasted
        self.circuit.answered()
        self.answered_last = request
        if answer.usage is not None:
            self.forecast.learn(request, answer.usage)
        if self.limiter is None or self._limit is None:
            return
        if answer.usage is not None:
            self.limiter.settle(expected, answer.usage)
        self._announced(self.limiter, answer.limits, now)
        self._alone = False
        if was_away:
            # All waiting requests would reach a server that has just come back at once.
            self._limit = AdaptiveLimit(self.most)
        elif first_try:
            self._limit.answered(now)
        self.slots.resize(self._limit.size)

    def failed(self, failure: ProviderFailure, now: float) -> None:
        """Learn from a failed try."""
        if self.limiter is None or self._limit is None:
            return
        self._announced(self.limiter, failure.limits, now)
        if failure.kind is FailureKind.RATE_LIMIT:
            self._limit.rate_limited(now, failure.retry_after)
            self._alone = self._alone and not self.limiter.limits_requests
        else:
            # More calls do not harm a server that is not there, and it is disabled sooner.
            self._limit.failed()
            self._alone = False
        if not self._alone:
            self.slots.resize(self._limit.size)

    @staticmethod
    def _announced(limiter: RateLimiter, limits: Mapping[str, str] | None, now: float) -> None:
        if limits:
            limiter.announce(headers.read(limits, datetime.now(UTC)), now)
