"""Spreads requests evenly over the minute that a rate limit is about, so that no limiter has a burst to punish."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from promptbench.core.types import Usage
from promptbench.gateway.headers import Announced

_USED = 0.95
"""The share of a limit that is used: what is sent evenly arrives less so."""
_LATE = 0.02
"""Seconds by which a late request may be made up for."""
_WINDOW = 1.06
"""Seconds in which no more leaves than a second allows: on the way requests come closer together by up to 60 ms."""
_LONGEST_HOLD = 60.0


class _Lane:
    """One limit. Requests leave one after the other, each as far apart as its share of a minute (GCRA, no burst)."""

    def __init__(self, per_minute: float, now: float) -> None:
        self.per_minute = per_minute
        self.next = now

    def seconds(self, amount: float) -> float:
        return amount * 60 / (self.per_minute * _USED)

    def reserve(self, amount: float, now: float) -> float:
        """The time at which an amount may go."""
        start = max(self.next, now - _LATE)
        self.next = start + self.seconds(amount)
        return start


class Pacer:
    """The limits of one model. All times are of one clock, in seconds; limits are by kind, as `headers.KINDS`."""

    def __init__(self, per_minute: Mapping[str, float] | None = None) -> None:
        self._configured = dict(per_minute or {})
        self._lanes = {kind: _Lane(limit, -math.inf) for kind, limit in self._configured.items()}
        self._left: deque[float] = deque()
        self._leaving = 0
        self._held_until = -math.inf

    @property
    def paces_requests(self) -> bool:
        return "requests" in self._lanes

    @property
    def counts_tokens(self) -> bool:
        return any(kind != "requests" for kind in self._lanes)

    def reserve(self, usage: Usage, now: float) -> float:
        """Books a request of about so many tokens. Returns the seconds to wait before `leave`."""
        times = [lane.reserve(_amount(kind, usage), now) for kind, lane in self._lanes.items()]
        return max([0.0, *(time - now for time in times)])

    def leave(self, now: float) -> float:
        """Lets a booked request go now, and returns 0; or the seconds to wait and ask again. `left` comes next."""
        while self._left and self._left[0] <= now - _WINDOW:
            self._left.popleft()
        if now < self._held_until:
            return self._held_until - now
        requests = self._lanes.get("requests")
        # Whoever was kept from running, and all are late at once, would make a burst after all.
        if requests and len(self._left) + self._leaving >= math.ceil(requests.per_minute / 60):
            return (self._left[0] if self._left else now) + _WINDOW - now
        self._leaving += 1
        return 0.0

    def left(self, now: float) -> None:
        """Notes when a request really went: what else the program does may have kept it for a while."""
        self._leaving -= 1
        self._left.append(now)

    def settle(self, expected: Usage, actual: Usage) -> None:
        """Gives back the tokens that were booked for a request and not taken, or takes what it took more."""
        for kind, lane in self._lanes.items():
            lane.next -= lane.seconds(_amount(kind, expected)) - lane.seconds(_amount(kind, actual))

    def announce(self, announced: Announced, now: float) -> None:
        """Takes over what a server said. A limit from the settings stays where it is the lower one."""
        for kind, limit in announced.per_minute.items():
            allowed = min(limit, self._configured.get(kind, math.inf))
            lane = self._lanes.get(kind)
            if lane is not None:
                lane.per_minute = allowed
                continue
            lane = self._lanes[kind] = _Lane(allowed, now)
            if kind == "requests" and self._left:
                # What went out before the limit was known counts.
                lane.next = self._left[0] + lane.seconds(len(self._left))
        if announced.wait > 0:
            self._held_until = max(self._held_until, now + min(announced.wait, _LONGEST_HOLD))


def _amount(kind: str, usage: Usage) -> float:
    match kind:
        case "requests":
            return 1
        case "input-tokens":
            return usage.input_tokens
        case "output-tokens":
            return usage.output_tokens
    return usage.input_tokens + usage.output_tokens
