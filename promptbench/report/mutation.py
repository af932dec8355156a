"""Which mutants of good answers a suite's checks let live: the data, and how a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from textwrap import wrap

from promptbench.core.errors import Exit, combine
from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.report.words import Target, clean, cut, excerpt, share, width_of

SCHEMA_VERSION = 1
_MOST_GROUPS = 10
_MOST_LINES = 30
_MOST_NAMED = 10
_IN = "  "


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One way to break answers. Of the `made` mutants, those neither equivalent nor unjudged are killed or survive."""

    name: str
    must: bool
    """Whether its mutants count: checks must kill them. Else they are for information."""
    stands_for: str
    made: int
    equivalent: int
    unjudged: int
    killed: int
    survived: int


@dataclass(frozen=True, slots=True)
class Survivors:
    """Mutants that live, of one operator in one field, with an example. `field` is `the answer` for the whole."""

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
    location: str
    case: str | None


@dataclass(frozen=True, slots=True)
class SuiteMutation:
    """One suite. `answers` are the good answers that were broken, by where they are from."""

    suite: str
    path: str
    run: str | None
    cases: int
    answers: dict[str, int]
    without_answer: int
    """Cases of which no good answer is known."""
    operators: Sequence[OperatorRow]
    survivors: Sequence[Survivors]
    vacuous: Sequence[VacuousCheck]
    vacuous_more: int
    """Vacuous checks beyond those that are named."""
    strict: int
    """Mutants that the suite's accept level allows, and a check fails all the same."""

    @property
    def counted(self) -> int:
        """Mutants that must be killed."""
        return self.killed + self.survived

    @property
    def killed(self) -> int:
        return sum(row.killed for row in self.operators if row.must)

    @property
    def survived(self) -> int:
        return sum(row.survived for row in self.operators if row.must)

    @property
    def score(self) -> float | None:
        """Killed of those that must be; None where there are none."""
        return self.killed / self.counted if self.counted else None

    def as_dict(self) -> dict[str, Json]:
        return {**asdict(self), "counted": self.counted, "killed": self.killed, "score": self.score}


@dataclass(frozen=True, slots=True)
class MutationReport:
    """All suites that were looked at. `at_least` is the score that each of them needs, where one was asked for."""

    suites: Sequence[SuiteMutation]
    at_least: float | None = None

    @property
    def exit(self) -> Exit:
        """NO where a suite is below what was asked for, NOTHING where nobody can tell."""
        if self.at_least is None:
            return Exit.YES
        scores = [suite.score for suite in self.suites]
        return combine(
            Exit.NOTHING if score is None else Exit.YES if score >= self.at_least else Exit.NO for score in scores
        )

    @property
    def sentence(self) -> str:
        counted, killed = (sum(getattr(item, name) for item in self.suites) for name in ("counted", "killed"))
        vacuous = sum(len(item.vacuous) + item.vacuous_more for item in self.suites)
        start = "the checks kill"
        if self.at_least is not None:
            start = {Exit.YES: "PASS: ", Exit.NO: "FAIL: "}.get(self.exit, "NO VERDICT: ") + start
        parts = [f"{start} {killed:,} of {number_of(counted, 'mutant')} ({share(killed, counted)})"]
        if self.at_least is not None:
            below = [item.suite for item in self.suites if item.score is not None and item.score < self.at_least]
            short = f"{', '.join(below)} {'is' if len(below) == 1 else 'are'} below" if below else "none is below"
            parts.append(f"{short} {self.at_least * 100:.4g} %")
        parts.append(f"{number_of(vacuous, 'check')} never {'fails' if vacuous == 1 else 'fail'}" if vacuous else "")
        return "; ".join(part for part in parts if part)

    def as_dict(self) -> dict[str, Json]:
        return {
            "schema_version": SCHEMA_VERSION,
            "suites": [suite.as_dict() for suite in self.suites],
            "at_least": self.at_least,
            "sentence": self.sentence,
        }


def render(report: MutationReport, target: Target) -> str:
    """The report as text within the target's width; its last line is the sentence, whole."""
    lines: list[str] = []
    for suite in report.suites:
        lines += [*_suite(suite, target.width), ""]
    return "".join(f"{line}\n" for line in (*lines, report.sentence))


def _suite(suite: SuiteMutation, width: int) -> Iterator[str]:
    known = ", ".join(f"{count:,} from {_FROM[source]}" for source, count in suite.answers.items() if count)
    answered = f"{suite.cases - suite.without_answer:,} of {number_of(suite.cases, 'case')}"
    total = number_of(sum(suite.answers.values()), "good answer")
    yield from _wrapped(f"{suite.suite}: {total} to {answered}{f' ({known})' if known else ''}", width)
    if suite.without_answer:
        why = f"no answer to them passes in run {suite.run}" if suite.run else "no answer to them is known"
        what = f"{number_of(suite.without_answer, 'case')} left out: {why}"
        more = "" if suite.run else ", or run the suite"
        yield from _wrapped(f"{what}; write a good one under 'should be:'{more}", width, _IN)
    if not suite.operators:
        return
    yield ""
    yield from _table(suite.operators, width)
    if suite.strict:
        much = f"{number_of(suite.strict, 'mutant')} that the suite's accept level allows"
        yield from _wrapped(f"{much} {'fails' if suite.strict == 1 else 'fail'} a stricter check", width, _IN)
    for must, title in ((True, "alive"), (False, "alive, for information: some suites may let these pass")):
        groups = [group for group in suite.survivors if group.must is must]
        if groups:
            yield ""
            yield from _wrapped(f"{title} ({sum(group.mutants for group in groups):,})", width)
            yield from _groups(groups, width, brief=not must)
    if suite.vacuous:
        yield ""
        yield from _vacuous(suite, width)


_FROM = {"should be": "'should be'", "run": "the run record", "expect": "'expect'"}


def _table(rows: Sequence[OperatorRow], width: int) -> Iterator[str]:
    name = max((width_of(row.name) for row in rows), default=0)
    yield cut(f"{_IN}{'broken by':<{name}}    made  allowed  killed  alive", width)
    for must in (True, False):
        part = [row for row in rows if row.must is must]
        if part and not must:
            yield cut(f"{_IN}for information:", width)
        for row in part:
            alive = f"{row.survived:>6}" if row.survived else "     –"
            unjudged = f"  ({row.unjudged} for a judge to say)" if row.unjudged else ""
            line = f"{_IN}{row.name:<{name}}  {row.made:>6}  {row.equivalent:>7}  {row.killed:>6} {alive}{unjudged}"
            yield cut(line, width)


def _groups(groups: Sequence[Survivors], width: int, *, brief: bool) -> Iterator[str]:
    """The largest groups, each with an example unless they are for information."""
    shown = groups[: _MOST_LINES if brief else _MOST_GROUPS]
    for group in shown:
        where = "" if group.field == "the answer" else f" in {clean(group.field)}"
        title = f"{group.operator}{where}: {number_of(group.mutants, 'mutant')} of {number_of(group.cases, 'case')}"
        yield _IN + excerpt(title, width - 2)
        if not brief:
            yield from _example(group, width)
    if hidden := groups[len(shown) :]:
        rest = number_of(sum(group.mutants for group in hidden), "mutant")
        yield f"{_IN}and {rest} in {number_of(len(hidden), 'other field')}"


def _example(group: Survivors, width: int) -> Iterator[str]:
    yield _IN * 2 + excerpt(f"case '{group.case}'", width - 4)
    for mark, text in zip("-+", _difference(group.original, group.mutant), strict=True):
        yield _IN * 2 + cut(f"{mark} {text}", width - 4)


def _vacuous(suite: SuiteMutation, width: int) -> Iterator[str]:
    count = len(suite.vacuous) + suite.vacuous_more
    what = "this check" if count == 1 else "these checks"
    yield from _wrapped(f"vacuous: no logged answer and no mutant fails {what} ({count:,})", width)
    for item in suite.vacuous[:_MOST_NAMED]:
        case = f", case '{clean(item.case)}'" if item.case is not None else ""
        yield _IN + excerpt(f"{item.location} {item.check}{case}", width - 2)
    if rest := count - min(len(suite.vacuous), _MOST_NAMED):
        yield f"{_IN}and {rest:,} more"


def _difference(one: str, other: str) -> tuple[str, str]:
    """Two texts from shortly before their first difference on, on one line each."""
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = max(0, same - 24)
    start = 0 if start < 12 else start
    return (_from(one, start), _from(other, start))


def _from(text: str, start: int) -> str:
    if not text:
        return "(nothing)"
    return ("…" if start else "") + clean(text[start : start + 200])


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return wrap(text, width, initial_indent=indent, subsequent_indent=indent + _IN, break_on_hyphens=False)
