"""The state that the gateway keeps for one model: its limits and whether it is available."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from promptbench.core.protocols import Provider
from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request, Usage
from promptbench.gateway import headers
from promptbench.gateway.adaptive_limit import AdaptiveLimit
from promptbench.gateway.circuit import Circuit
from promptbench.gateway.rate_limiter import RateLimiter
from promptbench.gateway.semaphore import ResizableSemaphore
from promptbench.gateway.tokens import Forecast


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
