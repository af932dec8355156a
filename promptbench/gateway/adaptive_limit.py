"""How many calls at once a server can take: grows while calls succeed, shrinks when the server rate-limits them.

Slow start and cuts follow inspect_ai's adaptive connections, and so do the numbers.
"""

from __future__ import annotations

import math

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
