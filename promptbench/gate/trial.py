"""The rule of the default gate: which tries it needs next, and what they prove about a candidate.

No p-value ignores how its tries were chosen: the tries are fresh, or the choice is part of the null distribution. The
tries of a case are numbered, and each stage takes the next ones, so the whole course follows from the tries alone and
anybody can derive it again.

1. *Screen.* Every case `screen` times with both prompts. A target is a case of which production fails at least half;
   all others pass before.
2. *Spread 1*, without a call: `spread_p` over the screens of the cases that pass before, truncated to what makes a
   case one of these (p₁).
3. *Retest.* `RETEST` fresh tries of both prompts at targets and at cases that the candidate failed; if p₁ ≤ `SUSPECT`
   also at cases that only production failed, so that the choice favours neither.
4. *Broken.* Where screen and retest together hint at a loss (Fisher's p ≤ `DOUBT`), `CONFIRM` fresh tries decide
   alone: Holm at `BROKEN` → broken; p ≤ `UNSTABLE` → unstable. Watched cases get twice as many whatever they showed.
5. *Spread 2*, where p₁ ≤ `SUSPECT`: the same test on the retests (p₂); the two combined: ≤ `LOSS` is a loss,
   ≤ `UNSURE` leaves it open.
6. *Fixed.* Two looks, half of `level(m)` each: Simes' p over all targets on the retest; then `CONFIRM` fresh tries of
   the promising ones, and Simes' p on retest and confirmation. Benjamini and Hochberg name the fixed cases.
7. *Continued.* The same candidate again gets more tries of what stood in the way, pooled with the earlier ones.

False alarms, whatever the rates: a FAIL where nothing is worse in at most `BROKEN` + `LOSS` = 5 %; a PASS with a fix
where nothing is better, over any number of candidates, in at most 5 %. `tests/bench/gate_simulation.py` measures both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import pi

from promptbench.stats.exact import fisher_greater, simes
from promptbench.stats.spread import Stratum, combined_p, spread_p

# The version of the rule, on record in evidence. `gate.first_rule` is version 1.
RULE = 2
SCREEN, RETEST, CONFIRM = 3, 12, 24
DOUBT, SUSPECT = 0.2, 0.3
BROKEN, UNSTABLE, LOSS, UNSURE = 0.04, 0.02, 0.01, 0.03

_fisher = lru_cache(maxsize=1 << 16)(fisher_greater)


def level(look: int) -> float:
    """Return the level of the m-th look at a fix against one production version: 0.05 · 6 / (π² m²).

    The levels of all looks add up to 5 %, since Σ 1/m² = π²/6.
    """
    return 0.3 / (pi * look) ** 2


@dataclass(frozen=True, slots=True)
class LookRecord:
    """What a verdict depends on besides the attempts of its run: by model, the numbers of its looks and watched cases.

    `looks` has the number m of the run's own look, then those of its continuations; a model without one has (1,).
    `rule` is the version of the rule by which the run was planned. `part` is set for a shard, which makes all tries
    that the whole suite may need.
    """

    looks: Mapping[str, Sequence[int]] = field(default_factory=dict)
    watched: Mapping[str, Collection[str]] = field(default_factory=dict)
    rule: int = RULE
    part: bool = False

    def looks_of(self, model: str) -> Sequence[int]:
        """Return the numbers of the looks on a model."""
        return self.looks.get(model) or (1,)


NO_RECORD = LookRecord()


@dataclass(frozen=True, slots=True)
class Tries:
    """All tries of one case, each True (passed), False (failed) or None (no answer).

    `screen` is how many of them are the screen. `must` says that the case has to be fixed if production fails it;
    `watched` that an earlier candidate broke it, or that it was in doubt when a run ended without a verdict.
    """

    name: str
    production: Sequence[bool | None]
    candidate: Sequence[bool | None]
    screen: int = SCREEN
    must: bool = False
    watched: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """Passes of answered tries of both prompts."""

    production: int = 0
    production_tries: int = 0
    candidate: int = 0
    candidate_tries: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.production + other.production,
            self.production_tries + other.production_tries,
            self.candidate + other.candidate,
            self.candidate_tries + other.candidate_tries,
        )

    @property
    def production_fails(self) -> bool:
        """True if production fails at least half of its tries, of one or more."""
        return bool(self.production_tries) and 2 * (self.production_tries - self.production) >= self.production_tries

    @property
    def candidate_failures(self) -> int:
        return self.candidate_tries - self.candidate

    @property
    def production_failures(self) -> int:
        return self.production_tries - self.production

    @property
    def p_worse(self) -> float:
        """Fisher's one-sided p that the candidate passes less often."""
        return _fisher(self.production, self.production_tries, self.candidate, self.candidate_tries)

    @property
    def p_better(self) -> float:
        """Fisher's one-sided p that the candidate passes more often."""
        return _fisher(self.candidate, self.candidate_tries, self.production, self.production_tries)


NOTHING = Count()


@dataclass(slots=True)
class CaseTrial:
    """How far one case has come; `used` tries of it are counted.

    `screen` and `retest` are the first two stages, `again` the retests of a continuation. `loss` are the fresh tries
    that decide whether a doubtful case is broken, `gain` those that confirm a fix.
    """

    tries: Tries
    used: int = 0
    screen: Count = NOTHING
    retest: Count = NOTHING
    again: Count = NOTHING
    loss: Count = NOTHING
    gain: Count = NOTHING
    target: bool = False
    retested: bool = False
    doubtful: bool = False
    promising: bool = False
    p_fixed: float = 1.0
    broken: bool = False
    unstable: bool = False
    fixed: bool = False

    @property
    def name(self) -> str:
        return self.tries.name

    @property
    def reproduced(self) -> bool:
        """True for a target of which production fails at least half of the retest."""
        return self.target and self.retest.production_fails

    @property
    def uncleared(self) -> bool:
        """True if a loss was suspected and the fresh tries do not clear the case of it."""
        return self.doubtful and self.loss.p_worse <= DOUBT


@dataclass(slots=True)
class Trial:
    """The course of one candidate on one model.

    `looks` are the numbers m of the looks so far, the first run's and those of its continuations; `share` is the part
    of the level that is left to this candidate where several are judged at once; `part` is as in `LookRecord`. `wants`
    has by case how many tries in all the next stage takes of both prompts; the results count only when it is empty.
    """

    cases: list[CaseTrial]
    looks: Sequence[int] = (1,)
    share: float = 1.0
    part: bool = False
    wants: dict[str, int] = field(default_factory=dict)
    p_first_spread: float = 1.0
    p_spread: float = 1.0
    p_fixed: float = 1.0
    fix_proven: bool = False

    @classmethod
    def of(
        cls, tries: Iterable[Tries], looks: Sequence[int] = (1,), share: float = 1.0, *, part: bool = False
    ) -> Trial:
        """Follow the rule as far as the tries reach."""
        trial = cls([CaseTrial(item) for item in tries], looks, share, part)
        for _ in trial._stages():
            if trial.wants:
                break
        return trial

    @property
    def targets(self) -> list[CaseTrial]:
        return [case for case in self.cases if case.target]

    @property
    def lost(self) -> bool:
        """True if the passing cases together pass less often, though no single one need be broken."""
        return self.p_spread <= LOSS

    @property
    def maybe_lost(self) -> bool:
        """True if the passing cases together may pass less often."""
        return LOSS < self.p_spread <= UNSURE

    @property
    def p_worse(self) -> float:
        """The p of the claim that the candidate breaks a case or loses passes: at most `BROKEN` + `LOSS` where it does.

        The smaller of Holm's first p over the doubtful cases and that of the spread, each by its share of the level.
        """
        doubtful = [case.loss.p_worse for case in self.cases if case.doubtful]
        broken = len(doubtful) * min(doubtful, default=1.0)
        return min(1.0, (BROKEN + LOSS) * min(broken / BROKEN, self.p_spread / LOSS))

    def level(self, number: int = -1) -> float:
        """Return the level of one of the looks, the last by default."""
        return level(self.looks[number]) * self.share

    def _stages(self) -> Iterator[None]:
        """Take the tries of one stage after the other; stop after a stage of which tries are missing."""
        for case in self.cases:
            case.screen = self._take(case, case.tries.screen)
            case.target = case.screen.production_fails
        yield
        self._retest()
        yield
        self._confirm()
        yield
        self._judge()
        for number in range(1, len(self.looks)):
            self._continue(number)
            yield
            self._judge()

    def _retest(self) -> None:
        self.p_first_spread = spread_p(_stratum(case.screen, selected=True) for case in self.cases if not case.target)
        suspect = self.part or self.p_first_spread <= SUSPECT
        for case in self.cases:
            screen = case.screen
            failed = screen.candidate_failures or (suspect and screen.production_failures)
            case.retested = bool(screen.production_tries and screen.candidate_tries and (case.target or failed))
            if case.retested:
                case.retest = self._take(case, RETEST)

    def _confirm(self) -> None:
        for case in self.cases:
            watched = case.tries.watched
            case.promising = case.target and case.retest.p_better <= DOUBT
            case.doubtful = watched or (case.retested and (case.screen + case.retest).p_worse <= DOUBT)
            if case.doubtful:
                case.loss = self._take(case, CONFIRM * (2 if watched else 1))
        self._look(self.targets, looks=2, number=0)
        if not self._proven():
            self._more_fixes()
            self._look([case for case in self.targets if case.promising], looks=2, number=0)

    def _continue(self, number: int) -> None:
        """Take more tries of what stood in the way of a verdict."""
        more_spread = self.p_spread <= UNSURE
        for case in self.cases:
            if case.broken or case.unstable:
                case.loss = case.loss + self._take(case, CONFIRM)
            if more_spread and case.retested and not case.target:
                case.again = case.again + self._take(case, RETEST)
        if not self._proven():
            self._more_fixes()
            self._look([case for case in self.targets if case.promising], looks=1, number=number)

    def _more_fixes(self) -> None:
        for case in self.targets:
            if case.promising:
                case.gain = case.gain + self._take(case, CONFIRM)

    def _look(self, cases: Sequence[CaseTrial], *, looks: int, number: int) -> None:
        """Look at the fixes of `cases` by all their tries after the screen; of other targets nothing is claimed."""
        looked = {id(case) for case in cases}
        for case in self.targets:
            case.p_fixed = (case.retest + case.gain).p_better if id(case) in looked else 1.0
        p = [case.p_fixed for case in self.targets]
        bound = self.level(number) / looks
        # Of several looks the best one counts, since each has its own part of the level.
        self.p_fixed = min(self.p_fixed, looks * simes(p))
        named = fixed_by_discovery_rate(p, bound)
        for case, fixed in zip(self.targets, named, strict=True):
            case.fixed = case.fixed or (case.p_fixed <= bound if case.tries.must else fixed)
        self.fix_proven = self.fix_proven or any(named)

    def _proven(self) -> bool:
        """Return whether no more tries are needed for fixes: one is proven, and each that has to be."""
        must = [case for case in self.targets if case.tries.must and case.promising]
        return not self.part and self.fix_proven and all(case.fixed for case in must)

    def _judge(self) -> None:
        p = {case.name: case.loss.p_worse for case in self.cases if case.doubtful}
        left, broken = len(p), set[str]()
        for name in sorted(p, key=p.__getitem__):
            if p[name] * left > BROKEN:
                break
            broken.add(name)
            left -= 1
        for case in self.cases:
            case.broken = case.name in broken
            case.unstable = case.doubtful and not case.broken and p[case.name] <= UNSTABLE
        self.p_spread = 1.0
        if self.p_first_spread <= SUSPECT:
            retests = (case.retest + case.again for case in self.cases if case.retested and not case.target)
            self.p_spread = combined_p(self.p_first_spread, spread_p(map(_stratum, retests)))

    def _take(self, case: CaseTrial, tries: int) -> Count:
        """Count the next tries of a case. If they were not all made, note that they are wanted."""
        start, case.used = case.used, case.used + tries
        theirs, ours = case.tries.production[start : case.used], case.tries.candidate[start : case.used]
        if len(theirs) < tries or len(ours) < tries:
            self.wants[case.name] = case.used
        return _count(tuple(theirs), tuple(ours))


@lru_cache(maxsize=1 << 14)
def _count(theirs: tuple[bool | None, ...], ours: tuple[bool | None, ...]) -> Count:
    # Cached because most cases of a run are alike.
    return Count(theirs.count(True), len(theirs) - theirs.count(None), ours.count(True), len(ours) - ours.count(None))


def fixed_by_discovery_rate(p: Sequence[float], bound: float) -> list[bool]:
    """Return which hypotheses Benjamini and Hochberg's procedure rejects (1995, JRSS B 57:289).

    It rejects any exactly where Simes' p is at most `bound`.
    """
    order = sorted(range(len(p)), key=p.__getitem__)
    most = max((rank for rank, index in enumerate(order, 1) if p[index] * len(p) <= bound * rank), default=0)
    named = set(order[:most])
    return [index in named for index in range(len(p))]


def _stratum(count: Count, *, selected: bool = False) -> Stratum:
    least = count.production_tries // 2 + 1 if selected else 0
    return count.production_tries, count.candidate_tries, count.production, count.candidate, least
