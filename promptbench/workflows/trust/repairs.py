"""Report which repairs a run's answers depend on, and back-test a team's own repair rules on logged answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from promptbench.checks import expect
from promptbench.core.canonical import canonical, digest
from promptbench.core.errors import Diagnostics, Exit, InputError, NothingSelected, suggest
from promptbench.core.protocols import CheckContext, Subject
from promptbench.core.python_process import FunctionFailure
from promptbench.core.types import Attempt, Json, Rung, Side
from promptbench.core.words import number_of
from promptbench.engine.prepare.repair_rules import RepairRule, record_of, stability_problem, verdict_of
from promptbench.ingest.files.log_paths import LogFiles
from promptbench.parsing import calls, json_text
from promptbench.parsing.ladder import BUILT_IN, RUNGS, Ladder
from promptbench.project import Project
from promptbench.report.document import Block, Document, ItemList, Report, Section, TableBlock, TableColumn, Text
from promptbench.report.words import side_word
from promptbench.schemas.reasons import without_values
from promptbench.store.runs import RunInfo
from promptbench.suite.loader import load as load_suite

# Bounds memory: kinds beyond this are counted together.
_MOST_KINDS = 1000
_OTHERS = "other kinds"
_FORMAT_CHECKS = ("json", "json schema")


def repairs(project: Project, run: str) -> Report:
    """Report which repairs a run's answers depend on, and which failures only another prompt can fix.

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
    return repairs_report(info.id, info.suite, accept.value, _rows(info, tallies), unread)


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


_MOST_GROUPS = 10


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


def repairs_report(run: str, suite: str, accept: str, rows: Sequence[PromptRepairs], unread: int) -> Report:
    """Return the report on the repairs of a run; answers to retests do not count.

    Args:
        accept: the suite's accept level.
        unread: the number of answers that no check reads as data.
    """
    sections = [Section(list(_row(row)), title=_name(row)) for row in rows]
    if unread and rows:
        sections.append(Section([Text(f"{number_of(unread, 'more answer')} that no check reads as data")]))
    document = Document(f"{suite}: accepts {_words(accept)}, run {run}", sections, _sentence(rows))
    about = {"run": run, "suite": suite, "accept": accept}
    data = {**about, "rows": list(map(asdict, rows)), "unread": unread, "sentence": document.verdict}
    return Report("repairs", document, lambda: data, run=run)


def _sentence(rows: Sequence[PromptRepairs]) -> str:
    answers = sum(row.answers for row in rows)
    if not answers:
        return "no check of this suite reads an answer as data, so there are no formats to report"
    rules = {rule.name for row in rows for rule in row.rules if rule.lost}
    rescued = sum(row.rescued for row in rows)
    beyond = sum(row.beyond for row in rows)
    unfixed = sum(row.unfixed for row in rows)
    parts = [f"{rescued} of {number_of(answers, 'answer')} depend on {number_of(len(rules), 'rule')}"]
    if not rescued:
        parts = [f"none of {number_of(answers, 'answer')} depends on a rule"]
    if beyond:
        parts.append(f"{beyond} more need rules that the suite does not accept")
    parts.append(f"{unfixed or 'none'} can only be fixed by another prompt")
    return "; ".join(parts)


def _name(row: PromptRepairs) -> str:
    side = " ".join(filter(None, (side_word(row.side), row.prompt)))
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


_UNKNOWN = object()
_MOST_SHOWN = 20


class _Answer(NamedTuple):
    source: str
    text: str
    expected: Json


def backtest(project: Project, name: str, logs: Sequence[Path], suites: Sequence[Path]) -> Report:
    """Replay answers with the rule `name`, and record the counts for the rule's hash. Return the report on them.

    Each different answer counts once: as rescued if the built-in repairs cannot read it, or only by a guess, and the
    rule reads it; as wrong if the rule reads it as something else than expected, or than without it; as failed if the
    rule raised, took too long, or was not deterministic and idempotent; else as unchanged.

    Args:
        logs: log files of any format that `import` reads.
        suites: suites whose logged answers (`was`) and newest run are replayed.

    Raises:
        InputError: the rule is unknown, or a file cannot be read.
        NothingSelected: nothing can be replayed.
    """
    rules = {rule.name: rule for rule in project.repair_rules}
    if name not in rules:
        known = f"known are {', '.join(rules)}" if rules else "the setting 'repairs' lists their files"
        raise InputError(f"unknown repair rule '{name}'", hint=suggest(name, rules, known))
    rule = rules[name]
    counts = dict.fromkeys(("rescued", "wrong", "failed", "unchanged"), 0)
    findings: list[Json] = []
    seen: set[str] = set()
    for answer in chain(_logged(logs), *(_of_suite(project, path) for path in suites)):
        identity = digest([answer.text, None if answer.expected is _UNKNOWN else [answer.expected]])
        if identity in seen:
            continue
        seen.add(identity)
        outcome, reason = _replayed(rule, answer)
        counts[outcome] += 1
        if outcome in ("wrong", "failed") and len(findings) < _MOST_SHOWN:
            findings.append({"answer": answer.source, "outcome": outcome, "reason": reason})
    if not seen:
        raise NothingSelected("no answer to replay", hint="name a log with --log or a suite with --suite")
    rule.record.parent.mkdir(exist_ok=True)
    sources = [project.shown(path) for path in (*logs, *suites)]
    rule.record.write_text(record_of(rule, counts, sources), encoding="utf-8", newline="\n")
    advisory = verdict_of(counts["rescued"], counts["wrong"], counts["failed"])
    sentence = f"{rule.name} is advisory: {advisory}" if advisory else f"{rule.name} counts ({rule.trust})"
    lines = [f"{item['outcome']}: {item['answer']}: {item['reason']}" for item in findings]
    lines.append(" · ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    data = {"rule": rule.name, "trust": rule.trust, "hash": rule.hash, **counts}
    data |= {"advisory": advisory, "findings": findings, "sentence": sentence}
    document = Document("", [Section(list(map(Text, lines)))], sentence)
    return Report(rule.name, document, lambda: data, exit=Exit.NO if advisory else Exit.YES)


def _logged(logs: Sequence[Path]) -> Iterator[_Answer]:
    for file, call in LogFiles([str(path) for path in logs]).read() if logs else ():
        if call.answer is not None:
            expected = call.expected if call.expected is not None else call.extra.get("expected", _UNKNOWN)
            yield _Answer(f"{Path(file).name}#{call.id}", call.answer, expected)


def _of_suite(project: Project, path: Path) -> Iterator[_Answer]:
    file, found = project.suite_file(path), Diagnostics()
    suite = load_suite(file, project.shown(file), found)
    if suite is None:
        raise InputError(f"{project.shown(file)} is not a valid suite", diagnostics=found)
    expected: dict[str, Json] = {}
    for case in suite.cases.scan(found):
        wish = case.should_be if case.has_wish else _UNKNOWN
        expected[case.name] = case.expect if case.has_expect else wish
        if case.was is not None:
            yield _Answer(f"{case.name} (was)", case.was, expected[case.name])
    with project.recordings() as runs:
        if runs is None or suite.name not in runs.suites():
            return
        for attempt in runs.attempts(runs.latest_of_suite(suite.name)):
            if attempt.answer is not None:
                name = attempt.key.case
                yield _Answer(f"{name} ({attempt.key.model})", attempt.answer.text, expected.get(name, _UNKNOWN))


def _replayed(rule: RepairRule, answer: _Answer) -> tuple[str, str]:
    """Return `rescued`, `wrong`, `failed` or `unchanged`, and the reason for the second and third."""
    text = answer.text
    try:
        repaired = rule.apply(text)
        if repaired is None:
            return "unchanged", ""
        if (problem := stability_problem(rule, text, repaired)) is not None:
            return "failed", problem
    except FunctionFailure as failure:
        return "failed", str(failure)
    before = BUILT_IN.read(text)
    if before.rung.within(Rung.REPAIRED_SAFE):
        # The ladder never tries the rule here, but the answer's meaning is known, so it shows if the rule keeps it.
        after = BUILT_IN.read(repaired)
        difference = _difference(before.value, after.value)
        return ("wrong", difference) if difference else ("unchanged", "")
    after = Ladder((rule.as_rule(),)).read(text)
    if after == before:
        return "unchanged", ""
    if answer.expected is not _UNKNOWN:
        wrong = _expectation_problem(answer.expected, after.value)
        return ("wrong", wrong) if wrong else ("rescued", "")
    difference = _difference(before.value, after.value) if before.rung is not Rung.NONE else ""
    return ("wrong", difference) if difference else ("rescued", "")


def _difference(before: Json, after: Json) -> str:
    without, with_rule = canonical(before), canonical(after)
    return "" if without == with_rule else f"it reads as {with_rule[:200]}, without the rule as {without[:200]}"


def _expectation_problem(expected: Json, value: Json) -> str:
    """Return why a value is not what was expected, as the check `expect` sees it; empty if it is."""
    wanted = BUILT_IN.read(expected) if isinstance(expected, str) else None
    if wanted is not None and wanted.rung is not Rung.NONE:
        expected = wanted.value
    text = value if isinstance(value, str) else canonical(value)
    try:
        check = expect.build(expected, CheckContext(Path()))
    except ValueError:
        return ""  # Written for another purpose, so the right answer is not known.
    return check.score(Subject(text, lambda: BUILT_IN.read(canonical(value)), Rung.RAW, {})).reason
