"""Which repair rescues how many answers, and what no repair mends: the data, and how a terminal shows it."""

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
class Rule:
    """One repair on one prompt and model. `rung` is the best that an answer can be on which needs it.

    Of the answers that needed it, `alone` needed no other one, and `lost` are those whose format the suite takes as
    good: without the rule it would not.
    """

    name: str
    rung: str
    accepted: bool
    """Whether the suite's accept level takes answers on this rung."""
    needed: int
    alone: int
    lost: int


@dataclass(frozen=True, slots=True)
class Group:
    """Answers that are wrong in the same way, whatever they say: `what` is the same for all, `example` of one."""

    what: str
    answers: int
    example: str


@dataclass(frozen=True, slots=True)
class PromptRepairs:
    """The answers of one model to one prompt that were read as data, by what had to be done for that."""

    prompt: str
    side: str
    model: str
    answers: int
    rungs: Mapping[str, int]
    rules: Sequence[Rule]
    rescued: int
    """Answers whose format the suite takes as good because of a rule."""
    beyond: int
    """Answers that a rule reads, and that the suite does not count: its accept level is above their rung."""
    unreadable: Sequence[Group]
    misfits: Sequence[Group]
    """Answers that are readable and do not fit what the format checks want."""

    @property
    def unmended(self) -> int:
        """Answers that no rule mends."""
        return sum(group.answers for group in (*self.unreadable, *self.misfits))


@dataclass(frozen=True, slots=True)
class RepairsReport:
    """One run. Each answer is counted once; tries that the gate asked for because of a failure are left out."""

    run: str
    suite: str
    accept: str
    rows: Sequence[PromptRepairs]
    unread: int
    """Answers that no check reads as data, so that nothing can be said of their format."""

    @property
    def sentence(self) -> str:
        answers = sum(row.answers for row in self.rows)
        if not answers:
            return "no check of this suite reads an answer as data, so there is no format to look at"
        rules = {rule.name for row in self.rows for rule in row.rules if rule.lost}
        rescued = sum(row.rescued for row in self.rows)
        beyond = sum(row.beyond for row in self.rows)
        unmended = sum(row.unmended for row in self.rows)
        parts = [f"{rescued} of {number_of(answers, 'answer')} depend on {number_of(len(rules), 'rule')}"]
        if not rescued:
            parts = [f"none of {number_of(answers, 'answer')} depends on a rule"]
        if beyond:
            parts.append(f"{beyond} more need rules that the suite does not accept")
        parts.append(f"{unmended or 'none'} can only be mended by another prompt")
        return "; ".join(parts)

    def as_dict(self) -> dict[str, Json]:
        return {"schema_version": SCHEMA_VERSION, **asdict(self), "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class Finding:
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
    findings: Sequence[Finding]

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
    """The report as text within the target's width; its last line is the sentence, whole."""
    lines = [excerpt(f"{report.suite}: accepts {_words(report.accept)}, run {report.run}", target.width)]
    for model in dict.fromkeys(row.model for row in report.rows):
        lines += ["", excerpt(model, target.width)]
        for row in report.rows:
            if row.model == model:
                lines += _row(row, target.width)
    if report.unread and report.rows:
        lines += ["", f"{number_of(report.unread, 'answer')} beside these that no check reads as data"]
    return "".join(f"{line}\n" for line in (*lines, "", report.sentence))


def _row(row: PromptRepairs, width: int) -> Iterator[str]:
    rungs = " · ".join(f"{_words(name)} {count}" for name, count in row.rungs.items() if count)
    part = f"  {_SIDES.get(row.side) or excerpt(row.side, 10):<12}"
    yield (part + excerpt(row.prompt, width - len(part))).rstrip()
    yield from wrap(f"{number_of(row.answers, 'answer')}: {rungs}", width, initial_indent=_IN, subsequent_indent=_IN)
    if row.rules:
        name = max(len("rule"), *(width_of(rule.name) for rule in row.rules))
        yield _IN + cut(f"{'rule':<{name}}  {'rung':<14}  needed   alone  lost without it", width - 4)
    for rule in row.rules:
        lost = str(rule.lost) if rule.accepted else "not accepted"
        line = f"{rule.name:<{name}}  {_words(rule.rung):<14}  {rule.needed:>6}  {rule.alone:>6}  {lost:>15}"
        yield _IN + cut(line, width - 4)
    yield from _groups("unreadable, only another prompt mends these", row.unreadable, width)
    yield from _groups("do not fit, only another prompt mends these", row.misfits, width)


def _groups(title: str, groups: Sequence[Group], width: int) -> Iterator[str]:
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
