"""The result of `repairs`: how many answers each repair rescues, what no repair fixes, and the report on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from promptbench.core.errors import Exit
from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.report.document import Block, Document, ItemList, Report, Section, TableBlock, TableColumn, Text

_MOST_GROUPS = 10
_SIDES = {"champion": "production", "candidate": "candidate", "baseline": "baseline"}


@dataclass(frozen=True, slots=True)
class RepairUse:
    """One repair on one prompt and model. `rung` is the best rung of an answer that needs it.

    `accepted` is True if the suite accepts that rung. Of the answers that `needed` the rule, `alone` needed no other
    one, and `lost` would not be accepted without it.
    """

    name: str
    rung: str
    accepted: bool
    needed: int
    alone: int
    lost: int


@dataclass(frozen=True, slots=True)
class AnswerGroup:
    """Answers that are wrong in the same way: `what` is the same for all, `example` is of one."""

    what: str
    answers: int
    example: str


@dataclass(frozen=True, slots=True)
class PromptRepairs:
    """The answers of one model to one prompt that were read as data, by what had to be done for that.

    `rescued` are accepted because of a rule; `beyond` are read by a rule that the accept level does not allow;
    `misfits` are readable and fail the format checks.
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
        """Return the number of answers that no rule fixes."""
        return sum(group.answers for group in (*self.unreadable, *self.misfits))


@dataclass(frozen=True, slots=True)
class RepairsReport:
    """One run; answers to retests do not count. `unread` are answers that no check reads as data."""

    run: str
    suite: str
    accept: str
    rows: Sequence[PromptRepairs]
    unread: int

    @property
    def sentence(self) -> str:
        answers = sum(row.answers for row in self.rows)
        if not answers:
            return "no check of this suite reads an answer as data, so there are no formats to report"
        rules = {rule.name for row in self.rows for rule in row.rules if rule.lost}
        rescued = sum(row.rescued for row in self.rows)
        beyond = sum(row.beyond for row in self.rows)
        unfixed = sum(row.unfixed for row in self.rows)
        parts = [f"{rescued} of {number_of(answers, 'answer')} depend on {number_of(len(rules), 'rule')}"]
        if not rescued:
            parts = [f"none of {number_of(answers, 'answer')} depends on a rule"]
        if beyond:
            parts.append(f"{beyond} more need rules that the suite does not accept")
        parts.append(f"{unfixed or 'none'} can only be fixed by another prompt")
        return "; ".join(parts)

    def as_dict(self) -> dict[str, Json]:
        return {**asdict(self), "sentence": self.sentence}


def repairs_report(found: RepairsReport) -> Report:
    """Return the report on the repairs of a run."""
    title = f"{found.suite}: accepts {_words(found.accept)}, run {found.run}"
    sections = [Section(list(_row(row)), title=_name(row)) for row in found.rows]
    if found.unread and found.rows:
        sections.append(Section([Text(f"{number_of(found.unread, 'more answer')} that no check reads as data")]))
    return Report("repairs", Document(title, sections, found.sentence), found.as_dict, run=found.run)


def _name(row: PromptRepairs) -> str:
    side = " ".join(filter(None, (_SIDES.get(row.side, row.side), row.prompt)))
    return f"{side} on {row.model}"


def _row(row: PromptRepairs) -> Iterator[Block]:
    rungs = " · ".join(f"{_words(name)} {count}" for name, count in row.rungs.items() if count)
    yield Text(f"{number_of(row.answers, 'answer')}: {rungs}")
    if row.rules:
        heads = [TableColumn("rule", numeric=False), TableColumn("rung", numeric=False)]
        rows = [
            (
                rule.name,
                _words(rule.rung),
                str(rule.needed),
                str(rule.alone),
                str(rule.lost) if rule.accepted else "not accepted",
            )
            for rule in row.rules
        ]
        yield TableBlock([*heads, *map(TableColumn, ("needed", "alone", "lost without it"))], rows, label="Rules")
    yield from _groups("unreadable, only another prompt fixes these", row.unreadable)
    yield from _groups("invalid, only another prompt fixes these", row.misfits)


def _groups(title: str, groups: Sequence[AnswerGroup]) -> Iterator[ItemList]:
    items = [
        f"{group.answers} × {group.what}" + (f": {group.example}" if group.example not in ("", group.what) else "")
        for group in groups[:_MOST_GROUPS]
    ]
    if rest := groups[_MOST_GROUPS:]:
        answers = number_of(sum(group.answers for group in rest), "answer")
        items.append(f"and {answers} in {number_of(len(rest), 'other way')}")
    if items:
        yield ItemList(items, title=title)


def _words(name: str) -> str:
    return name.replace("_", " ")


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
        return {**asdict(self), "sentence": self.sentence}


def backtest_report(result: BacktestReport) -> Report:
    """Return the report on a back-test: its findings, the counts, and whether the rule counts."""
    findings = [Text(f"{item.outcome}: {item.answer}: {item.reason}") for item in result.findings]
    counts = " · ".join(f"{getattr(result, name)} {name}" for name in ("rescued", "wrong", "failed", "unchanged"))
    document = Document("", [Section([*findings, Text(counts)])], result.sentence)
    return Report(result.rule, document, result.as_dict, exit=Exit.NO if result.advisory else Exit.YES)
