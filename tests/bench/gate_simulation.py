"""How often the default gate errs: `python -m tests.bench.gate_simulation [--draws N] [--only TEXT] [--write]`.

Cases answer by chance, with a pass rate of their own under either prompt. The gate plans, asks again what it needs, and
judges, by the code that judges runs. A figure is a share of runs, with a fixed seed. The reference is a simulation of
the same rule that was written apart from this code, with 1,000 to 2,000 runs a row; `missed` marks a promise that is
missed by more than two standard errors. `--write` puts the table into the guide to the verdict.
"""

from __future__ import annotations

import argparse
import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import promptbench
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo, CaseOutcome
from promptbench.gate.false_alarms import independent_draws, simulate_run
from promptbench.gate.judge import GatedModel, Result, Verdict, judge
from promptbench.gate.policy import Policy
from promptbench.gate.trial import LookRecord

GUIDE = Path(promptbench.__file__).parent / "docs" / "guides" / "verdict.md"
MODEL, CHAMPION, CANDIDATE, POLICY = "model", "champion", "candidate", Policy()
SEED, RUNS = 20_261_128, 10

Group = tuple[int, float, float]
"""How many cases, production's pass rate, the candidate's."""


@dataclass(frozen=True)
class Scene:
    """`reference` has the shares of PASS, FAIL and PASS with a fix, and calls relative to the screen, if known.

    `promise` names a share, `<` or `>`, and its bound.
    """

    name: str
    groups: Sequence[Group]
    reference: tuple[float, float, float, float] | None = None
    promise: tuple[str, str, float] | None = None
    also: tuple[str, str, float] | None = None
    look: int = 1
    drawn: tuple[float, float] | None = None
    """Instead of the groups' rates: those of a beta distribution, drawn anew in each run, the same for both."""


FIVE: Group = (5, 0.1, 0.95)


def scenes() -> Iterator[Scene]:
    same = {
        (30, 1.0): (1.0, 0.0, 0.0, 1.0), (30, 0.98): (1.0, 0.001, 0.0, 1.25), (30, 0.9): (0.979, 0.011, 0.001, 2.56),
        (30, 0.7): (0.456, 0.018, 0.011, 4.92), (30, 0.6): (0.025, 0.025, 0.008, 5.5),
        (100, 1.0): (1.0, 0.0, 0.0, 1.0), (100, 0.98): (0.989, 0.005, 0.0, 1.28),
        (100, 0.9): (0.969, 0.012, 0.002, 2.61), (100, 0.7): (0.074, 0.015, 0.005, 4.94),
        (100, 0.6): (0.011, 0.025, 0.011, 5.51),
    }  # fmt: skip
    for (count, rate), reference in same.items():
        name = f"same prompt, noise {1 - rate:.2g}, {count} cases"
        yield Scene(name, [(count, rate, rate)], reference, ("fix", "<", 0.03), also=("fail", "<", 0.05))
    for beta, reference in (((0.6, 0.2), (0.007, 0.016, 0.007, 3.05)), ((1.0, 1.0), (0.004, 0.022, 0.004, 5.12))):
        name = f"same prompt, rates from Beta{beta}, 100 cases"
        yield Scene(name, [(100, 0, 0)], reference, ("fix", "<", 0.03), ("fail", "<", 0.05), drawn=beta)
    name = "no change in the mean: 50 guards 1 → .95, 50 back"
    yield Scene(name, [(50, 1, 0.95), (50, 0.95, 1)], (0.951, 0.025, 0.001, 1.42))
    worse = [
        (1, 1, 0, 0.95, (0.0, 1.0, 0.0, 2.07), ("fail", ">", 0.995)),
        (1, 0.7, 0, 0.95, (0.0, 1.0, 0.0, 2.03), ("fail", ">", 0.995)),
        (1, 1, 0.5, 1, (0.137, 0.863, 0.137, 1.29), ("pass", "<", 0.16)),
        (1, 0.95, 0.475, 0.95, (0.152, 0.842, 0.152, 2.02), ("pass", "<", 0.16)),
        (5, 0.95, 0.475, 0.95, (0.0, 1.0, 0.0, 2.53), ("pass", "<", 0.16)),
        (1, 1, 0.7, 0.98, (0.479, 0.514, 0.479, 1.52), None),
        (3, 1, 0.7, 0.98, (0.107, 0.887, 0.107, 1.69), ("pass", "<", 0.12)),
        (10, 1, 0.8, 0.98, (0.13, 0.818, 0.13, 1.99), None),
        (3, 1, 0.9, 0.98, (0.955, 0.031, 0.955, 1.51), None),
    ]
    for k, old, new, rest, reference, promise in worse:
        name = f"5 fixes, {k} of 100 guards {old:g} → {new:g}, others {rest:g}"
        yield Scene(name, [FIVE, (k, old, new), (100 - k, rest, rest)], reference, promise)
    kept = {
        (30, 1.0): (1.0, 0.0, 1.0, 1.56), (30, 0.98): (1.0, 0.001, 1.0, 1.78), (30, 0.9): (0.988, 0.008, 0.988, 2.88),
        (100, 1.0): (1.0, 0.0, 1.0, 1.19), (100, 0.98): (0.991, 0.002, 0.991, 1.45),
        (100, 0.95): (0.988, 0.005, 0.988, 1.9), (100, 0.9): (0.977, 0.009, 0.977, 2.72),
        (100, 0.8): (0.923, 0.015, 0.923, 4.03),
    }  # fmt: skip
    promised = {(100, 0.98): 0.99, (100, 0.95): 0.98, (100, 0.9): 0.97}
    for (count, rate), reference in kept.items():
        bound = promised.get((count, rate))
        name = f"5 fixes, {count} guards as before at {rate:g}"
        yield Scene(name, [FIVE, (count, rate, rate)], reference, ("pass", ">", bound) if bound else None)
    spread: list[tuple[int, float, float, tuple[float, float, float, float], float | None]] = [
        (30, 1, 0.95, (0.604, 0.223, 0.574, 1.83), None), (30, 1, 0.9, (0.044, 0.92, 0.029, 2.97), 0.06),
        (30, 1, 0.8, (0.0, 1.0, 0.0, 5.87), 0.005), (30, 0.9, 0.8, (0.224, 0.672, 0.21, 5.01), None),
        (100, 1, 0.95, (0.006, 0.986, 0.003, 1.75), 0.015), (100, 0.9, 0.85, (0.239, 0.629, 0.229, 3.93), None),
        (100, 0.9, 0.8, (0.005, 0.991, 0.005, 5.17), None),
    ]  # fmt: skip
    for count, old, new, reference, most in spread:
        name = f"1 fix, all {count} guards {old:g} → {new:g}"
        promise = ("pass", "<", most) if most else None
        yield Scene(name, [(1, 0.1, 0.95), (count, old, new)], reference, promise)
    targets: list[tuple[int, int, float, float, float, tuple[float, float, float, float], float | None]] = [
        (1, 0, 0.1, 0.95, 1, (1.0, 0.0, 0.972, 1.13), None), (1, 19, 0.2, 0.95, 1, (0.875, 0.015, 0.875, 3.06), None),
        (3, 17, 0.2, 0.95, 1, (0.977, 0.018, 0.977, 2.9), None), (1, 0, 0.3, 0.9, 0.98, (0.987, 0.0, 0.763, 1.4), None),
        (3, 0, 0.5, 0.9, 0.98, (0.97, 0.0, 0.781, 1.62), 0.95), (3, 0, 0.6, 0.9, 0.98, (0.96, 0.0, 0.501, 1.56), None),
    ]  # fmt: skip
    for k, others, old, new, rest, reference, least in targets:
        name = f"{k} of {k + others} targets {old:g} → {new:g}, 30 guards {rest:g}"
        promise = ("pass", ">", least) if least else None
        yield Scene(name, [(k, old, new), (others, old, old), (30, rest, rest)], reference, promise)
    for look, reference in ((5, (0.997, 0.0, 0.942, 1.82)), (20, (0.976, 0.0, 0.92, 1.93))):
        groups = [(3, 0.4, 0.95), (30, 0.98, 0.98)]
        yield Scene(f"look {look}: 3 targets .4 → .95, 30 guards .98", groups, reference, look=look)


def drawn_rates(scene: Scene, chance: random.Random) -> tuple[list[float], list[float]]:
    if scene.drawn is not None:
        rates = [chance.betavariate(*scene.drawn) for count, _, _ in scene.groups for _ in range(count)]
        return rates, rates
    groups = scene.groups
    return [old for n, old, _ in groups for _ in range(n)], [new for n, _, new in groups for _ in range(n)]


def judged(
    rates: tuple[list[float], list[float]],
    chance: random.Random,
    record: LookRecord,
    table: AttemptMatrix | None = None,
) -> tuple[Verdict, AttemptMatrix]:
    """Make a run, or continue the one in the table, and judge it."""
    cases = [CaseInfo(f"case {number}") for number in range(len(rates[0]))]
    names = [case.name for case in cases]
    both = {side: dict(zip(names, of, strict=True)) for side, of in zip((CHAMPION, CANDIDATE), rates, strict=True)}
    draw = independent_draws(both, chance)
    table = simulate_run(draw, CHAMPION, [CANDIDATE], MODEL, cases, POLICY, record=record, table=table)
    verdict = judge(
        table,
        champion=CHAMPION,
        candidate=CANDIDATE,
        models=[GatedModel(MODEL, deterministic=False)],
        cases=cases,
        policy=POLICY,
        asked_all=True,
        record=record,
    )
    return verdict, table


def measure(scene: Scene, draws: int, chance: random.Random) -> dict[str, float]:
    counts: Counter[str] = Counter()
    calls = 0.0
    for _ in range(draws):
        rates = drawn_rates(scene, chance)
        verdict, table = judged(rates, chance, LookRecord({MODEL: (scene.look,)}))
        counts[verdict.result] += 1
        trial = verdict.models[0].trial
        counts["fix"] += verdict.result is Result.PASS and trial is not None and trial.fix_proven
        calls += table.answers() / (2 * POLICY.repeats * len(rates[0]))
    shares = {"pass": counts[Result.PASS], "fail": counts[Result.FAIL], "fix": counts["fix"]}
    return {**{name: count / draws for name, count in shares.items()}, "calls": calls / draws}


def row(scene: Scene, found: dict[str, float], draws: int) -> str:
    shown = dict(zip(("pass", "fail", "fix", "calls"), scene.reference or (), strict=False))
    cells = [f"{found[key] * 100:.1f} % ({shown[key] * 100:.1f})" for key in ("pass", "fail", "fix")]
    cells.append(f"{found['calls']:.2f} ({shown['calls']:.2f})")
    promises = [_promise(item, found, draws) for item in (scene.promise, scene.also) if item]
    return f"| {scene.name} | {' | '.join(cells)} | {'; '.join(promises)} |"


def _promise(promise: tuple[str, str, float], found: dict[str, float], draws: int) -> str:
    what, side, bound = promise
    error = math.sqrt(bound * (1 - bound) / draws)
    missed = (found[what] - bound) * (1 if side == "<" else -1) > 2 * error
    named = {"pass": "PASS", "fail": "FAIL", "fix": "PASS with a fix"}[what]
    return f"{named} {'≤' if side == '<' else '≥'} {bound * 100:g} %{', **missed**' if missed else ''}"


STUBBORN: dict[str, tuple[list[Group], float, float]] = {
    "5 fixes, 1 of 40 guards 1 → .5, others 1": ([FIVE, (1, 1, 0.5), (39, 1, 1)], 0.128, 0.112),
    "5 fixes, 1 of 40 guards .95 → .475, others .95": ([FIVE, (1, 0.95, 0.475), (39, 0.95, 0.95)], 0.154, 0.134),
    "5 fixes, 1 of 40 guards 1 → .7, others .98": ([FIVE, (1, 1, 0.7), (39, 0.98, 0.98)], 0.504, 0.47),
    "5 fixes, 40 guards as before at .8": ([FIVE, (40, 0.8, 0.8)], 0.992, 1.0),
}


def stubborn_rows(draws: int, chance: random.Random) -> Iterator[str]:
    """The share that passed once in ten runs: the same candidate, continued; near-copies of it, with watched cases."""
    yield "| ten runs, until one passes | the same candidate, continued | near-copies of it |"
    yield "|---|---|---|"
    for name, (groups, continued, copied) in STUBBORN.items():
        rates = drawn_rates(Scene(name, groups), chance)
        passed = [0, 0]
        for _ in range(draws):
            passed[0] += _continued(rates, chance)
            passed[1] += _copied(rates, chance)
        same, copies = (count / draws * 100 for count in passed)
        yield f"| {name} | {same:.1f} % ({continued * 100:.1f}) | {copies:.1f} % ({copied * 100:.1f}) |"


def _continued(rates: tuple[list[float], list[float]], chance: random.Random) -> bool:
    table: AttemptMatrix | None = None
    for m in range(1, RUNS + 1):
        verdict, table = judged(rates, chance, LookRecord({MODEL: tuple(range(1, m + 1))}), table)
        if verdict.result is Result.PASS:
            return True
    return False


def _copied(rates: tuple[list[float], list[float]], chance: random.Random) -> bool:
    watched: set[str] = set()
    for m in range(1, RUNS + 1):
        verdict, _ = judged(rates, chance, LookRecord({MODEL: (m,)}, {MODEL: watched}))
        if verdict.result is Result.PASS:
            return True
        bad = (CaseOutcome.BROKEN, CaseOutcome.UNSTABLE)
        watched |= {item.case.name for item in verdict.models[0].cases if item.outcome in bad}
    return False


def rows(draws: int, only: str) -> Iterator[str]:
    yield "| what is true | PASS (reference) | FAIL | PASS with a fix | calls by the screen | promised |"
    yield "|---|---|---|---|---|---|"
    for scene in scenes():
        if only in scene.name:
            yield row(scene, measure(scene, draws, random.Random(f"{SEED} {scene.name}")), draws)
    if not only:
        yield ""
        yield from stubborn_rows(max(1, draws // 4), random.Random(SEED))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--only", default="", help="only the scenes with this in their names")
    parser.add_argument("--write", action="store_true", help="put the table into the guide")
    options = parser.parse_args()
    lines = []
    for line in rows(options.draws, options.only):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        about = f"<!-- python -m tests.bench.gate_simulation --draws {options.draws} --write -->"
        text, table = GUIDE.read_text(encoding="utf-8"), "\n".join(lines)
        found = re.compile(r"<!-- python -m tests\.bench\.gate_simulation[^\n]*-->\n.*?<!-- end -->", re.DOTALL)
        written, count = found.subn(lambda _: f"{about}\n\n{table}\n\n<!-- end -->", text)
        if not count:
            raise SystemExit(f"{GUIDE} has no location for the table")
        GUIDE.write_text(written, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
