"""Space requests evenly over the minute of a rate limit, so that no server sees a burst."""

import math
from collections import deque
from collections.abc import Callable, Mapping

from promptbench.core.types import Usage
from promptbench.gateway.headers import Announced

_USED = 0.95  # share of a limit that is used, because evenly sent requests arrive less evenly
_LATE = 0.02  # seconds by which a late request may be made up for
_WINDOW = 1.06  # window length: 1 s plus 60 ms, because network jitter moves requests closer together
_LONGEST_HOLD = 60.0


class _Schedule:
    """One limit. Requests leave one after the other, each its share of a minute apart (GCRA without burst)."""

    def __init__(self, per_minute: float, now: float) -> None:
        self.per_minute = per_minute
        self.next = now

    def seconds(self, amount: float) -> float:
        return amount * 60 / (self.per_minute * _USED)

    def reserve(self, amount: float, now: float) -> float:
        """Return the time at which this amount may leave."""
        start = max(self.next, now - _LATE)
        self.next = start + self.seconds(amount)
        return start


class RateLimiter:
    """The rate limits of one model. Times are seconds of one clock; limits are keyed by `headers.KINDS`.

    `share` returns the part of a limit, also of one that a server announces, that this process may use.
    """

    def __init__(
        self, per_minute: Mapping[str, float] | None = None, *, share: Callable[[float], float] = float
    ) -> None:
        self._share = share
        self._configured = {kind: share(limit) for kind, limit in (per_minute or {}).items()}
        self._schedules = {kind: _Schedule(limit, -math.inf) for kind, limit in self._configured.items()}
        self._sent: deque[float] = deque()
        self._leaving = 0
        self._held_until = -math.inf

    @property
    def limits_requests(self) -> bool:
        return "requests" in self._schedules

    def reserve(self, usage: Usage, now: float) -> float:
        """Reserve a request of about this many tokens. Return the seconds to wait before `leave`."""
        times = [schedule.reserve(_amount(kind, usage), now) for kind, schedule in self._schedules.items()]
        return max([0.0, *(time - now for time in times)])

    def leave(self, now: float) -> float:
        """Return 0 if a reserved request may leave now, else the seconds until the next try. Call `sent` after it."""
        while self._sent and self._sent[0] <= now - _WINDOW:
            self._sent.popleft()
        if now < self._held_until:
            return self._held_until - now
        requests = self._schedules.get("requests")
        # After a pause of the process all reserved requests are late at once, and would make a burst.
        if requests and len(self._sent) + self._leaving >= math.ceil(requests.per_minute / 60):
            return (self._sent[0] if self._sent else now) + _WINDOW - now
        self._leaving += 1
        return 0.0

    def sent(self, now: float) -> None:
        """Record when a request really left, which may be later than `leave` allowed it."""
        self._leaving -= 1
        self._sent.append(now)

    def settle(self, expected: Usage, actual: Usage) -> None:
        """Replace the tokens that were reserved for a request by those that it took."""
        for kind, schedule in self._schedules.items():
            schedule.next -= schedule.seconds(_amount(kind, expected)) - schedule.seconds(_amount(kind, actual))

    def announce(self, announced: Announced, now: float) -> None:
        """Adopt the limits that a server announced. A lower limit from the settings stays."""
        for kind, limit in announced.per_minute.items():
            allowed = min(self._share(limit), self._configured.get(kind, math.inf))
            schedule = self._schedules.get(kind)
            if schedule is not None:
                schedule.per_minute = allowed
                continue
            schedule = self._schedules[kind] = _Schedule(allowed, now)
            if kind == "requests" and self._sent:
                # Requests sent before the limit was known count.
                schedule.next = self._sent[0] + schedule.seconds(len(self._sent))
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
