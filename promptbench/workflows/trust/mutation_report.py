"""The result of `mutate`: which mutants of good answers a suite's checks let survive, and the report on it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from promptbench.core.errors import Exit, combine
from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.report.document import (
    Block,
    Document,
    Item,
    ItemLine,
    ItemList,
    Report,
    Section,
    TableBlock,
    TableColumn,
    Text,
)
from promptbench.report.words import share

_MOST_GROUPS = 10
_MOST_LINES = 30
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One way to break answers. Of the `made` mutants, those neither equivalent nor unjudged are killed or survive.

    The mutants of a `must` operator count: checks have to kill them. Others are for information.
    """

    name: str
    must: bool
    stands_for: str
    made: int
    equivalent: int
    unjudged: int
    killed: int
    survived: int


@dataclass(frozen=True, slots=True)
class Survivors:
    """Surviving mutants of one operator in one field, with an example. `field` is `the answer` for the whole."""

    operator: str
    must: bool
    field: str
    mutants: int
    cases: int
    case: str
    original: str
    mutant: str


@dataclass(frozen=True, slots=True)
class VacuousCheck:
    """A check that no logged answer and no mutant fails, with its location."""

    check: str
    place: str
    case: str | None


@dataclass(frozen=True, slots=True)
class SuiteMutation:
    """One suite. `answers` counts the good answers that were broken, by source.

    `without_answer` counts cases without a known good answer, `vacuous_more` vacuous checks beyond those listed, and
    `strict` mutants that the suite's accept level allows and a check fails anyway.
    """

    suite: str
    path: str
    run: str | None
    cases: int
    answers: dict[str, int]
    without_answer: int
    operators: Sequence[OperatorRow]
    survivors: Sequence[Survivors]
    vacuous: Sequence[VacuousCheck]
    vacuous_more: int
    strict: int

    @property
    def counted(self) -> int:
        return sum(row.killed + row.survived for row in self.operators if row.must)

    @property
    def killed(self) -> int:
        return sum(row.killed for row in self.operators if row.must)

    @property
    def score(self) -> float | None:
        """Return the share of killed mutants, of those that count; None if there are none."""
        return self.killed / self.counted if self.counted else None

    def as_dict(self) -> dict[str, Json]:
        return {**asdict(self), "counted": self.counted, "killed": self.killed, "score": self.score}


_FROM = {"should be": "'should be'", "run": "the run record", "expect": "'expect'"}


def mutation_report(suites: Sequence[SuiteMutation], at_least: float | None = None) -> Report:
    """Return the report on a mutation test; `at_least` is the score that each suite needs, if one was given.

    Its exit is NO if a suite is below that, NOTHING if that cannot be known.
    """
    code = Exit.YES
    if at_least is not None:
        scores = [suite.score for suite in suites]
        code = combine(Exit.NOTHING if it is None else Exit.YES if it >= at_least else Exit.NO for it in scores)
    result = "" if at_least is None else {Exit.YES: "PASS", Exit.NO: "FAIL"}.get(code, "NO VERDICT")
    sentence = (f"{result}: " if result else "") + _sentence(suites, at_least)
    data = {"suites": [suite.as_dict() for suite in suites], "at_least": at_least, "sentence": sentence}
    document = Document("", [section for suite in suites for section in _sections(suite)], sentence)
    return Report("mutate", document, lambda: data, exit=code, result=result)


def _sentence(suites: Sequence[SuiteMutation], at_least: float | None) -> str:
    counted, killed = (sum(getattr(item, name) for item in suites) for name in ("counted", "killed"))
    vacuous = sum(len(item.vacuous) + item.vacuous_more for item in suites)
    parts = [f"the checks kill {killed:,} of {number_of(counted, 'mutant')} ({share(killed, counted)})"]
    if at_least is not None:
        below = [item.suite for item in suites if item.score is not None and item.score < at_least]
        short = f"{', '.join(below)} {'is' if len(below) == 1 else 'are'} below" if below else "none is below"
        parts.append(f"{short} {at_least * 100:.4g} %")
    if vacuous:
        parts.append(f"{number_of(vacuous, 'check')} never {'fails' if vacuous == 1 else 'fail'}")
    return "; ".join(parts)


def _sections(suite: SuiteMutation) -> Iterator[Section]:
    known = ", ".join(f"{count:,} from {_FROM[source]}" for source, count in suite.answers.items() if count)
    answered = f"{suite.cases - suite.without_answer:,} of {number_of(suite.cases, 'case')}"
    total = number_of(sum(suite.answers.values()), "good answer")
    blocks: list[Block] = [Text(f"{total} to {answered}{f' ({known})' if known else ''}")]
    if suite.without_answer:
        why = f"no answer to them passes in run {suite.run}" if suite.run else "no answer to them is known"
        left_out = f"{number_of(suite.without_answer, 'case')} left out: {why}"
        more = "" if suite.run else ", or run the suite"
        blocks.append(Text(f"{left_out}; write a good one under 'should be:'{more}"))
    yield Section(blocks, title=suite.suite)
    if not suite.operators:
        return
    blocks = [_table(suite.operators)]
    if suite.strict:
        verb = "fails" if suite.strict == 1 else "fail"
        mutants = number_of(suite.strict, "mutant")
        blocks.append(Text(f"{mutants} that the suite's accept level allows {verb} a stricter check"))
    yield Section(blocks)
    for must, title in ((True, "surviving"), (False, "surviving, for information")):
        groups = [group for group in suite.survivors if group.must is must]
        if groups:
            count = sum(group.mutants for group in groups)
            blocks = list(_groups(groups, brief=not must))
            yield Section(blocks, title=f"{title} ({count:,})", tone="bad" if must else "none")
    if suite.vacuous:
        yield _vacuous(suite)


def _table(rows: Sequence[OperatorRow]) -> TableBlock:
    heads = [TableColumn(name, numeric=False) for name in ("kind", "broken by")]
    return TableBlock(
        [*heads, *map(TableColumn, ("made", "allowed", "killed", "survived")), TableColumn("unjudged", drop=1)],
        [
            (
                "must be killed" if row.must else "for information",
                row.name,
                str(row.made),
                str(row.equivalent),
                str(row.killed),
                str(row.survived or "–"),
                str(row.unjudged or ""),
            )
            for row in sorted(rows, key=lambda row: not row.must)
        ],
        label="Mutants",
        grouped=True,
    )


def _groups(groups: Sequence[Survivors], *, brief: bool) -> Iterator[Block]:
    """Yield the largest groups, each with an example unless they are for information."""
    shown = groups[: _MOST_LINES if brief else _MOST_GROUPS]
    for group in shown:
        where = "" if group.field == "the answer" else f" in {group.field}"
        title = f"{group.operator}{where}: {number_of(group.mutants, 'mutant')} of {number_of(group.cases, 'case')}"
        yield Item(title, lines=[] if brief else list(_example(group)), indent=2)
    if hidden := groups[len(shown) :]:
        rest = number_of(sum(group.mutants for group in hidden), "mutant")
        yield Text(f"and {rest} in {number_of(len(hidden), 'other field')}", indent=2)


def _example(group: Survivors) -> Iterator[ItemLine]:
    yield ItemLine(f"case '{group.case}'")
    one, other = group.original, group.mutant
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    # From shortly before the first difference on.
    start = same - 24 if same >= 36 else 0
    for label, text in (("good", one), ("mutant", other)):
        yield ItemLine(("…" if start else "") + text[start : start + 200] if text else "(nothing)", label)


def _vacuous(suite: SuiteMutation) -> Section:
    count = len(suite.vacuous) + suite.vacuous_more
    checks = "this check" if count == 1 else "these checks"
    items = [
        f"{item.place} {item.check}" + (f", case '{item.case}'" if item.case is not None else "")
        for item in suite.vacuous[:_MOST_NAMED]
    ]
    if rest := count - len(items):
        items.append(f"and {rest:,} more")
    return Section([ItemList(items)], title=f"vacuous: no logged answer and no mutant fails {checks} ({count:,})")
