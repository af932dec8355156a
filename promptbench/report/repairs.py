"""Reports on repairs: which ones a run's answers depend on, and the back-test of a rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from textwrap import wrap

from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.report.words import Target, clean, cut, excerpt, width_of

SCHEMA_VERSION = 1
_MOST_GROUPS = 10
_IN = "    "
_SIDES = {"champion": "production", "candidate": "candidate", "baseline": "baseline"}


@dataclass(frozen=True, slots=True)
class RepairUse:
    """How many answers one repair was needed for, on one prompt and model.

    Args:
        rung: the best rung of an answer that needs the repair.
        accepted: True if the suite's accept level includes this rung.
        needed: answers that needed the repair.
        alone: answers that needed no other repair.
        lost: answers whose format is accepted, and would not be without the repair.
    """

    name: str
    rung: str
    accepted: bool
    needed: int
    alone: int
    lost: int


@dataclass(frozen=True, slots=True)
class AnswerGroup:
    """Answers that are wrong in the same way, whatever they say: `what` is common to all, `example` is from one."""

    what: str
    answers: int
    example: str


@dataclass(frozen=True, slots=True)
class PromptRepairs:
    """The answers of one model to one prompt that a check read as data.

    Args:
        rungs: answers by rung.
        rescued: answers whose format is accepted because of a repair.
        beyond: answers that a repair reads on a rung below the suite's accept level.
        unreadable: answers that no repair reads.
        misfits: answers that are readable but fail the format checks.
    """

    prompt: str
    side: str
    model: str
    answers: int
    rungs: Mapping[str, int]
    rules: Sequence[RepairUse]
    rescued: int
    beyond: int
    unreadable: Sequence[AnswerGroup]
    misfits: Sequence[AnswerGroup]

    @property
    def unfixed(self) -> int:
        """The number of answers that no repair makes acceptable."""
        return sum(group.answers for group in (*self.unreadable, *self.misfits))


@dataclass(frozen=True, slots=True)
class RepairsReport:
    """The repairs in one run. Retries that the gate chose because of a failure are not counted.

    Args:
        unread: answers that no check reads as data, so their format is unknown.
    """

    run: str
    suite: str
    accept: str
    rows: Sequence[PromptRepairs]
    unread: int

    @property
    def sentence(self) -> str:
        answers = sum(row.answers for row in self.rows)
        if not answers:
            return "no check of this suite reads an answer as data, so nothing is known about the format"
        rules = {rule.name for row in self.rows for rule in row.rules if rule.lost}
        rescued = sum(row.rescued for row in self.rows)
        beyond = sum(row.beyond for row in self.rows)
        unfixed = sum(row.unfixed for row in self.rows)
        parts = [f"{rescued} of {number_of(answers, 'answer')} depend on {number_of(len(rules), 'repair')}"]
        if not rescued:
            parts = [f"none of {number_of(answers, 'answer')} depends on a repair"]
        if beyond:
            parts.append(f"{beyond} more need repairs that the suite does not accept")
        parts.append(f"{unfixed or 'none'} can only be fixed by another prompt")
        return "; ".join(parts)

    def as_dict(self) -> dict[str, Json]:
        return {"schema_version": SCHEMA_VERSION, **asdict(self), "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class BacktestFinding:
    """An answer that a repair rule got wrong or failed on."""

    answer: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """A repair rule on logged answers, each different answer counted once.

    Args:
        rescued: answers that the built-in repairs cannot read, or only by a guess, and the rule reads.
        wrong: answers that the rule reads as something else than expected, or than without it.
        failed: answers on which the rule raised, took too long, or was not deterministic and idempotent.
        unchanged: answers whose reading the rule does not change.
        advisory: why the rule does not count; None if it does.
        findings: the first wrong and failed answers.
    """

    rule: str
    trust: str
    hash: str
    rescued: int
    wrong: int
    failed: int
    unchanged: int
    advisory: str | None
    findings: Sequence[BacktestFinding]

    @property
    def sentence(self) -> str:
        return f"{self.rule} is advisory: {self.advisory}" if self.advisory else f"{self.rule} counts ({self.trust})"

    def as_dict(self) -> dict[str, Json]:
        return {"schema_version": SCHEMA_VERSION, **asdict(self), "sentence": self.sentence}


def render_backtest(report: BacktestReport) -> str:
    """Return the report as text; its last line is the sentence."""
    counts = (f"{getattr(report, name)} {name}" for name in ("rescued", "wrong", "failed", "unchanged"))
    findings = (f"{item.outcome}: {clean(item.answer)}: {clean(item.reason)}" for item in report.findings)
    return "".join(f"{line}\n" for line in (*findings, " · ".join(counts), report.sentence))


def render(report: RepairsReport, target: Target) -> str:
    """Return the report as text within the target's width. The last line is the whole sentence."""
    lines = [excerpt(f"{report.suite}: accepts {_words(report.accept)}, run {report.run}", target.width)]
    for model in dict.fromkeys(row.model for row in report.rows):
        lines += ["", excerpt(model, target.width)]
        for row in report.rows:
            if row.model == model:
                lines += _row(row, target.width)
    if report.unread and report.rows:
        lines += ["", f"{number_of(report.unread, 'more answer')} that no check reads as data"]
    return "".join(f"{line}\n" for line in (*lines, "", report.sentence))


def _row(row: PromptRepairs, width: int) -> Iterator[str]:
    rungs = " · ".join(f"{_words(name)} {count}" for name, count in row.rungs.items() if count)
    part = f"  {_SIDES.get(row.side) or excerpt(row.side, 10):<12}"
    yield (part + excerpt(row.prompt, width - len(part))).rstrip()
    yield from wrap(f"{number_of(row.answers, 'answer')}: {rungs}", width, initial_indent=_IN, subsequent_indent=_IN)
    if row.rules:
        name = max(len("repair"), *(width_of(rule.name) for rule in row.rules))
        yield _IN + cut(f"{'repair':<{name}}  {'rung':<14}  needed   alone  lost without it", width - 4)
    for rule in row.rules:
        lost = str(rule.lost) if rule.accepted else "not accepted"
        line = f"{rule.name:<{name}}  {_words(rule.rung):<14}  {rule.needed:>6}  {rule.alone:>6}  {lost:>15}"
        yield _IN + cut(line, width - 4)
    yield from _groups("unreadable, only another prompt fixes these", row.unreadable, width)
    yield from _groups("readable, but failing the format checks", row.misfits, width)


def _groups(title: str, groups: Sequence[AnswerGroup], width: int) -> Iterator[str]:
    if groups:
        yield f"{_IN}{title}:"
    for group in groups[:_MOST_GROUPS]:
        yield _IN + excerpt(f"{group.answers:>6} × {group.what}", width - 4)
        if group.example and group.example != group.what:
            yield " " * 13 + excerpt(group.example, width - 13)
    if rest := groups[_MOST_GROUPS:]:
        answers = number_of(sum(group.answers for group in rest), "answer")
        yield f"{_IN}and {answers} in {number_of(len(rest), 'other way')}"


def _words(name: str) -> str:
    return name.replace("_", " ")
