"""How often the gate errs: `python -m tests.bench.margin_simulation [--write]`.

Cases answer by chance, with a rate of their own under either prompt; the gate asks, asks again what it wants, and
judges, by the code that judges runs. Each figure is the share of verdicts over so many simulated runs, with its Monte
Carlo standard error; the seed is fixed. `--write` puts the table into the guide to the verdict.
"""

from __future__ import annotations

import argparse
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promptbench
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.candidates import judge_candidates
from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.drift import drift
from promptbench.gate.false_alarms import independent_draws, simulate_run
from promptbench.gate.judge import GatedModel, Result
from promptbench.gate.policy import CRITICAL_REPEATS, Policy
from promptbench.gate.power import guards_to_keep

GUIDE = Path(promptbench.__file__).parent / "docs" / "guides" / "verdict.md"
MODEL, CHAMPION = "model", "champion"
SEED = 20_261_124

Rates = Sequence[tuple[float, float]]
"""For each case the probability that champion and candidate pass it."""


@dataclass(frozen=True)
class Scene:
    """`rates` by candidate; `promise` is the most (or with `power` the least) share of PASS that is promised."""

    name: str
    champion: str
    rates: Mapping[str, Rates]
    policy: Policy
    promise: float | None = None
    power: bool = False
    broken_each: float = 0.0
    """With this probability each guard falls, anew in each run: to `falls_to` of its rate."""
    falls_to: float = 0.0
    together: int = 1
    """So many guards, one after the other, fall together."""
    told: bool = False
    """Whether the gate is told which."""
    critical: bool = False
    """Whether the last case is."""
    nightly: bool = False
    """Whether what passes is asked again and held against that, which is what decides then."""


FIXES: Rates = [(0.0, 1.0)] * 5
MARGIN, AUTO = Policy(margin=0.05), Policy()
CANDIDATE = "candidate"


def simulated(scene: Scene, chance: random.Random) -> Result:
    """The best verdict of one run."""
    cases = _cases(scene)
    table = _run(scene, cases, chance)
    verdicts = judge_candidates(
        table,
        champion=CHAMPION,
        candidates=list(scene.rates),
        models=[GatedModel(MODEL, deterministic=False)],
        cases=cases,
        policy=scene.policy,
        asked_all=True,
    )
    best = Result.PASS if any(verdict.result is Result.PASS for verdict in verdicts) else verdicts[0].result
    return _a_night_later(scene, cases, table, chance) if scene.nightly and best is Result.PASS else best


def _run(scene: Scene, cases: Sequence[CaseInfo], chance: random.Random) -> AttemptMatrix:
    names = [case.name for case in cases]
    passes = {name: dict(zip(names, _fallen(scene, pairs, chance), strict=True)) for name, pairs in scene.rates.items()}
    theirs = (theirs for theirs, _ in next(iter(scene.rates.values())))
    passes[CHAMPION] = dict(zip(names, theirs, strict=True))
    return simulate_run(independent_draws(passes, chance), CHAMPION, list(scene.rates), MODEL, cases, scene.policy)


def _cases(scene: Scene) -> list[CaseInfo]:
    """The guards stand behind the fixes; so many of them in a row are a cluster, where the gate is told."""
    count = len(next(iter(scene.rates.values())))
    return [
        CaseInfo(
            f"case {number}",
            critical=scene.critical and number == count - 1,
            cluster=f"cluster {(number - len(FIXES)) // scene.together}" if scene.told and number >= len(FIXES) else "",
        )
        for number in range(count)
    ]


def _fallen(scene: Scene, pairs: Rates, chance: random.Random) -> list[float]:
    """The candidate's rates, those of guards that fall together alike."""
    found: list[float] = []
    falls = False
    for number, (theirs, mine) in enumerate(pairs):
        if (number - len(FIXES)) % scene.together == 0:
            falls = chance.random() < scene.broken_each
        found.append(scene.falls_to * mine if falls and theirs > 0.5 else mine)
    return found


def _a_night_later(scene: Scene, cases: Sequence[CaseInfo], promoted: AttemptMatrix, chance: random.Random) -> Result:
    """What was promoted is asked again, and nothing has changed."""
    rates = dict(zip((case.name for case in cases), (mine for _, mine in scene.rates[CANDIDATE]), strict=True))
    table = simulate_run(independent_draws({CANDIDATE: rates}, chance), CANDIDATE, [], MODEL, cases, scene.policy)
    found = drift(table, promoted, CANDIDATE, MODEL, cases, scene.policy.repeats, "")
    return Result.FAIL if found and found.significant else Result.PASS


def steady(count: int, champion: float, candidate: float) -> Rates:
    return [(champion, candidate)] * count


def scenes() -> Iterator[Scene]:
    """What is promised, and what is worth knowing besides."""
    for rate in (1.0, 0.99, 0.98, 0.95, 0.9):
        scene = {CANDIDATE: [*FIXES, *steady(100, rate, rate)]}
        # It is missed where production fails what it can do more often than in 2 of 100 tries, and the table says so.
        yield Scene("5 fixes, 100 guards as before", f"{rate:.2f}", scene, MARGIN, 0.93, power=True)
    enough = guards_to_keep(0.05, MARGIN.repeats, 0.95) or 0
    scene = {CANDIDATE: [*FIXES, *steady(enough, 0.95, 0.95)]}
    yield Scene(f"5 fixes, {enough} guards as before", "0.95", scene, MARGIN, 0.93, power=True)
    for rate in (1.0, 0.98, 0.9):
        scene = {CANDIDATE: [*FIXES, *steady(99, rate, rate), (rate, 0.0)]}
        yield Scene("5 fixes, 1 of 100 guards broken", f"{rate:.2f}", scene, MARGIN, 0.03)
    for rate in (1.0, 0.98, 0.9):
        scene = {CANDIDATE: [*FIXES, *steady(100, rate, rate)]}
        yield Scene("5 fixes, each guard broken with 5 %", f"{rate:.2f}", scene, MARGIN, 0.05, broken_each=0.05)
    for rate in (1.0, 0.98):
        scene = {CANDIDATE: [*FIXES, *steady(59, rate, rate)]}
        yield Scene("the same with 59 guards", f"{rate:.2f}", scene, MARGIN, 0.05, broken_each=0.05)
    for rate in (1.0, 0.98, 0.9):
        scene = {CANDIDATE: [*FIXES, *steady(100, rate, rate - 0.05)]}
        yield Scene("5 fixes, all guards 5 points worse", f"{rate:.2f}", scene, MARGIN, 0.05)
    for rate in (0.98, 0.9):
        # Flips in both directions: twenty guards of even chance rise or fall by a quarter, and all lose the margin.
        pairs = [*FIXES, *steady(80, rate, rate - 0.05), *steady(10, 0.7, 0.9), *steady(10, 0.7, 0.4)]
        yield Scene("5 fixes, flips both ways, 5 points worse", f"{rate:.2f}", {CANDIDATE: pairs}, MARGIN, 0.05)
    for told, count in ((False, 20), (True, 20), (True, 60)):
        scene = {CANDIDATE: [*FIXES, *steady(5 * count, 1.0, 1.0)]}
        known = "clusters" if told else "no clusters"
        name = f"each of {count} conversations broken with 5 %, 5 guards of each, {known}"
        yield Scene(name, "1.00", scene, MARGIN, 0.05, broken_each=0.05, together=5, told=told)
    for told in (False, True):
        scene = {CANDIDATE: [*FIXES, *steady(200, 1.0, 1.0)]}
        name = f"half of 20 conversations 10 points worse, 10 guards of each, {'clusters' if told else 'no clusters'}"
        falls: dict[str, Any] = {"broken_each": 0.5, "falls_to": 0.9, "together": 10, "told": told}
        yield Scene(name, "1.00", scene, MARGIN, 0.05, **falls)
    for rate in (0.98, 0.9):
        pairs = [*FIXES, *steady(100, rate, rate)]
        name = "promoted with 5 fixes and 100 guards, asked again, nothing changed"
        yield Scene(name, f"{rate:.2f}", {CANDIDATE: pairs}, AUTO, 0.98, power=True, nightly=True)
    for count in (1, 3, 6):
        pairs = [*steady(12, 0.4, 0.4), *steady(10, 1.0, 1.0)]
        scene = {f"candidate {number}": pairs for number in range(count)}
        name = f"no fix of 12 flaky failures, {count} {'candidate' if count == 1 else 'candidates'}, no margin"
        yield Scene(name, "0.40", scene, AUTO, 0.05 if count > 1 else None)
    halved = {CANDIDATE: [*FIXES, *steady(9, 1, 1), (1, 0.5)]}
    yield Scene("1 case halved among 10, no margin", "1.00", halved, AUTO)
    critical = Policy(critical_repeats=CRITICAL_REPEATS)
    yield Scene("1 `critical` case halved among 10, no margin", "1.00", halved, critical, 0.03, critical=True)
    yield Scene("as before, 50 guards, no margin", "0.90", {"c": [*FIXES, *steady(50, 0.9, 0.9)]}, AUTO)


def rows(draws: int, seed: int) -> Iterator[str]:
    yield "| what is true | champion passes | PASS | INCONCLUSIVE | FAIL | promised |"
    yield "|---|---|---|---|---|---|"
    for number, scene in enumerate(scenes()):
        chance = random.Random(seed + number)
        found = [simulated(scene, chance) for _ in range(draws)]
        shares = [found.count(result) / draws for result in (Result.PASS, Result.INCONCLUSIVE, Result.FAIL)]
        shown = " | ".join(_share(share, draws) for share in shares)
        yield f"| {scene.name} | {scene.champion} | {shown} | {_promise(scene, shares[0], draws)} |"


def _share(share: float, draws: int) -> str:
    error = math.sqrt(share * (1 - share) / draws)
    return f"{share * 100:.1f} % ± {error * 100:.1f}"


def _promise(scene: Scene, passed: float, draws: int) -> str:
    """The promise, and whether it is missed beyond what chance explains."""
    if scene.promise is None:
        return ""
    error = math.sqrt(scene.promise * (1 - scene.promise) / draws)
    side = -1 if scene.power else 1
    missed = side * (passed - scene.promise) > 2 * error
    return f"PASS {'≥' if scene.power else '≤'} {scene.promise * 100:.0f} %{', **missed**' if missed else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--write", action="store_true", help="put the table into the guide")
    options = parser.parse_args()
    lines = []
    for line in rows(options.draws, options.seed):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        table = "\n".join(lines)
        about = f"<!-- python -m tests.bench.margin_simulation --draws {options.draws} --write -->"
        text = GUIDE.read_text(encoding="utf-8")
        found = re.compile(r"<!-- python -m tests\.bench\.margin_simulation[^\n]*-->\n.*?<!-- end -->", re.DOTALL)
        written, count = found.subn(lambda _: f"{about}\n\n{table}\n\n<!-- end -->", text)
        if not count:
            raise SystemExit(f"{GUIDE} has no place for the table")
        GUIDE.write_text(written, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
