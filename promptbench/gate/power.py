"""Forecast what a run can detect, before any call."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import comb, sqrt
from statistics import NormalDist
from types import MappingProxyType

from promptbench.core.words import number_of, percent
from promptbench.gate.margin import MAX_REPEATS, MIN_GUARDS
from promptbench.gate.policy import AUTO, LEVEL, Policy
from promptbench.gate.sentence import fine_percent, next_goal
from promptbench.gate.trial import BROKEN, CONFIRM, DOUBT, RETEST, UNSTABLE
from promptbench.stats.exact import excluded_rate, fisher_greater, guards_needed, student_quantile
from promptbench.stats.paired import Paired

# Production and candidate pass every try at the same rate, and guards are independent. The result is exact except that
# the mean difference is taken as normal, with expected values for its variance and the width of its bound, that the
# spread is left out, and that doubts and the mean are taken as independent, which they are not: a guard that fails
# affects both.
# `tests/gate/test_margin_power.py` compares it with simulated runs.
# The pass rate of production's guards without a calibration.
ASSUMED_RATE = 0.98
# The share of runs in which a harmless change should keep the margin.
TARGET_POWER = 0.93
_MAX_GUARDS = 100_000


@dataclass(frozen=True, slots=True)
class _Guard:
    """A case that production passes in most of its first tries; both prompts pass at one rate.

    `unsteady` is the probability that it is called broken or unstable; `mean` and `variance` are those of the
    difference in shares of passes, candidate less production, over the first tries.
    """

    unsteady: float
    mean: float
    variance: float


@lru_cache(maxsize=256)
def _guard(repeats: int, rate: float) -> _Guard:
    # Sums over the passes of both prompts in the screen, in the retest and in the confirmation.
    first, later, last = binomial(repeats, rate), binomial(RETEST, rate), binomial(CONFIRM, rate)
    screened = {k: p for k, p in enumerate(first) if 2 * (repeats - k) < repeats}
    share, total = sum(screened.values()), repeats + RETEST
    theirs, ours = [0.0] * (total + 1), [0.0] * (total + 1)
    for (k, p), (extra, q) in product(screened.items(), enumerate(later)):
        theirs[k + extra] += p / share * q
    for (k, p), (extra, q) in product(enumerate(first[:-1]), enumerate(later)):
        ours[k + extra] += p * q
    doubtful = _chance(theirs, ours, DOUBT)
    mean = sum(k * p for k, p in screened.items()) / share / repeats
    spread = sum((k / repeats - mean) ** 2 * p for k, p in screened.items()) / share
    return _Guard(doubtful * _chance(last, last, UNSTABLE), rate - mean, spread + rate * (1 - rate) / repeats)


def _chance(theirs: Sequence[float], ours: Sequence[float], level: float) -> float:
    # That Fisher's p for fewer passes of ours is at most the level.
    total = len(ours) - 1
    pairs = product(enumerate(theirs), enumerate(ours))
    return sum(p * q for (a, p), (b, q) in pairs if b < a and p * q and fisher_greater(a, total, b, total) <= level)


@lru_cache(maxsize=256)
def binomial(tries: int, rate: float) -> list[float]:
    """Return the probability of each number of passes."""
    return [comb(tries, k) * rate**k * (1 - rate) ** (tries - k) for k in range(tries + 1)]


def power_to_keep(guards: int, margin: float, repeats: int, rate: float) -> float:
    """Return the probability that this many guards keep a margin and none is in doubt; 0.0 for too few."""
    if guards < max(MIN_GUARDS, guards_needed(margin)):
        return 0.0
    guard = _guard(repeats, rate)
    return (1 - guard.unsteady) ** guards * _mean_above(guards, margin, guard)


def _mean_above(guards: int, margin: float, guard: _Guard) -> float:
    # The probability that the plus-two lower bound of the mean difference (`stats.paired`) lies above −margin.
    weight = guards + 2
    mean = guards * guard.mean / weight
    squares = guards * (guard.variance + guard.mean**2)
    width = student_quantile(1 - LEVEL, guards - 1) * sqrt(((squares + 2) / weight - mean * mean) / weight)
    deviation = sqrt(guards * guard.variance) / weight
    needed = width - margin
    if deviation == 0:
        return float(mean > needed)
    return NormalDist().cdf((mean - needed) / deviation)


def guards_to_keep(margin: float, repeats: int, rate: float) -> int | None:
    """Return how many guards keep a margin with `TARGET_POWER` if nothing changed; None if 100,000 are not enough."""
    low, high = 0, 64
    while power_to_keep(high, margin, repeats, rate) < TARGET_POWER:
        low, high = high, high * 2
        if high > _MAX_GUARDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if power_to_keep(middle, margin, repeats, rate) < TARGET_POWER:
            low = middle
        else:
            high = middle
    return high


_HALVED = 0.5
# The repeats that are advised if the usual ones detect too little.
_MORE_REPEATS = 5


@dataclass(frozen=True, slots=True)
class Detection:
    """The probability that a worse case is called broken, with a screen of `repeats` tries.

    `unstable` stays in the JSON of a plan; by the present rule it takes several doubtful cases.
    """

    repeats: int
    broken: float
    unstable: float = 0.0


def detection(repeats: int, rate: float = _HALVED) -> Detection:
    """Return the chance that the gate calls a guard broken that production always passes and the candidate at `rate`.

    Exact if no other case is doubtful: the sum over the candidate's failures in the screen, without 0, which clears the
    case, and in the retest, times the chance that the confirmation proves the loss.
    """
    screened, retested = binomial(repeats, rate), binomial(RETEST, rate)
    total = repeats + RETEST
    doubtful = sum(
        screened[k] * retested[x]
        for k in range(repeats)
        for x in range(RETEST + 1)
        if fisher_greater(total, total, k + x, total) <= DOUBT
    )
    confirmed = binomial(CONFIRM, rate)
    proof = (p for x, p in enumerate(confirmed) if fisher_greater(CONFIRM, CONFIRM, x, CONFIRM) <= BROKEN)
    return Detection(repeats, doubtful * sum(proof))


def guards_for(margin: float, unsteady: int = 0) -> int:
    """Return how many guards a margin needs if `unsteady` of them are unstable and no other differs."""
    steady = bisect_left(range(1_000_000), True, lo=2, key=lambda n: Paired(n, 0.0, 0.0).p_above(-margin) <= LEVEL)
    return max(MIN_GUARDS, steady, guards_needed(margin, broken=unsteady))


@dataclass(frozen=True, slots=True)
class PassRate:
    """The share of tries that production passes of its guards; `day` is the calibration's in ISO 8601, or empty."""

    rate: float = ASSUMED_RATE
    day: str = ""


@dataclass(frozen=True, slots=True)
class MarginForecast:
    """What a margin, the gate's or a tag's, needs of a suite with this many `cases`.

    Attributes:
        about: names the tag, as in " of 'refunds'"; empty for the gate's margin.
        takes: the number of guards if all hold, and if one of them is unstable.
        kept: the probability that the present cases keep the margin if nothing changes; None on deterministic models.
        enough: how many cases keep it with `TARGET_POWER`; None if the present ones do, or none would.
        repeats: with how many repeats the present cases would; None likewise.
    """

    margin: float
    about: str
    cases: int
    takes: tuple[int, int]
    kept: float | None = None
    enough: int | None = None
    repeats: int | None = None

    @classmethod
    def of(
        cls, margin: float, about: str, cases: int, policy: Policy, rate: float, *, deterministic: bool
    ) -> MarginForecast:
        """Compute the forecast for production's pass `rate`."""
        takes = guards_for(margin), guards_for(margin, 1)
        if deterministic:
            return cls(margin, about, cases, takes)
        kept = power_to_keep(cases, margin, policy.repeats, rate)
        if kept >= TARGET_POWER:
            return cls(margin, about, cases, takes, kept)
        more = range(policy.repeats + 1, MAX_REPEATS + 1)
        repeats = next((count for count in more if power_to_keep(cases, margin, count, rate) >= TARGET_POWER), None)
        return cls(margin, about, cases, takes, kept, guards_to_keep(margin, policy.repeats, rate), repeats)

    @property
    def missing(self) -> int:
        """The number of missing cases."""
        return max(0, self.takes[0] - self.cases)

    def lines(self, passing: PassRate) -> Iterator[str]:
        """Yield the forecast in words."""
        fewest, with_one = self.takes
        margin = f"margin {fine_percent(self.margin)}{self.about}"
        said = f"{margin} needs {fewest} stable passing cases, {with_one} if one is unstable"
        yield said + (f": at least {number_of(self.missing, 'more case')}" if self.missing else "")
        if self.kept is None:
            return
        rate = f"if production passes {fine_percent(passing.rate)} of tries"
        measured = f", as in the calibration of {passing.day}" if passing.day else None
        rate += measured or " (`promptbench suite calibrate` measures it)"
        ways = [f"with {self.enough:,} cases"] if self.enough else []
        ways += [f"with 'repeats: {self.repeats}'"] if self.repeats else []
        more = f"in {percent(TARGET_POWER)} {' or '.join(ways)}" if ways else "and only more reliable cases would help"
        more = "" if self.kept >= TARGET_POWER else f", {more}"
        yield f"{rate}, a harmless change keeps it in {percent(self.kept)} of runs{more}"


@dataclass(frozen=True, slots=True)
class PowerForecast:
    """What the gate of a suite with this many cases can detect, and what its margins need.

    Clusters count as one case, quarantined cases not at all.

    Attributes:
        passing: production's pass rate.
        excludes: the break rate that is excluded if all cases hold.
        halved: the detection of a case that begins to fail half of the time, with the suite's and with more repeats;
            None on deterministic models, where one attempt shows a break.
        critical: the same for a `critical` case; None if there is none.
    """

    cases: int
    margins: tuple[MarginForecast, ...]
    passing: PassRate
    excludes: float
    halved: tuple[Detection, Detection] | None
    critical: Detection | None = None

    @classmethod
    def of(
        cls,
        cases: int,
        policy: Policy,
        *,
        deterministic: bool,
        tagged: Mapping[str, int] = MappingProxyType({}),
        passing: PassRate | None = None,
    ) -> PowerForecast:
        """Compute the forecast. `tagged` is the number of cases with each tag that the policy names."""
        passing = passing or PassRate()
        margins = [] if policy.margin == AUTO else [(float(policy.margin), "", cases)]
        for tag, wants in policy.tags.items():
            if wants.margin is not None:
                margins.append((wants.margin, f" of '{tag}'", tagged.get(tag, 0)))
        return cls(
            cases,
            tuple(MarginForecast.of(*item, policy, passing.rate, deterministic=deterministic) for item in margins),
            passing,
            excluded_rate(cases),
            None if deterministic else (detection(policy.repeats), detection(max(_MORE_REPEATS, policy.repeats + 2))),
            None if deterministic or not policy.critical_repeats else detection(policy.screen(critical=True)),
        )

    @property
    def missing(self) -> int:
        """The number of cases that the margins lack, if each new one has every tag."""
        return max((margin.missing for margin in self.margins), default=0)

    def lines(self) -> Iterator[str]:
        """Yield the forecast in words."""
        for margin in self.margins:
            yield from margin.lines(self.passing)
        if all(margin.about for margin in self.margins):
            said = f"if {number_of(self.cases, 'case')} hold, a break rate above {percent(self.excludes)} is excluded"
            goals = (
                f", with {guards_needed(g) - self.cases} more above {percent(g)}" for g in next_goal(self.excludes)
            )
            yield said + "".join(goals)
        if self.halved is None:
            yield "the model is deterministic: each case runs once, and every break is seen"
            return
        now, more = self.halved
        yield (
            f"a case that begins to fail half of the time is called broken in {percent(now.broken)} of runs; with "
            f"'repeats: {more.repeats}' in {percent(more.broken)}"
        )
        if self.critical:
            yield (
                f"a critical case runs {self.critical.repeats} times at first; if it fails half of the time, it is "
                f"called broken in {percent(self.critical.broken)} of runs"
            )
