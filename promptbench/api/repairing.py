"""What a run's answers needed to be read: one pass over the record, without the suite and without a call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from promptbench.api.workspace import Project
from promptbench.checks import json_schema
from promptbench.core.types import Attempt, Reading, Rung, Side
from promptbench.formats import calls, json_text
from promptbench.report.repairs import Group, PromptRepairs, RepairsReport, Rule
from promptbench.store.runs import RunInfo

_MOST_KINDS = 1000
"""Ways to be wrong that are kept apart for one prompt on one model."""
_OTHERS = "other ways, too many to tell apart"
_FORMAT_CHECKS = ("json", "json schema")


def repairs(project: Project, run: str) -> RepairsReport:
    """Which rule rescues how many answers of a run on record, and which failures only another prompt can mend.

    Raises InputError when there is no such run.
    """
    with project.runs() as runs:
        info = runs.run(run)
        accept = Rung(info.facts.get("accept", Rung.EXTRACTED))
        repeats = info.facts["policy"]["repeats"]
        tallies: dict[tuple[str, str], _Tally] = {}
        unread = 0
        for attempt in runs.attempts(info.id):
            if attempt.answer is None or attempt.fallback is not None or attempt.key.repeat >= repeats:
                continue
            if attempt.rung is None:
                unread += 1
                continue
            tallies.setdefault((attempt.key.model, attempt.key.variant), _Tally(accept)).add(attempt)
    return RepairsReport(info.id, info.suite, accept.value, _rows(info, tallies), unread)


def _rows(info: RunInfo, tallies: Mapping[tuple[str, str], _Tally]) -> list[PromptRepairs]:
    """By model in the order of the suite, champion first."""
    sides = {item.hash: (item.name, item.side) for item in info.variants}
    order = list(sides)
    rows = []
    for model in (item["model"] for item in info.facts["models"]):
        variants = [variant for name, variant in tallies if name == model]
        for variant in sorted(variants, key=lambda item: order.index(item) if item in order else -1):
            name, side = sides.get(variant, ("", Side.BASELINE))
            rows.append(tallies[model, variant].row(name.removesuffix(".prompt"), side.value, model))
    return rows


@dataclass(slots=True)
class _Kinds:
    """Counts by kind with an example each. However many kinds there are, a thousand are kept."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, example: str) -> None:
        if kind not in self.examples:
            kind, example = (_OTHERS, "") if len(self.examples) >= _MOST_KINDS else (kind, example)
            self.examples.setdefault(kind, example)
        self.counts[kind] += 1

    def groups(self) -> list[Group]:
        """The largest first."""
        return [Group(kind, count, self.examples[kind]) for kind, count in _most_first(self.counts)]


@dataclass(slots=True)
class _Tally:
    """What adds up for one prompt on one model."""

    accept: Rung
    rungs: Counter[Rung] = field(default_factory=Counter)
    needed: Counter[str] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    rescued: int = 0
    beyond: int = 0
    unreadable: _Kinds = field(default_factory=_Kinds)
    misfits: _Kinds = field(default_factory=_Kinds)

    def add(self, attempt: Attempt) -> None:
        assert attempt.rung is not None
        self.rungs[attempt.rung] += 1
        if attempt.rung is Rung.NONE:
            self._unreadable(attempt)
            return
        names = {repair.name for repair in attempt.repairs}
        self.needed.update(names)
        if len(names) == 1:
            self.alone.update(names)
        if not attempt.rung.within(self.accept):
            self.beyond += 1
            return
        if not attempt.well_formed:
            self._misfit(attempt)
            return
        self.lost.update(names)
        self.rescued += bool(names)

    def _unreadable(self, attempt: Attempt) -> None:
        assert attempt.answer is not None
        text = attempt.answer.text
        reader = calls if _wants_calls(attempt) else json_text
        kind = reader.fingerprint(text)
        known = kind in self.unreadable.examples
        self.unreadable.add(kind, "" if known else _error(reader.read(text)))

    def _misfit(self, attempt: Attempt) -> None:
        score = next((one for one in attempt.scores if one.check in _FORMAT_CHECKS and not one.passed), None)
        if score is not None:
            self.misfits.add(json_schema.without_values(score.reason), score.reason)

    def row(self, prompt: str, side: str, model: str) -> PromptRepairs:
        return PromptRepairs(
            prompt=prompt,
            side=side,
            model=model,
            answers=self.rungs.total(),
            rungs={rung.value: self.rungs[rung] for rung in Rung},
            rules=[self._rule(name, count) for name, count in _most_first(self.needed)],
            rescued=self.rescued,
            beyond=self.beyond,
            unreadable=self.unreadable.groups(),
            misfits=self.misfits.groups(),
        )

    def _rule(self, name: str, needed: int) -> Rule:
        rung = json_text.rung_of_repair(name)
        return Rule(name, rung.value, rung.within(self.accept), needed, self.alone[name], self.lost[name])


def _most_first(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _wants_calls(attempt: Attempt) -> bool:
    """Whether the answer was read as calls of functions: a check that reads JSON comes first where there are both."""
    names = {score.check for score in attempt.scores}
    return "function call" in names and names.isdisjoint(_FORMAT_CHECKS)


def _error(reading: Reading) -> str:
    return reading.error or ""
