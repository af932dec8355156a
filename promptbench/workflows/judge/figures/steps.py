"""Figures of the steps of chains: what each costs and takes, what it gets right, and which one broke a case."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from promptbench.core.types import Attempt, AttemptKey, Outcome
from promptbench.core.words import number_of
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.judge import Verdict
from promptbench.report.model import Row, StepRow
from promptbench.report.words import share
from promptbench.workflows.judge.blame import ChainPair, Shown, step_passes
from promptbench.workflows.judge.run_changes import list_names
from promptbench.workflows.judge.run_tally import Tally


class StepTallies:
    """Tallies of the attempts of chains, by step. `retrieving` are steps whose checks look for what a case expects."""

    def __init__(self, retrieving: Iterable[str] = ()) -> None:
        self._retrieving = set(retrieving)
        self._tallies: dict[tuple[str, str], dict[str, Tally]] = {}
        self._right: Counter[tuple[tuple[str, str], str]] = Counter()  # Right last answers after passes of the step.
        self._checked: set[str] = set()  # Steps with checks that count.
        # The hashes of the answers of all steps in the first try, by model, case and chain.
        self._answers: dict[tuple[str, str], dict[str, list[int]]] = {}

    def add(self, attempt: Attempt, key: AttemptKey | None = None) -> None:
        """Count an attempt of the first round, in a comparison under the `key` of its side."""
        key = key or attempt.key
        slot, steps = (key.variant, key.model), [step for step in attempt.steps if step.name and attempt.answer]
        for step in steps:
            passed = step_passes(attempt, step.name)
            self._checked |= set() if passed is None else {step.name}
            self._retrieving |= {step.name for score in attempt.scores if score.check == f"{step.name}: expect"}
            self._right[slot, step.name] += passed is not False and attempt.outcome is Outcome.PASSED
            outcome = Outcome.FAILED if passed is False else Outcome.PASSED
            alone = replace(attempt, outcome=outcome, answer=step.answer, tries=step.tries, cost=step.cost, rung=None)
            self._tallies.setdefault(slot, {}).setdefault(step.name, Tally()).add(alone)
        if steps and not key.repeat:
            answers = [hash(step.answer.text) for step in steps]
            self._answers.setdefault((key.model, key.case), {})[key.variant] = answers

    def rows(self, whole: Mapping[tuple[str, str], Row]) -> Iterator[StepRow]:
        """Yield the figures of each step of each chain, then those of the `whole` chain."""
        for slot, row in whole.items():
            for name, tally in self._tallies.get(slot, {}).items():
                figures = tally.row(row.prompt, row.side, row.model, gated=row.gated)
                yield StepRow(name, name in self._checked, figures)
            if slot in self._tallies:
                yield StepRow("whole chain", True, row)

    def ceilings(self, version: str) -> Iterator[str]:
        """Yield how often a step before the last has the right answer, and how often the chain then has."""
        found = [(slot, *item) for slot, steps in self._tallies.items() for item in steps.items()]
        last = found[-1][1] if found else ""
        for slot, name, tally in found:
            if slot[0] == version and name in self._retrieving - {last} and tally.answered:
                right = share(self._right[slot, name], tally.passed)
                of_these = f"; of these '{last}' takes it in {right}" if tally.passed else ""
                found_in = f"{share(tally.passed, tally.answered)} ({tally.passed} of {tally.answered} answers)"
                yield f"'{name}' has the right one in {found_in}{of_these} on {slot[1]}"

    def causes(self, pair: ChainPair | None, verdict: Verdict, shown: Shown, swaps: AttemptMatrix) -> Iterator[str]:
        """Yield what each change of the candidate did to the answers, and which step broke the cases, by model."""
        for on in verdict.models if pair else ():
            assert pair is not None
            broken = [item for item in on.cases if item.worse]
            for what, numbers in pair.changes.items():
                yield self._change(pair, what, numbers, on.model, [item.case.name for item in broken])
            hint = "; `run --blame` finds the step" if pair.swaps else ""
            blamed: dict[str, list[str]] = {}
            for item in broken if len(pair.changes) != 1 else ():
                why = pair.culprit(item, on, shown, swaps) or f"no check of a step decides what broke{hint}"
                blamed.setdefault(why, []).append(item.case.name)
            for why, those in blamed.items():
                yield f"{why}: {number_of(len(those), 'case')} ({list_names(those)})"

    def _change(self, pair: ChainPair, what: str, numbers: Sequence[int], model: str, broken: Sequence[str]) -> str:
        first, alone, several = numbers[0], len(pair.changes) == 1, len(numbers) > 1
        found = [(case, made) for (on, case), made in self._answers.items() if on == model]
        answers = [(case, made.get(pair.before.hash, []), made.get(pair.now.hash, [])) for case, made in found]
        changed = {
            case: before[:first] == now[:first]
            for case, before, now in answers
            if any(before[number : number + 1] != now[number : number + 1] for number in numbers)
        }
        same = f", in {sum(changed.values())} of them with the same input" if changed else ""
        those = [case for case in broken if alone or case in changed]
        broke = f"{len(those)} broke ({list_names(those)})" if those else "none broke"
        names = " and ".join(f"'{pair.now.steps[number].name}'" for number in numbers)
        subject = (
            ("only " if alone else "") + (f"'{what}' of {names}" if several else names) + " differs from production"
        )
        cases = f"{len(changed)} of {number_of(len(answers), 'case')}{same}; {broke} on {model}"
        return f"{subject}: {'an answer of these' if several else 'its answer'} changed in {cases}"
