"""How often the gate errs on a suite: production judged against itself, by the rates at which its cases pass.

Each case passes with the share of passes that was seen. Runs are drawn with these rates for both prompts, asked again
where the gate wants it, and judged by the code that judges runs; whatever it calls broken or fixed then is not. Cases
that passed or failed every try cannot differ in a drawn run, so only flaky ones are drawn.

What it leaves out: the rates are estimates, of 22 tries by default, and answers are drawn independently of each other.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from promptbench.gate.flips import CaseInfo, Flip
from promptbench.gate.judge import GatedModel, judge
from promptbench.gate.policy import Policy
from promptbench.gate.simulation import drawn, draws
from promptbench.gate.table import Cell
from promptbench.stats.beta import clopper_pearson

_SIMULATIONS, _FEWEST, _MOST_CASES = 1_000, 200, 50_000
SEED = 20_261_124
_MODEL, _CHAMPION, _CANDIDATE = "model", "champion", "candidate"


@dataclass(frozen=True, slots=True)
class Rate:
    """What was seen of a case with the prompt in production."""

    case: CaseInfo
    passes: int
    tries: int

    @classmethod
    def of(cls, case: CaseInfo, cell: Cell) -> Rate:
        return cls(case, cell.passes, cell.total)

    @property
    def flaky(self) -> bool:
        return 0 < self.passes < self.tries


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Of so many runs in which nothing changed, in how many the gate called a case broken, fixed, or unstable."""

    simulations: int
    broken: int
    fixed: int
    unstable: int

    def interval(self, count: int) -> tuple[float, float]:
        """The exact 95 % interval of the share that a count is of."""
        return clopper_pearson(count, self.simulations)


def simulations_of(flaky: int) -> int:
    """How many runs are drawn of so many flaky cases: 1,000, or fewer of more than 50, down to 200."""
    return max(_FEWEST, min(_SIMULATIONS, _MOST_CASES // max(1, flaky)))


def false_alarms(
    rates: Sequence[Rate], policy: Policy, *, simulations: int | None = None, seed: int = SEED
) -> FalseAlarms:
    """Production against itself, so many times."""
    flaky = [rate for rate in rates if rate.flaky]
    simulations = simulations_of(len(flaky)) if simulations is None else simulations
    if not flaky:
        return FalseAlarms(simulations, 0, 0, 0)
    cases = [rate.case for rate in flaky]
    passes = {rate.case.name: rate.passes / rate.tries for rate in flaky}
    draw = draws({_CHAMPION: passes, _CANDIDATE: passes}, random.Random(seed))
    counts = dict.fromkeys((Flip.BROKEN, Flip.FIXED, Flip.UNSTABLE), 0)
    for _ in range(simulations):
        verdict = judge(
            drawn(draw, _CHAMPION, [_CANDIDATE], _MODEL, cases, policy),
            champion=_CHAMPION,
            candidate=_CANDIDATE,
            models=[GatedModel(_MODEL, deterministic=False)],
            cases=cases,
            policy=policy,
            asked_all=True,
        )
        for flip in counts:
            counts[flip] += verdict.models[0].count(flip) > 0
    return FalseAlarms(simulations, counts[Flip.BROKEN], counts[Flip.FIXED], counts[Flip.UNSTABLE])
