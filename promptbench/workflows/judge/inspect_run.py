"""A run side by side: its cases by columns (a prompt on a model), filtered and in pages, and one case with everything.

Counts are of all attempts, retests included, as in the CSV of a run; the shares of columns are of the first tries, as
in its report. Whether a case got worse is what its counts say; whether that is proven says the verdict.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock, Timer
from typing import NamedTuple

from promptbench.core.errors import Diagnostics, InputError, PromptbenchError
from promptbench.core.types import Json, Message
from promptbench.project import Project, Selection, input_error, stored_prompt
from promptbench.report.document import Axis, Chart, Series, TableBlock, TableColumn, Times
from promptbench.report.model import CaseAttempts, PromptText
from promptbench.report.templates import written
from promptbench.report.words import share, side_word
from promptbench.store.run_grid import FIGURES, CaseTally, RunColumn, RunPulse, SampleAnswer
from promptbench.store.runs import RunInfo, RunStore
from promptbench.suite.loader import load as load_suite
from promptbench.workflows.judge.recorded_results import attempt_row

PAGE = 100  # rows
_MOST_RUNS = 20  # of a case's history
_MOST_FAILURES = 5
_MOST_TAGS = 12
_SEARCHED = 4_000  # characters of an input
_PATIENCE = 0.2  # seconds that a list waits for inputs, or they for the list of a run with
_MANY = 2000  # cases
REVIEWS = "reviews.jsonl"
_starting = Lock()
READING = "the inputs of the cases are still being read"


@dataclass(frozen=True, slots=True)
class GridColumn:
    """A column. `base` is the number of the column that it is compared with; None without one."""

    of: RunColumn
    base: int | None
    passed: int
    answered: int


class GridCase(NamedTuple):
    """A case with its counts by column, and the filters that it passes.

    `change` is worse, better, same, apart (not comparable), or empty.
    """

    name: str
    cells: Sequence[CaseTally | None]
    change: str
    filters: frozenset[str]


@dataclass(frozen=True, slots=True)
class Grid:
    """All cases of one or two runs."""

    columns: Sequence[GridColumn]
    cases: Sequence[GridCase]

    @property
    def compares(self) -> bool:
        """Return whether any column is compared with another."""
        return any(column.base is not None for column in self.columns)


@dataclass(frozen=True, slots=True)
class CaseInput:
    """What a case is given and what it should get. `text` is what a search looks into."""

    variables: Mapping[str, Json]
    expected: Sequence[Json]
    was: Sequence[str]
    tags: Sequence[str]
    history: Sequence[Message]
    text: str


@dataclass(frozen=True, slots=True)
class GridQuery:
    """What a reader asks of a grid: a filter of FILTERS, a text, a tag, a page, and whether causes are grouped.

    `sort` is a figure and a column, such as `latency 0`, with `-` before it from the highest.
    """

    show: str = ""
    text: str = ""
    tag: str = ""
    page: int = 1
    by_cause: bool = False
    sort: str = ""


@dataclass(frozen=True, slots=True)
class GridRow:
    """A case of a page with an answer for each column, and the cause of its failure if rows are grouped."""

    case: GridCase
    samples: Sequence[SampleAnswer | None]
    input: str
    cause: str


@dataclass(frozen=True, slots=True)
class GridPage:
    """A page of a filtered grid. `counts` are by filter, for this text and tag; `names` are all cases that fit."""

    rows: Sequence[GridRow]
    names: Sequence[str]
    counts: Mapping[str, int]
    show: str
    page: int
    pages: int
    tags: Sequence[str]
    note: str


# The filters in the order in which they are shown, with the words for them.
FILTERS = {
    "changed": "changed",
    "worse": "got worse",
    "better": "got better",
    "same": "as before",
    "apart": "not comparable",
    "failing": "with a failure",
    "unstable": "unstable",
    "errors": "without an answer",
    "all": "all",
}
_RANK = {"worse": 0, "better": 1, "apart": 2, "same": 3, "": 3}


def run_info(project: Project, run: str) -> RunInfo:
    """Return a run. Raise InputError if it is not found."""
    with project.recorded() as runs:
        return runs.run(run)


def grid(project: Project, infos: Sequence[RunInfo]) -> Grid:
    """Return all cases of a run; of two runs, the columns of the first are the base of those of the second."""
    key = tuple((info.id, info.finished) for info in infos)
    # A run that is not finished grows.
    made = _grid if all(info.finished for info in infos) else _grid.__wrapped__
    return made(project.settings.state, key)


@lru_cache(maxsize=4)
def _grid(folder: Path, key: Sequence[tuple[str, str | None]]) -> Grid:
    cases: dict[str, list[CaseTally | None]] = {}
    passed, answered = Counter[int](), Counter[int]()
    with RunStore(folder) as runs:
        columns = [column for run, _ in key for column in runs.grid().columns(run)]
        numbers = {(column.run, column.variant, column.model): number for number, column in enumerate(columns)}
        for run, _ in key:
            for variant, model, case, tally in runs.grid().tallies(run):
                number = numbers[run, variant, model]
                cases.setdefault(case, [None] * len(columns))[number] = tally
                passed[number] += tally.first_passed
                answered[number] += tally.first
    bases = tuple(_base(columns, column, key[0][0] if len(key) > 1 else "") for column in columns)
    found = [
        GridColumn(column, base, passed[number], answered[number])
        for number, (column, base) in enumerate(zip(columns, bases, strict=True))
    ]
    by_counts = ((name, tuple(cells)) for name, cells in cases.items())
    return Grid(found, [GridCase(name, cells, *_kinds(cells, bases)) for name, cells in by_counts])


# Most cases have the same counts as others.
@lru_cache(maxsize=1000)
def _kinds(cells: Sequence[CaseTally | None], bases: Sequence[int | None]) -> tuple[str, frozenset[str]]:
    """Return how a case changed, and the filters that it passes."""
    change, known = _change(cells, bases), [cell for cell in cells if cell]
    flags = {
        "changed": change in ("worse", "better"),
        "failing": any(cell.failed for cell in known),
        "unstable": any(cell.passed and cell.failed for cell in known),
        "errors": any(cell.errored for cell in known),
    }
    return change, frozenset({change, "all", *(name for name, fits in flags.items() if fits)})


def _base(columns: Sequence[RunColumn], column: RunColumn, first: str) -> int | None:
    """Return the number of the column that a column is compared with: production's, or that of the `first` run."""
    side = column.side if first else {"candidate": "champion"}.get(column.side)
    wanted = (first or column.run, side, column.model)
    found = [number for number, it in enumerate(columns) if (it.run, it.side, it.model) == wanted]
    return found[0] if found and column.run != first else None


def _change(cells: Sequence[CaseTally | None], bases: Sequence[int | None]) -> str:
    found = set()
    for cell, base in zip(cells, bases, strict=True):
        before = cells[base] if base is not None else None
        if base is None or (cell is None and before is None):
            continue
        if not (cell and before and cell.passed + cell.failed and before.passed + before.failed):
            found.add("apart")
            continue
        now, then = (item.passed / (item.passed + item.failed) for item in (cell, before))
        found.add("same" if now == then else "better" if now > then else "worse")
    return min(found, key=lambda change: _RANK[change], default="")


def page(project: Project, infos: Sequence[RunInfo], found: Grid, query: GridQuery) -> GridPage:
    """Return a page of the cases that fit a query: as it sorts them, else those that got worse first."""
    note, inputs, needed = "", dict[str, CaseInput](), query.text or query.tag
    # To read many inputs takes longer than a page may, and while they are read all else takes twice as long.
    late = not needed and len(found.cases) > _MANY
    patience = None if needed else 0 if late else _PATIENCE
    try:
        inputs = dict(case_inputs(project, infos[-1], patience, _PATIENCE if late else 0))
    except TimeoutError:
        note = READING
    except PromptbenchError as error:
        note = f"the inputs cannot be shown: {error.message}"
    fitting: Sequence[GridCase] = found.cases
    if query.tag:
        fitting = [case for case in fitting if case.name in inputs and query.tag in inputs[case.name].tags]
    if query.text:
        wanted = query.text.casefold()
        with project.recorded() as runs:
            answered = {name for info in infos for name in runs.grid().answered_with(info.id, query.text)}
        fitting = [
            case
            for case in fitting
            if case.name in answered
            or wanted in case.name.casefold()
            or (case.name in inputs and wanted in inputs[case.name].text.casefold())
        ]
    counts = Counter(name for case in fitting for name in case.filters)
    default = "changed" if found.compares and counts["changed"] else "all"
    show = query.show if query.show in FILTERS else default
    order = {name: number for number, name in enumerate(inputs)}
    chosen = [case for case in fitting if show in case.filters]
    chosen.sort(key=lambda case: (_RANK[case.change], order.get(case.name, 0)))
    columns = {f"{name} {number}": (it.of, name) for number, it in enumerate(found.columns) for name in FIGURES}
    pages = max(1, -(-len(chosen) // PAGE))
    number = min(max(1, query.page), pages)
    with project.recorded() as runs:
        if sorted_by := columns.get(query.sort.removeprefix("-")):
            ranks = runs.grid().ranks(*sorted_by, down=query.sort.startswith("-"))
            chosen.sort(key=lambda case: ranks.get(case.name, len(ranks)))
        shown = chosen[(number - 1) * PAGE : number * PAGE]
        names = [case.name for case in shown]
        samples = [runs.grid().samples(column.of, names) for column in found.columns]
    rows = [
        GridRow(
            case,
            [by_case.get(case.name) for by_case in samples],
            inputs[case.name].text if case.name in inputs else "",
            _cause([by_case.get(case.name) for by_case in samples]) if query.by_cause else "",
        )
        for case in shown
    ]
    if query.by_cause:
        often = Counter(row.cause for row in rows)
        rows.sort(key=lambda row: (-often[row.cause], row.cause))
    tags = Counter(tag for item in inputs.values() for tag in item.tags)
    known = [tag for tag, _ in tags.most_common(_MOST_TAGS)]
    return GridPage(rows, [case.name for case in chosen], counts, show, number, pages, known, note)


def _cause(samples: Sequence[SampleAnswer | None]) -> str:
    failing = [item for item in samples if item and item.outcome != "passed"]
    return next(((item.error or "; ".join(item.reasons)) for item in reversed(failing)), "no failure")


def case_inputs(
    project: Project, info: RunInfo, patience: float | None = None, after: float = 0
) -> Mapping[str, CaseInput]:
    """Return the inputs of a run's cases, as the suite has them now.

    They are read once, beside other requests, until a file of the suite changes; the first call says how many seconds
    `after` it that begins. Raise InputError if the suite cannot be read, TimeoutError if it takes longer than the
    `patience` in seconds.
    """
    path = project.settings.root / str(info.facts["path"])
    reading, found = _reading(project.settings.root, path, state_of(path))
    with _starting:
        if reading.ident is None:
            reading.interval = after
            reading.start()
    return found.result(patience)


def state_of(suite: Path) -> tuple[int, int]:
    """Return when a file next to a suite or below was last written, in ns, and a number that changes with any of them.

    Marks of reviewers do not count.
    """
    files = (item for item in suite.parent.rglob("*") if item.is_file() and item.name != REVIEWS)
    states = {(item, (it := item.stat()).st_mtime_ns, it.st_size, it.st_ino) for item in files}
    return max((changed for _, changed, *_ in states), default=0), hash(frozenset(states))


@lru_cache(maxsize=2)
def _reading(root: Path, path: Path, state: tuple[int, int]) -> tuple[Timer, Future[Mapping[str, CaseInput]]]:
    found = Future[Mapping[str, CaseInput]]()

    def read() -> None:
        try:
            found.set_result(_read_inputs(Project.open(root), path))
        except Exception as error:  # noqa: BLE001 - whoever waits for the result gets it
            found.set_exception(error)

    timer = Timer(0, read)
    timer.daemon = True  # The end of the server does not wait for it.
    return timer, found


def _read_inputs(project: Project, path: Path) -> Mapping[str, CaseInput]:
    problems = Diagnostics()
    suite = load_suite(path, project.shown(path), problems)
    if suite is None:
        raise input_error(problems)
    # The checks of cases are not built, which would take three times as long.
    found = {
        item.name: CaseInput(
            variables := {**suite.common.variables, **item.variables},
            [item.expect] if item.has_expect else [],
            [item.was] if item.was else [],
            item.tags,
            item.messages,
            _text(variables),
        )
        for item in suite.cases.scan(problems)
    }
    if problems.errors:
        raise input_error(problems)
    if suite.logs:
        with project.prompts() as store, project.recordings() as runs:
            [prepared], _ = project.assemble(Selection(paths=(path,)), store=store, runs=runs, without_keys=True)
        for item in (prepared.cases[name] for name in prepared.cases.names if name not in found):
            found[item.name] = CaseInput(item.variables, [], item.was, item.tags, item.history, _text(item.variables))
    return found


def _text(variables: Mapping[str, Json]) -> str:
    return "\n".join(written(value) for value in variables.values())[:_SEARCHED]


@dataclass(frozen=True, slots=True)
class CaseDetails:
    """A case of a run, its prompts by hash, and its results in the newest runs, the oldest first.

    `note` says why its input is unknown, or that it has changed.
    """

    case: CaseAttempts
    prompts: Mapping[str, PromptText]
    history: Sequence[tuple[str, str | None, RunColumn, CaseTally]]
    note: str


def inspect_case(project: Project, info: RunInfo, name: str) -> CaseDetails:
    """Return a case of a run with everything that is known about it. Raise InputError if the run has no such case."""
    note, given = "", None
    try:
        given = case_inputs(project, info).get(name)
        changed = state_of(project.settings.root / str(info.facts["path"]))[0] / 1e9
        if given is None:
            note = "the suite no longer has this case"
        elif changed > datetime.fromisoformat(info.finished or info.started).timestamp():
            note = "files of the suite have changed since this run; the input is today's"
    except PromptbenchError as error:
        note = f"its input cannot be shown: {error.message}"
    models = {item["model"]: item["deterministic"] for item in info.facts["models"]}
    repeats = int(info.facts["policy"].get("repeats", 1))
    screen = {model: 1 if same else repeats for model, same in models.items()}
    with project.recorded() as runs:
        columns = [(column.variant, column.model) for column in runs.grid().columns(info.id)]
        attempts = [item for column in columns for item in runs.attempts_at(info.id, *column, name)]
        if not attempts:
            raise InputError(f"run {info.id} has no case '{name}'")
        history = runs.grid().case_history(info.suite, name, _MOST_RUNS)
    case = CaseAttempts(
        case=name,
        number=0,
        tags=given.tags if given else (),
        critical=given is not None and "critical" in given.tags,
        states={},
        variables=given.variables if given else {},
        expected=given.expected if given else (),
        was=given.was if given else (),
        asked={item.hash: _messages(item.source, given) for item in info.variants} if given else {},
        attempts=[attempt_row(item, screen) for item in attempts],
    )
    prompts = {
        item.hash: PromptText(item.name.removesuffix(".prompt"), item.side.value, item.hash, item.source)
        for item in info.variants
    }
    return CaseDetails(case, prompts, history, note)


def _messages(source: str, given: CaseInput) -> Sequence[tuple[str, str]]:
    try:
        found = stored_prompt(source).render(given.variables, given.history)
    except (PromptbenchError, KeyError):
        return ()
    return [(message.role, message.content) for message in found]


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is that is not finished. `planned` are the first tries; a gate may add more. Times in seconds."""

    pulse: RunPulse
    planned: int
    left: float | None
    failures: Sequence[tuple[str, str, str]]


def progress(project: Project, info: RunInfo) -> RunProgress:
    """Return how far a run is, from its record: it may have been started anywhere."""
    with project.recorded() as runs:
        pulse = runs.grid().pulse(info.id)
        failures = runs.grid().latest_failures(info.id, _MOST_FAILURES)
    repeats, prompts = int(info.facts["policy"].get("repeats", 1)), len(info.variants) or 1
    planned = sum(
        pulse.cases * (prompts if model["uses_prompt"] else 1) * (1 if model["deterministic"] else repeats)
        for model in info.facts["models"]
    )
    left = 60 * (planned - pulse.done) / pulse.recent if pulse.recent and planned > pulse.done else None
    return RunProgress(pulse, planned, left, failures)


def times_of(project: Project, info: RunInfo) -> Times:
    """Return the milliseconds of the calls of a run that enter rates, by prompt and model."""
    with project.recorded() as runs:
        return runs.grid().times(info.id)


def by_tag(found: Grid, inputs: Mapping[str, CaseInput]) -> Chart | None:
    """Return a chart of the right answers by tag; None without tags."""
    tags = Counter(tag for item in inputs.values() for tag in item.tags)
    lanes, rows = [], []
    for tag, _ in tags.most_common(_MOST_TAGS):
        for number, column in enumerate(found.columns):
            cells = [
                case.cells[number] for case in found.cases if case.name in inputs and tag in inputs[case.name].tags
            ]
            first, right = (sum(getattr(cell, key) for cell in cells if cell) for key in ("first", "first_passed"))
            if first:
                what = f"{column.of.prompt} on {column.of.model}" if column.of.prompt else column.of.model
                side = side_word(column.of.side)
                lanes.append((side, f"{tag}: {column.of.prompt or side}\n{column.of.model}", 100 * right / first))
                rows.append((tag, what, share(right, first), f"{first:,}"))
    if not lanes:
        return None
    roles = {"production": "champion", "baseline": "baseline"}
    return Chart(
        "bars",
        "Right answers by tag",
        "Of the first tries of the cases with each tag; a case may have several.",
        x=Axis("right answers", unit="%"),
        y=Axis(ticks=[name for _, name, _ in lanes]),
        series=[
            Series(
                side,
                roles.get(side, "candidate"),
                # A series has a bar in each lane, because those before it move where it begins.
                [(value if of == side else 0.0, float(lane)) for lane, (of, _, value) in enumerate(lanes)],
            )
            for side in dict.fromkeys(side for side, _, _ in lanes)
        ],
        table=TableBlock(
            [
                TableColumn(head, numeric=place > 1)
                for place, head in enumerate(("tag", "what", "right answers", "answers"))
            ],
            rows,
        ),
    )
