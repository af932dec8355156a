"""A provider that follows a script, for tests of the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from promptbench.core.protocols import Provider
from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request

TRANSIENT = ProviderFailure(FailureKind.TRANSIENT, "busy", status=503)
REJECTED = ProviderFailure(FailureKind.REJECTED, "too long", status=400)
FATAL = ProviderFailure(FailureKind.FATAL, "key refused", status=401)


class Scripted(Provider):
    """Gives one item of the script for each call, the last one for ever."""

    def __init__(self, script: Iterable[str | ProviderFailure], concurrency: int = 4, seconds: float = 0.0) -> None:
        self.script = list(script)
        self.concurrency = concurrency
        self.seconds = seconds
        self.calls = self.at_once = self.most_at_once = self.closed = 0

    async def complete(self, request: Request) -> Answer:
        step = self.script[min(self.calls, len(self.script) - 1)]
        self.calls += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.at_once -= 1
        if isinstance(step, ProviderFailure):
            raise step
        return Answer(step, "m")

    async def close(self) -> None:
        self.closed += 1
