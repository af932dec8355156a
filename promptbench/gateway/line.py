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
    """One model. With a pacer its width adapts; without, it is a model on this machine and as wide as it says.

    Where the pacer knows no limit yet, the first request goes alone: its answer tells the limits, if the server has
    any, before there is a burst to punish.
    """

    def __init__(self, provider: Provider, most: int, pacer: Pacer | None, circuit: Circuit) -> None:
        self.provider = provider
        self.circuit = circuit
        self.pacer = pacer
        self.known: Request | None = None
        """The request that was answered last."""
        self.forecast = Forecast()
        self.quiet_until = 0.0
        """When a wait is next worth a word to the user."""
        self.replaced = False
        """Whether another model has been asked in its place."""
        self._most = most
        self._width = Width(most) if pacer else None
        self._alone = pacer is not None and not pacer.paces_requests
        self.slots = Slots(1 if self._alone else self._width.width if self._width else most)

    def answered(self, request: Request, expected: Usage, answer: Answer, now: float, *, first_try: bool) -> None:
        """Learns from an answer. One that took several tries is no reason to grow, nor to shrink."""
        was_away = self.circuit.open and self.circuit.lasted
        self.circuit.answered()
        self.known = request
        if answer.usage is not None:
            self.forecast.learn(request, answer.usage)
        if self.pacer is None or self._width is None:
            return
        if answer.usage is not None:
            self.pacer.settle(expected, answer.usage)
        self._announced(self.pacer, answer.limits, now)
        self._alone = False
        if was_away:
            # All who waited come at once, to a server that has just come back.
            self._width = Width(self._most)
        elif first_try:
            self._width.answered(now)
        self.slots.set_width(self._width.width)

    def failed(self, failure: ProviderFailure, now: float) -> None:
        """Learns from a failed try."""
        if self.pacer is None or self._width is None:
            return
        self._announced(self.pacer, failure.limits, now)
        if failure.kind is FailureKind.RATE_LIMIT:
            self._width.limited(now, failure.retry_after)
            self._alone = self._alone and not self.pacer.paces_requests
        else:
            # One that is not there is not harmed by being asked more, and is given up the sooner.
            self._width.troubled()
            self._alone = False
        if not self._alone:
            self.slots.set_width(self._width.width)

    @staticmethod
    def _announced(pacer: Pacer, limits: Mapping[str, str] | None, now: float) -> None:
        if limits:
            pacer.announce(headers.read(limits, datetime.now(UTC)), now)
