"""How many requests at once do a model good: grows while all goes well, shrinks when the server says it is too much.

Slow start and cuts after inspect_ai's adaptive connections; the numbers are theirs.
"""

from __future__ import annotations

import math

START = 20
LEAST = 10
GROWTH = 1.05
CUT = 0.8
COOLDOWN = 15.0
"""Seconds after a cut without another cut, and without growth; more where the server asks for more."""


class Width:
    """The width of one model, between 10 and `most`; a narrower `most` is kept as it is. Times are in seconds."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.width = min(START, most)
        self._slow_start = True
        self._clean = 0
        self._quiet_until = -math.inf

    def answered(self, now: float) -> None:
        """An answer at the first try. A round of them, as many as the width, is reason to grow."""
        self._clean += 1
        if self._clean < self.width:
            return
        self._clean = 0
        if now >= self._quiet_until:
            wider = self.width * 2 if self._slow_start else max(self.width + 1, int(self.width * GROWTH))
            self.width = min(wider, self.most)

    def troubled(self) -> None:
        """A server's failure that is no limit: growth starts over, the width stays."""
        self._clean = 0

    def limited(self, now: float, retry_after: float | None) -> None:
        """The server says that it is too much: one cut, however many requests hear it."""
        self._slow_start = False
        self._clean = 0
        if now >= self._quiet_until:
            self.width = max(int(self.width * CUT), min(LEAST, self.most))
            self._quiet_until = now + COOLDOWN
        self._quiet_until = max(self._quiet_until, now + (retry_after or 0.0))
