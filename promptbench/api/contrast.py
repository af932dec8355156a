"""The report on a comparison: what `reporting` builds of a run, built of two sides that may come from two runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.api.judges import judge_rows
from promptbench.api.pairing import CANDIDATE, CHAMPION, Pair, Pairing
from promptbench.api.reporting import Collector, Tally
from promptbench.core.types import Attempt, AttemptKey
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseOutcome
from promptbench.gate.judge import Verdict
from promptbench.report.model import FlipRow, Judgement, Row, RunReport
from promptbench.report.words import share
from promptbench.store.runs import RunInfo, RunStore

SIDES = {CHAMPION: "A", CANDIDATE: "B"}
"""What the sides are called where nothing is in production and nothing wants to be."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side: the run that its answers are from, and its name in full."""

    info: RunInfo
    label: str


class _Gathered:
    """What one pass over the attempts of a comparison yields."""

    def __init__(self, pairing: Pairing, joint: AttemptMatrix, verdict: Verdict) -> None:
        worth = {
            (model.model, item.case.name)
            for model in verdict.models
            for item in model.cases
            if item.outcome is not CaseOutcome.STILL_PASSING
        }
        self.collected = Collector(joint, worth)
        self.errors: Counter[tuple[str, str]] = Counter()
        self.unjudged: Counter[str] = Counter()
        self._pairing = pairing
        self._cases = {case.name for case in pairing.cases}

    def take(self, attempts: Iterator[Attempt], sides: Sequence[str]) -> None:
        """Takes in the attempts of a run that has these sides."""
        ends: dict[tuple[str, str], list[tuple[str, Pair]]] = {}
        for pair in self._pairing.pairs:
            for side, end in ((CHAMPION, pair.champion), (CANDIDATE, pair.candidate)):
                if side in sides:
                    ends.setdefault((end.variant, end.model), []).append((side, pair))
        for attempt in attempts:
            key = attempt.key
            for side, pair in ends.get((key.variant, key.model), ()) if key.case in self._cases else ():
                first = 1 if pair.deterministic else self._pairing.policy.repeats
                shown = replace(attempt, key=AttemptKey(side, pair.model, key.case, key.repeat))
                self.collected.add(shown, first_round=key.repeat < first)
                if attempt.error and attempt.answer is not None and attempt.fallback is None:
                    self.unjudged[attempt.error] += 1
                elif attempt.error:
                    self.errors[key.model, attempt.error] += 1

    def tally(self, side: str, pair: Pair) -> Tally:
        return self.collected.tallies.get((side, pair.model), Tally())


def contrast(
    runs: RunStore,
    pairing: Pairing,
    sides: tuple[Side, Side],
    joint: AttemptMatrix,
    verdict: Verdict,
    *,
    command: str,
    left_out: Mapping[str, Sequence[str]],
    expected: Callable[[str], str | None] = lambda _: None,
) -> RunReport:
    """The report on a comparison of A with B; `command` makes it again. `expected` is the right answer to a case, where
    that is known.
    """
    champion, candidate = sides
    gathered = _Gathered(pairing, joint, verdict)
    together = champion.info.id == candidate.info.id
    if together:
        gathered.take(runs.attempts(candidate.info.id), (CHAMPION, CANDIDATE))
    else:
        gathered.take(runs.attempts(champion.info.id), (CHAMPION,))
        gathered.take(runs.attempts(candidate.info.id), (CANDIDATE,))
    collected, info = gathered.collected, candidate.info
    return RunReport(
        run=info.id,
        suite=info.suite,
        path=str(info.facts["path"]),
        prompt=info.prompt,
        started=info.started,
        result=verdict.result.value,
        sentence=verdict.sentence,
        exit=verdict.result.exit,
        cases=len(pairing.cases),
        judgements=[_judgement(pairing, verdict, sides)],
        rows=list(_rows(pairing, gathered, sides)),
        flips=list(_flips(verdict, collected, expected)),
        log=None,
        comparisons=list(_ratios(pairing, gathered)),
        notes=list(_notes(champion, candidate)),
        reproduce=command,
        errors=[f"{model}: {count} × {error}" for (model, error), count in gathered.errors.most_common(5)],
        judges=judge_rows(runs.judgings(info.id)) if together else [],
        unjudged=[f"{count} × {why}" for why, count in gathered.unjudged.most_common(5)],
        left_out=left_out,
        checks=collected.check_changes(CHAMPION, CANDIDATE),
    )


def _judgement(pairing: Pairing, verdict: Verdict, sides: tuple[Side, Side]) -> Judgement:
    counts = Counter(item.outcome.value for model in verdict.models for item in model.cases)
    mid_p = [model.mid_p for model in verdict.models if model.mid_p is not None]
    ends = pairing.pairs[0]
    return Judgement(
        candidate=sides[1].label,
        candidate_hash=ends.candidate.variant,
        champion=sides[0].label,
        champion_hash=ends.champion.variant,
        mode=verdict.mode.value,
        result=verdict.result.value,
        sentence=verdict.sentence,
        counts={flip.value: counts[flip.value] for flip in CaseOutcome},
        mid_p=max(mid_p) if mid_p else None,
    )


def _rows(pairing: Pairing, gathered: _Gathered, sides: tuple[Side, Side]) -> Iterator[Row]:
    """A row for each side on each model. What is said of the model in a side's name is said above its row."""
    for pair in pairing.pairs:
        for name, end, side in ((CHAMPION, pair.champion, sides[0]), (CANDIDATE, pair.candidate, sides[1])):
            label = side.label.removesuffix(f" on {end.model}")
            yield gathered.tally(name, pair).row(label, SIDES[name], end.model, gated=True)


def _flips(verdict: Verdict, collected: Collector, expected: Callable[[str], str | None]) -> Iterator[FlipRow]:
    for model in verdict.models:
        for item in model.cases:
            if item.outcome is not CaseOutcome.STILL_PASSING:
                yield FlipRow(
                    model=model.model,
                    case=item.case.name,
                    flip=item.outcome.value,
                    critical=item.case.critical,
                    logged=False,
                    champion=collected.side(CHAMPION, model.model, item.case.name),
                    candidate=collected.side(CANDIDATE, model.model, item.case.name),
                    cause=collected.cause(CANDIDATE, model.model, item.case.name),
                    expected=expected(item.case.name),
                )


def _ratios(pairing: Pairing, gathered: _Gathered) -> Iterator[str]:
    """What B takes of what A takes, on each model."""
    for pair in pairing.pairs:
        theirs, ours = gathered.tally(CHAMPION, pair), gathered.tally(CANDIDATE, pair)
        if not (theirs.answered and ours.answered):
            continue
        where = f" on {pair.model}" if len(pairing.pairs) > 1 else ""
        parts = [f"answers {share(theirs.passed, theirs.answered)} to {share(ours.passed, ours.answered)}"]
        slow, fast = ours.timing.latency(), theirs.timing.latency()
        if slow and fast and fast.p50 > 0 and fast.p99 > 0:
            parts += [f"p50 × {slow.p50 / fast.p50:.2f}", f"p99 × {slow.p99 / fast.p99:.2f}"]
        if theirs.cost_each and ours.cost_each is not None:
            parts.append(f"cost × {ours.cost_each / theirs.cost_each:.2f}")
        yield f"A to B{where}: {', '.join(parts)}"


def _notes(champion: Side, candidate: Side) -> Iterator[str]:
    if champion.info.id != candidate.info.id:
        yield (
            f"A is run {champion.info.id}, B is run {candidate.info.id}: they were not asked side by side, so what "
            "changed at the provider meanwhile looks like a change of the prompt"
        )
    yield "a comparison promotes nothing: `promptbench run` judges a candidate against production"
