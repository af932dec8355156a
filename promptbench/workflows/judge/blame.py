"""Find the step of a chain that broke a case: by the checks of the steps, else by swaps.

A swap is an attempt at a chain that has production's steps up to one that was changed, and the candidate's after it.
The first changed step with which the case passes again is to blame. Production's answers are those on record for the
same try, so only later steps are called. Of a swap the outcome and the calls are kept. It is in no figure of the run,
and its calls are in `runs usage`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from promptbench.core.events import Listener, MoreWanted
from promptbench.core.types import Attempt, Outcome, Side
from promptbench.engine.attempts import Attempts
from promptbench.engine.plan import Task
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite, Variant
from promptbench.engine.runner import Engine
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import ComparedCase
from promptbench.gate.judge import Mode, ModelVerdict, Verdict
from promptbench.gate.trial import RETEST
from promptbench.prompts.chain import STEPS, Chain
from promptbench.workflows.judge.run_record import RunRecord

_MOST_CASES = 10  # Broken cases on a model that are swapped.
# By version, model and case: the first failing attempt, else the first.
Shown = Mapping[tuple[str, str, str], Attempt]


def step_passes(attempt: Attempt, step: str) -> bool | None:
    """Return whether the checks of a step pass, None if none counts."""
    scores = [score for score in attempt.scores if score.check.startswith(f"{step}: ") and score.weight]
    return all(score.passed for score in scores) if scores else None


@dataclass(frozen=True)
class ChainPair:
    """The chain in production and that of a candidate."""

    before: Chain
    now: Chain

    @classmethod
    def of(cls, verdict: Verdict, chain_of: Callable[[str], Chain | None]) -> ChainPair | None:
        """Return the chains that a verdict compares, None without; that of one step is a judged model."""
        pair = [chain_of(version or "") for version in (verdict.champion, verdict.candidate)]
        chains = [chain for chain in pair if chain and len(chain.steps) > 1]
        return cls(*chains) if len(chains) == 2 and verdict.mode is Mode.CHAMPION else None

    @cached_property
    def changes(self) -> dict[str, list[int]]:
        """The numbers of the steps that differ, by what was changed: the step, or files that several share.

        Empty if the chains have other steps.
        """
        found: dict[str, list[int]] = {}
        steps = list(zip(self.before.content[STEPS], self.now.content[STEPS], strict=False))
        same = len(self.before.steps) == len(self.now.steps) and all(old["step"] == new["step"] for old, new in steps)
        for number, (old, new) in enumerate(steps if same else ()):
            files = {path for path, _ in old.get("files", {}).items() ^ new.get("files", {}).items()}
            shared = ", ".join(sorted(files)) if old.get("model") == new.get("model") else ""
            if old != new:
                found.setdefault(shared or new["step"], []).append(number)
        return {what if len(at) > 1 else self.now.steps[at[0]].name: at for what, at in found.items()}

    @cached_property
    def swaps(self) -> dict[int, Chain]:
        """The chains of the swaps by the number of the last step that is production's; none for a single change."""
        numbers = sorted(number for at in self.changes.values() for number in at)
        before, now = self.before.steps, self.now.steps
        # With the last changed step, too, it would be production's own.
        swapped = numbers[:-1] if len(self.changes) > 1 else ()
        return {at: Chain.of(self.now.name, (*before[: at + 1], *now[at + 1 :])) for at in swapped}

    def culprit(self, item: ComparedCase, on: ModelVerdict, shown: Shown, outcomes: AttemptMatrix) -> str | None:
        """Return which step broke a case, in words; None if neither checks nor the `outcomes` of swaps decide."""
        before, now = (shown.get((chain.hash, on.model, item.case.name)) for chain in (self.before, self.now))
        names = [step.name for step in self.now.steps]
        for name in names if before and now else ():
            if before and now and step_passes(before, name) and step_passes(now, name) is False:
                return f"broken by '{name}', whose checks pass in production"
        cells = [(at, outcomes.cell(it.hash, on.model, item.case.name)) for at, it in self.swaps.items()]
        last = max(map(max, self.changes.values()), default=0)
        for number, swap in [*cells, (last, item.champion)] if cells else ():
            if not swap.total or not swap.asked(_tries(on)):
                return None
            if 2 * swap.passes / swap.total > sum(it.passes / it.total for it in (item.champion, item.candidate)):
                return f"broken by '{names[number]}', passing with production's answer in its place"
        return None


def make_swaps(prepared: PreparedSuite, verdict: Verdict, engine: Engine, record: RunRecord, listen: Listener) -> None:
    """Make the swaps of a run that has this verdict; those on record are not made again."""
    pair, runs = ChainPair.of(verdict, prepared.chain_of), record.runs
    if pair is None:
        return
    broken = [(on, item) for on in verdict.models for item in [item for item in on.cases if item.worse][:_MOST_CASES]]
    slots = [(it.hash, on.model, item.case.name) for on, item in broken for it in (pair.before, pair.now)]
    made = {slot: runs.attempts_at(record.run, *slot) for slot in slots}
    shown = {slot: min(found, key=lambda it: it.outcome is not Outcome.FAILED) for slot, found in made.items()}
    variants = {at: Variant(chain, Side.CANDIDATE, chain.name) for at, chain in pair.swaps.items()}
    whole = replace(prepared, candidates=(*prepared.candidates, *variants.values()))
    attempts = Attempts(whole, engine, replace(record, swaps=True), listen)
    for number, variant in variants.items():
        outcomes = AttemptMatrix(runs.cases().swaps(record.run))
        tasks = [
            Task(variant, model, _swapped(prepared.cases[item.case.name], pair, number), repeat)
            for on, item in broken
            for model in prepared.models
            if model.name == on.model and pair.culprit(item, on, shown, outcomes) is None
            for repeat in range(_tries(on))
            if not outcomes.cell(variant.hash, on.model, item.case.name).answered(repeat)
        ]
        listen(MoreWanted(len(tasks)))
        engine.run(tasks, attempts, attempts.workers)


def _tries(on: ModelVerdict) -> int:
    return 1 if on.deterministic else RETEST


def _swapped(case: PreparedCase, pair: ChainPair, number: int) -> PreparedCase:
    """Return the case with the checks of a swap: of each step those of the chain that it is from."""
    before, now, swap = (chain.hash for chain in (pair.before, pair.now, pair.swaps[number]))
    steps = [*case.steps[before][: number + 1], *case.steps[now][number + 1 :]]
    return replace(case, checks={**case.checks, swap: case.checks[now]}, steps={**case.steps, swap: steps})
