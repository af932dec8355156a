"""How often `suggest` passes noise: `python -m tests.bench.suggest_noise [--draws N] [--uses M] [--only TEXT]`.

No proposal is better than production. Ten of them are tried on one half of the cases, the code of `suggest` chooses
which are judged, and the code of the gate and of `suggest` judges them on the other half. A figure is the share of
searches that end with PASS, with a fixed seed; the promise is at most 5 %, also over several uses of the same cases.
`naive` is the share in which the best proposal passes more of the cases that it was made from, which an optimizer
without held-out cases would report as a gain.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace

from promptbench.core.types import Attempt, AttemptKey, Outcome
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.candidates import judge_candidates
from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.false_alarms import independent_draws, simulate_run
from promptbench.gate.judge import GatedModel, Result
from promptbench.gate.policy import Policy
from promptbench.gate.trial import LookRecord
from promptbench.workflows.judge.suggest import judge_use
from promptbench.workflows.judge.suggest_search import TriedVersion, shortlist

MODEL, CHAMPION, SEED, PROPOSALS = "model", "champion", 20_261_128, 10
Rate = Callable[[random.Random], float]
"""Draws the pass rate of a case, which is that of all versions."""


@dataclass(frozen=True)
class Scene:
    """`cases` is the size of a half. On a deterministic model a version redraws `redrawn` of production's results."""

    name: str
    cases: int
    rate: Rate
    redrawn: float = 0.0

    @property
    def deterministic(self) -> bool:
        return self.redrawn > 0


SCENES = [
    Scene("varying model, all cases pass half of the time", 40, lambda chance: 0.5),
    Scene("varying model, rates from Beta(0.6, 0.6)", 40, lambda chance: chance.betavariate(0.6, 0.6)),
    Scene("varying model, a third fails, noise 0.1", 100, lambda chance: chance.choice((0.1, 0.9, 0.9))),
    Scene("deterministic, half fails, 20 % of results redrawn", 40, lambda chance: 0.5, 0.2),
    Scene("deterministic, 90 % fails, all results redrawn", 40, lambda chance: 0.1, 1.0),
    Scene("deterministic, 90 % fails, half of results redrawn", 100, lambda chance: 0.1, 0.5),
]


def searches(scene: Scene, uses: int, chance: random.Random) -> Iterator[tuple[bool, bool]]:
    """Yield for each use of the same held-out cases whether a proposal passes, and whether one seemed to be better."""
    names = [f"case {number}" for number in range(2 * scene.cases)]
    rates = {name: scene.rate(chance) for name in names}
    facts = {name: float(chance.random() < rate) for name, rate in rates.items()}
    for use in range(1, uses + 1):
        versions = [str(number) for number in range(PROPOSALS)]
        results = {CHAMPION: facts, **{version: _redrawn(scene, rates, facts, chance) for version in versions}}
        drawn = results if scene.deterministic else dict.fromkeys(results, rates)
        seen = names[: scene.cases]
        tried = [
            _tried(version, {name: float(chance.random() < of[name]) for name in seen}) for version, of in drawn.items()
        ]
        chosen = shortlist(tried)
        yield bool(chosen) and _passes(scene, names[scene.cases :], chosen, drawn, use, chance), bool(chosen)


def _redrawn(scene: Scene, rates: dict[str, float], facts: dict[str, float], chance: random.Random) -> dict[str, float]:
    return {
        name: float(chance.random() < rates[name]) if chance.random() < scene.redrawn else fact
        for name, fact in facts.items()
    }


def _tried(version: str, scores: dict[str, float]) -> TriedVersion:
    return TriedVersion(
        SimpleNamespace(hash=version), scores, sum(scores.values()), random.Random(version).randrange(900)
    )


def _passes(
    scene: Scene,
    held: list[str],
    chosen: list[TriedVersion],
    drawn: dict[str, dict[str, float]],
    use: int,
    chance: random.Random,
) -> bool:
    cases, record = [CaseInfo(name) for name in held], LookRecord({MODEL: (use,)})
    candidates = [item.version.hash for item in chosen]
    if scene.deterministic:
        table = AttemptMatrix(
            Attempt(AttemptKey(version, MODEL, name, 0), Outcome.PASSED if drawn[version][name] else Outcome.FAILED, "")
            for version in (CHAMPION, *candidates)
            for name in held
        )
    else:
        draw = independent_draws(drawn, chance)
        table = simulate_run(draw, CHAMPION, candidates, MODEL, cases, Policy(), record=record)
    verdicts = judge_candidates(
        table,
        champion=CHAMPION,
        candidates=candidates,
        models=[GatedModel(MODEL, scene.deterministic, scene.deterministic)],
        cases=cases,
        policy=Policy(),
        asked_all=True,
        record=record,
    )
    return any(verdict.result is Result.PASS for verdict, _, _ in judge_use(verdicts, use))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--uses", type=int, default=1, help="of the same held-out cases, one after the other")
    parser.add_argument("--only", default="", help="only the scenes with this in their names")
    options = parser.parse_args()
    print(f"| what is true ({options.draws:,} draws) | PASS, use 1 | PASS in any of {options.uses} uses | naive |")
    print("|---|---|---|---|")
    for scene in SCENES:
        if options.only not in scene.name:
            continue
        chance, first, ever, naive = random.Random(f"{SEED} {scene.name}"), 0, 0, 0
        for _ in range(options.draws):
            found = list(searches(scene, options.uses, chance))
            first += found[0][0]
            ever += any(passed for passed, _ in found)
            naive += found[0][1]
        shares = " | ".join(f"{count / options.draws * 100:.1f} %" for count in (first, ever, naive))
        print(f"| {scene.name}, {scene.cases} cases a half | {shares} |", flush=True)


if __name__ == "__main__":
    main()
