"""Simulate how often the gate errs on a suite: production judged against itself, at the pass rates of its cases.

Each case passes with the share of passes that was seen, for both prompts. Runs are simulated with the retries that the
gate needs, and judged by the code that judges runs; whatever it calls broken or fixed is a false alarm. Cases that
passed or failed every try cannot differ in a simulated run, so only flaky ones are simulated.

Not modelled: the rates are estimates, from 22 tries by default, and answers are independent of each other.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from promptbench.core.types import Attempt, AttemptKey, Outcome
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.candidates import smallest_level
from promptbench.gate.case_outcomes import CaseInfo, CaseOutcome, PromptPair
from promptbench.gate.judge import GatedModel, judge
from promptbench.gate.policy import Policy
from promptbench.gate.trial import NO_RECORD, LookRecord
from promptbench.stats.exact import clopper_pearson

# Takes a prompt and a case, returns True if the next answer passes.
Draw = Callable[[str, str], bool]


def independent_draws(rates: Mapping[str, Mapping[str, float]], chance: random.Random) -> Draw:
    """Return independent draws, each with the pass rate of its prompt and case."""
    return lambda variant, case: chance.random() < rates[variant][case]


def simulate_run(
    draw: Draw,
    champion: str,
    candidates: Sequence[str],
    model: str,
    cases: Sequence[CaseInfo],
    policy: Policy,
    *,
    record: LookRecord = NO_RECORD,
    table: AttemptMatrix | None = None,
) -> AttemptMatrix:
    """Return a run of one model that is not deterministic: the screen, then the stages that the gate needs.

    With a `table` that run is continued, as far as the looks of `record` need it.
    """
    table, holm = table or AttemptMatrix(), smallest_level(len(candidates))

    def fill(variant: str, case: str, tries: int) -> None:
        for repeat in range(len(table.cell(variant, model, case).codes), tries):
            table.add(_attempt(variant, model, case, repeat, passed=draw(variant, case)))

    for variant in dict.fromkeys((champion, *candidates)):
        for case in cases:
            fill(variant, case.name, policy.screen(critical=case.critical))
    open_ones = list(candidates)
    while open_ones:
        for candidate in list(open_ones):
            needed = PromptPair(
                table, champion, candidate, model, cases, policy, record=record, holm=holm
            ).needed_tries()
            for name, tries in needed.items():
                fill(champion, name, tries)
                fill(candidate, name, tries)
            if not needed:
                open_ones.remove(candidate)
    return table


@lru_cache(maxsize=65_536)
def _attempt(variant: str, model: str, case: str, repeat: int, *, passed: bool) -> Attempt:
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    return Attempt(AttemptKey(variant, model, case, repeat), outcome, request_hash="")


_SIMULATIONS, _MIN_SIMULATIONS, _MAX_CASES = 1_000, 200, 50_000
SEED = 20_261_124
_MODEL, _CHAMPION, _CANDIDATE = "model", "champion", "candidate"


@dataclass(frozen=True, slots=True)
class CaseRate:
    """The results of a case with the prompt in production."""

    case: CaseInfo
    passes: int
    tries: int

    @property
    def flaky(self) -> bool:
        """True if some tries passed and others failed."""
        return 0 < self.passes < self.tries


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """The number of simulations in which the gate called an unchanged case broken, fixed, or unstable."""

    simulations: int
    broken: int
    fixed: int
    unstable: int

    def interval(self, count: int) -> tuple[float, float]:
        """Return the exact 95 % interval of a count's share of the simulations."""
        return clopper_pearson(count, self.simulations)


def simulations_of(flaky: int) -> int:
    """Return the number of simulations: 1,000, or fewer for more than 50 flaky cases, down to 200."""
    return max(_MIN_SIMULATIONS, min(_SIMULATIONS, _MAX_CASES // max(1, flaky)))


def false_alarms(
    rates: Sequence[CaseRate], policy: Policy, *, simulations: int | None = None, seed: int = SEED
) -> FalseAlarms:
    """Judge production against itself in simulated runs."""
    flaky = [rate for rate in rates if rate.flaky]
    simulations = simulations_of(len(flaky)) if simulations is None else simulations
    if not flaky:
        return FalseAlarms(simulations, 0, 0, 0)
    cases = [rate.case for rate in flaky]
    passes = {rate.case.name: rate.passes / rate.tries for rate in flaky}
    draw = independent_draws({_CHAMPION: passes, _CANDIDATE: passes}, random.Random(seed))
    counts = dict.fromkeys((CaseOutcome.BROKEN, CaseOutcome.FIXED, CaseOutcome.UNSTABLE), 0)
    for _ in range(simulations):
        verdict = judge(
            simulate_run(draw, _CHAMPION, [_CANDIDATE], _MODEL, cases, policy),
            champion=_CHAMPION,
            candidate=_CANDIDATE,
            models=[GatedModel(_MODEL, deterministic=False)],
            cases=cases,
            policy=policy,
            asked_all=True,
        )
        for outcome in counts:
            counts[outcome] += verdict.models[0].count(outcome) > 0
    return FalseAlarms(simulations, counts[CaseOutcome.BROKEN], counts[CaseOutcome.FIXED], counts[CaseOutcome.UNSTABLE])
