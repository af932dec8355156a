"""What the gateway keeps for one model: how much of it is in use, how fast it may be asked, whether it is alive."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from promptbench.core.protocols import Provider
from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request, Usage
from promptbench.gateway import headers
from promptbench.gateway.circuit import Circuit
from promptbench.gateway.concurrency import Width
from promptbench.gateway.limits import Pacer
from promptbench.gateway.slots import Slots
from promptbench.gateway.tokens import Forecast


class Line:
    """One model. With a pacer its width adapts; without, it is a model on this machine and as wide as it says."""

    def __init__(self, model: str, provider: Provider, most: int, pacer: Pacer | None) -> None:
        self.provider = provider
        self.circuit = Circuit(model)
        self.pacer = pacer
        self.forecast = Forecast()
        self.quiet_until = 0.0
        """When a wait is next worth a word to the user."""
        self._width = Width(most) if pacer else None
        self.slots = Slots(self._width.width if self._width else most)

    def answered(self, request: Request, expected: Usage, answer: Answer, now: float, *, first_try: bool) -> None:
        """Learns from an answer. One that took several tries is no reason to grow, nor to shrink."""
        self.circuit.answered()
        if answer.usage is not None:
            self.forecast.learn(request, answer.usage)
        if self.pacer is None or self._width is None:
            return
        if answer.usage is not None:
            self.pacer.settle(expected, answer.usage)
        self._announced(self.pacer, answer.limits, now)
        if first_try:
            self._width.answered(now)
            self.slots.set_width(self._width.width)

    def failed(self, failure: ProviderFailure, now: float) -> None:
        """Learns from a failed try."""
        if self.pacer is None or self._width is None:
            return
        self._announced(self.pacer, failure.limits, now)
        if failure.kind is FailureKind.RATE_LIMIT:
            self._width.limited(now, failure.retry_after)
            self.slots.set_width(self._width.width)
        elif failure.kind is FailureKind.TRANSIENT:
            self._width.troubled()

    @staticmethod
    def _announced(pacer: Pacer, limits: Mapping[str, str] | None, now: float) -> None:
        if limits:
            pacer.announce(headers.read(limits, datetime.now(UTC)), now)
