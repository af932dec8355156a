"""Report which repairs a run's answers depend on, from the run record alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from promptbench.core.types import Attempt, Rung, Side
from promptbench.parsing import calls, json_text
from promptbench.parsing.ladder import RUNGS
from promptbench.project import Project
from promptbench.schemas.reasons import without_values
from promptbench.store.runs import RunInfo
from promptbench.workflows.trust.repairs_report import AnswerGroup, PromptRepairs, RepairsReport, RepairUse

# Bounds memory: kinds beyond this are counted together.
_MOST_KINDS = 1000
_OTHERS = "other kinds"
_FORMAT_CHECKS = ("json", "json schema")


def repairs(project: Project, run: str) -> RepairsReport:
    """Return which repairs a run's answers depend on, and which failures only another prompt can fix.

    Raises:
        InputError: the run is not found.
    """
    with project.runs() as runs:
        info = runs.run(run)
        accept = Rung(info.facts.get("accept", Rung.EXTRACTED))
        own = {name: RUNGS[rule["trust"]] for name, rule in info.facts.get("repairs", {}).items()}
        repeats = info.facts["policy"]["repeats"]
        tallies: dict[tuple[str, str], _Tally] = {}
        unread = 0
        for attempt in runs.attempts(info.id):
            if attempt.answer is None or attempt.fallback is not None or attempt.key.repeat >= repeats:
                continue
            if attempt.rung is None:
                unread += 1
                continue
            tallies.setdefault((attempt.key.model, attempt.key.variant), _Tally(accept, own)).add(attempt)
    return RepairsReport(info.id, info.suite, accept.value, _rows(info, tallies), unread)


def _rows(info: RunInfo, tallies: Mapping[tuple[str, str], _Tally]) -> list[PromptRepairs]:
    # By model in the order of the suite, production first.
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
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, example: str) -> None:
        if kind not in self.examples:
            kind, example = (_OTHERS, "") if len(self.examples) >= _MOST_KINDS else (kind, example)
            self.examples.setdefault(kind, example)
        self.counts[kind] += 1

    def groups(self) -> list[AnswerGroup]:
        return [AnswerGroup(kind, count, self.examples[kind]) for kind, count in _most_first(self.counts)]


@dataclass(slots=True)
class _Tally:
    """The counts of one prompt on one model. `own` has the rungs of the team's own rules by name."""

    accept: Rung
    own: Mapping[str, Rung]
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
            # If a check reads the answer as JSON too, its rung is that of the JSON.
            checks, text = {score.check for score in attempt.scores}, attempt.answer.text if attempt.answer else ""
            reader = calls if "function call" in checks and checks.isdisjoint(_FORMAT_CHECKS) else json_text
            kind = reader.fingerprint(text)
            known = kind in self.unreadable.examples
            self.unreadable.add(kind, "" if known else reader.read(text).error or "")
            return
        names = {repair.name for repair in attempt.repairs}
        self.needed.update(names)
        if len(names) == 1:
            self.alone.update(names)
        if not attempt.rung.within(self.accept):
            self.beyond += 1
            return
        if not attempt.well_formed:
            score = next((one for one in attempt.scores if one.check in _FORMAT_CHECKS and not one.passed), None)
            if score is not None:
                self.misfits.add(without_values(score.reason), score.reason)
            return
        self.lost.update(names)
        self.rescued += bool(names)

    def row(self, prompt: str, side: str, model: str) -> PromptRepairs:
        rungs = {name: self.own.get(name) or json_text.rung_of_repair(name) for name in self.needed}
        return PromptRepairs(
            prompt=prompt,
            side=side,
            model=model,
            answers=self.rungs.total(),
            rungs={rung.value: self.rungs[rung] for rung in Rung},
            rules=[
                RepairUse(
                    name,
                    rungs[name].value,
                    rungs[name].within(self.accept),
                    count,
                    self.alone[name],
                    self.lost[name],
                )
                for name, count in _most_first(self.needed)
            ],
            rescued=self.rescued,
            beyond=self.beyond,
            unreadable=self.unreadable.groups(),
            misfits=self.misfits.groups(),
        )


def _most_first(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
