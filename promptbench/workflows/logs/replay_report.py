"""The result of a replay of logged calls, and the report on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from promptbench.core.errors import Exit
from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.report.document import Block, Document, Report, Section, TableBlock, TableColumn, Text

_NAMED = 10


@dataclass(slots=True)
class LoggedModel:
    """The logged answers of one model: how many, how many fail now, and the rungs of those on the format ladder."""

    model: str
    answers: int = 0
    failing: int = 0
    rungs: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class RescoreReport:
    """The logged answers under today's checks. `checks` counts the failing answers of each; `passing` are call ids."""

    path: str
    models: Sequence[LoggedModel]
    checks: Mapping[str, int]
    passing: Sequence[str]
    left_out: Mapping[str, int]

    def as_dict(self) -> dict[str, Json]:
        models = [
            {"model": item.model, "answers": item.answers, "failing": item.failing, "rungs": dict(item.rungs)}
            for item in self.models
        ]
        return {"schema_version": 1, "asked": False, **asdict(replace(self, models=())), "models": models}


@dataclass(frozen=True, slots=True)
class ReplayedCase:
    """One logged input, sent again. `other_models` failed in the log and were not called now; `reproduced_on` is the
    number of models on which the prompt in production fails.
    """

    case: str
    calls: Sequence[str]
    state: str
    by_model: Mapping[str, str]
    other_models: Sequence[str]
    reproduced_on: int


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Logged failures, sent again to production and candidate. `passing_now` counts calls that now pass all checks."""

    path: str
    run: str
    candidate: str
    champion: str | None
    models: Sequence[str]
    cases: Sequence[ReplayedCase]
    passing_now: int
    left_out: Mapping[str, int]
    no_verdict: str | None

    @property
    def exit(self) -> Exit:
        if self.no_verdict:
            return Exit.ENVIRONMENT
        return Exit.NO if self.count("still failing") or self.count("no answer") else Exit.YES

    def count(self, state: str) -> int:
        """Return the number of logged failures (not inputs) in a state."""
        return sum(len(item.calls) for item in self.cases if item.state == state)

    def as_dict(self) -> dict[str, Json]:
        states = ("fixed", "still failing", "not reproduced", "no answer")
        counts = {state.replace(" ", "_"): self.count(state) for state in states}
        return {"schema_version": 1, "asked": True, "counts": counts, "sentence": self.sentence, **asdict(self)}

    @property
    def sentence(self) -> str:
        if self.no_verdict:
            return self.no_verdict
        total = sum(len(item.calls) for item in self.cases)
        failures = f"of {total} logged {'failure' if total == 1 else 'failures'}"
        fixed, still = self.count("fixed"), self.count("still failing")
        if self.champion is None:
            parts = [f"{failures} {self.candidate} passes {fixed}", f"fails {still}"]
        else:
            verb = "is" if fixed == 1 else "are"
            parts = [f"{failures} {fixed} {verb} fixed by {self.candidate}", f"{still} still failing"]
            parts.append(f"{self.count('not reproduced')} not reproduced by {self.champion}")
        silent = self.count("no answer")
        return ", ".join([*parts, *([f"{silent} without an answer"] if silent else [])])


def rescore_report(found: RescoreReport) -> Report:
    """Return the report on logged answers that were score_attempt again."""
    rows = [
        (
            item.model or "?",
            str(item.answers),
            str(item.failing),
            ", ".join(f"{count} {rung.replace('_', ' ')}" for rung, count in item.rungs.most_common()) or "–",
        )
        for item in sorted(found.models, key=lambda item: -item.failing)
    ]
    columns = [TableColumn("model", numeric=False), TableColumn("answers"), TableColumn("failing now")]
    blocks: list[Block] = [TableBlock([*columns, TableColumn("format of these", numeric=False, wrap=True)], rows)]
    if found.checks:
        failing = ", ".join(f"{name} {count}" for name, count in found.checks.items())
        blocks.append(Text(f"failing checks: {failing}"))
    if found.passing:
        blocks.append(Text(f"passing all checks now: {_named(found.passing)}"))
    answers, failing_now = sum(item.answers for item in found.models), sum(item.failing for item in found.models)
    verb = "fails" if failing_now == 1 else "fail"
    verdict = f"{failing_now} of {answers} logged answers {verb} the checks of {found.path}; no model was called"
    document = Document("", [Section([*blocks, *_left_out(found.left_out)])], verdict)
    return Report("replay", document, found.as_dict, path=found.path)


def replay_report(found: ReplayReport) -> Report:
    """Return the report on logged inputs that were sent again."""
    states = [(model, Counter(item.by_model[model] for item in found.cases)) for model in found.models]
    lines = [
        f"{model}: " + ", ".join(f"{count} {state}" for state, count in counts.most_common())
        for model, counts in states
    ]
    for state in ("still failing", "not reproduced", "no answer"):
        if names := [item.case for item in found.cases if item.state == state]:
            lines.append(f"{state}: {_named(names)}")
    for item in found.cases:
        if item.other_models:
            models = f"{item.reproduced_on} of {number_of(len(found.models), 'model')}"
            others = ", ".join(item.other_models)
            lines.append(f"'{item.case}' failed on {others}, which is not called here: reproduced on {models}")
    if found.passing_now:
        verb = "passes" if found.passing_now == 1 else "pass"
        lines.append(f"{number_of(found.passing_now, 'logged answer')} {verb} all checks now")
    blocks = [*map(Text, lines), *_left_out(found.left_out)]
    blocks.append(Text("this is not the whole suite, so it cannot be promoted"))
    document = Document("", [Section(blocks)], found.sentence)
    return Report("replay", document, found.as_dict, exit=found.exit, run=found.run, path=found.path)


def _left_out(reasons: Mapping[str, int]) -> list[Text]:
    return [Text(f"left out: {number_of(count, 'call')}: {why}") for why, count in reasons.items()]


def _named(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:_NAMED]) + rest
