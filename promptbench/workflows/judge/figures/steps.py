"""Figures of the steps of chains: what each costs and takes, what it gets right, and which one broke a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeGuard

from promptbench.core.types import Attempt, Outcome
from promptbench.core.words import number_of
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.prompts.chain import Chain
from promptbench.prompts.prompt import Prompt
from promptbench.report.model import StepRow
from promptbench.report.words import share
from promptbench.workflows.judge.run_changes import list_names
from promptbench.workflows.judge.run_tally import Tally

_WHOLE = "whole chain"
# By prompt version, model and case: the first failing attempt, else the first.
Shown = Mapping[tuple[str, str, str], Attempt]


class StepTallies:
    """Tallies of the attempts of chains, by step."""

    def __init__(self, prepared: PreparedSuite) -> None:
        self._prepared = prepared
        self._tallies: dict[tuple[str, str, str], Tally] = {}  # By chain, model and step.
        self._right: Counter[tuple[str, str, str]] = Counter()  # Right last answers after passes of the step.
        self._checked: set[str] = set()  # Steps with checks that count.
        # Steps whose checks look for what the case expects.
        self._retrieving = {
            step.name for step in prepared.suite.steps if any("{{expect" in repr(it.argument) for it in step.checks)
        }
        # The hashes of the answers of all steps in the first try, by model, case and chain.
        self._answers: dict[tuple[str, str], dict[str, list[int]]] = {}

    def add(self, attempt: Attempt) -> None:
        """Count an attempt of the first round."""
        key, chain = attempt.key, self._prepared.chain_of(attempt.key.variant)
        for step, one in zip(chain.steps if chain and attempt.answer else (), attempt.steps, strict=False):
            passed, slot = _passes(attempt, step.name), (key.variant, key.model, step.name)
            self._checked |= set() if passed is None else {step.name}
            self._retrieving |= {step.name for score in attempt.scores if score.check == f"{step.name}: expect"}
            self._right[slot] += passed is not False and attempt.outcome is Outcome.PASSED
            outcome = Outcome.FAILED if passed is False else Outcome.PASSED
            alone = replace(attempt, outcome=outcome, answer=one.answer, tries=one.tries, cost=one.cost, rung=None)
            self._tallies.setdefault(slot, Tally()).add(alone)
            if not key.repeat:
                answers = self._answers.setdefault((key.model, key.case), {})
                answers.setdefault(key.variant, []).append(hash(one.answer.text))

    def rows(self, whole: Mapping[tuple[str, str], Tally]) -> Iterator[StepRow]:
        """Yield the figures of each step of each chain, and of the `whole` chain."""
        prepared = self._prepared
        for model in (model for model in prepared.models if model.uses_prompt):
            for chain, item in [(item.prompt, item) for item in prepared.variants if _has_steps(item.prompt)]:
                parts = {step.name: self._tallies.get((item.hash, model.name, step.name)) for step in chain.steps}
                for name, tally in {**parts, _WHOLE: whole.get((item.hash, model.name))}.items():
                    if tally is not None:
                        row = tally.row(item.label, item.side.value, model.name, gated=model.gated)
                        yield StepRow(name, name in self._checked or name == _WHOLE, row)

    def ceilings(self, version: str) -> Iterator[str]:
        """Yield how often a step before the last has the right answer, and how often the chain then has."""
        chain = self._prepared.chain_of(version)
        last = chain.steps[-1].name if chain else ""
        for (variant, model, name), tally in self._tallies.items():
            right = self._right[variant, model, name]
            if variant == version and name in self._retrieving and name != last and tally.answered:
                of_these = f"; of these '{last}' takes it in {share(right, tally.passed)}" if tally.passed else ""
                found = f"{share(tally.passed, tally.answered)} ({tally.passed} of {tally.answered} answers){of_these}"
                yield f"'{name}' has the right one in {found} on {model}"

    def causes(self, champion: str, candidate: str, broken: Mapping[str, Sequence[str]], shown: Shown) -> Iterator[str]:
        """Yield which step of the candidate broke the cases that are `broken` on each model."""
        before, now = (self._prepared.chain_of(version) for version in (champion, candidate))
        if not _has_steps(now):
            return
        steps = [(step.name, step.content) for step in now.steps] if now else []
        old = [(step.name, step.content) for step in before.steps] if before else []
        names = [name for name, _ in steps]
        differ = [number for number, step in enumerate(steps) if step not in old]
        for model, cases in broken.items() if now and before else ():
            if len(differ) == 1 and names == [name for name, _ in old]:
                pairs = [
                    [found.get(version, []) for version in (champion, candidate)]
                    for (on, _), found in self._answers.items()
                    if on == model
                ]
                yield _of_one_step(names[differ[0]], differ[0], pairs, cases, model)
                continue
            blamed: dict[str, list[str]] = {}
            for case in cases:
                why = _first_broken(names, shown.get((champion, model, case)), shown.get((candidate, model, case)))
                blamed.setdefault(why, []).append(case)
            yield from (
                f"{why}: {number_of(len(those), 'case')} ({list_names(those)})" for why, those in blamed.items()
            )


def _passes(attempt: Attempt, step: str) -> bool | None:
    """Return whether the checks of a step pass, None if none counts."""
    scores = [score for score in attempt.scores if score.check.startswith(f"{step}: ") and score.weight]
    return all(score.passed for score in scores) if scores else None


def _of_one_step(
    name: str, number: int, pairs: Sequence[Sequence[list[int]]], broken: Sequence[str], model: str
) -> str:
    changed = [(before, now) for before, now in pairs if before[number:][:1] != now[number:][:1]]
    same = sum(before[:number] == now[:number] for before, now in changed)
    cases = f"{len(changed)} of {number_of(len(pairs), 'case')}"
    cases += f", in {same} of them with the same input" if changed else ""
    broke = f"{len(broken)} broke ({list_names(broken)})" if broken else "none broke"
    return f"only '{name}' differs from production: its answer changed in {cases}; {broke} on {model}"


def _first_broken(names: Sequence[str], before: Attempt | None, now: Attempt | None) -> str:
    sides = list(zip(names, before.steps, now.steps, strict=False)) if before and now else []
    for name, *_ in sides:
        if before and now and _passes(before, name) and _passes(now, name) is False:
            return f"broken by '{name}', whose checks pass in production"
    changed = next(
        (
            f"; the first answer that changed is that of '{name}'"
            for name, old, new in sides
            if old.answer.text != new.answer.text
        ),
        "",
    )
    return f"no check of a step decides what broke{changed}"


def _has_steps(prompt: Prompt | None) -> TypeGuard[Chain]:
    """Return whether a prompt is a chain of several steps: that of one step is a judged model."""
    return isinstance(prompt, Chain) and len(prompt.steps) > 1
