"""The document that every command's result is shown as, and the report that carries it to a renderer.

A document holds plain text only. A renderer escapes it for its format, so nothing in it is ever markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from promptbench.core.errors import Exit

# Only a command about a run needs the result of one.
if TYPE_CHECKING:
    from promptbench.core.types import Attempt, Json
    from promptbench.report.diff import Piece
    from promptbench.report.model import CaseResult, Explored, SkippedCase

Tone = Literal["", "strong", "quiet", "good", "bad", "warn", "none"]

# Milliseconds of the calls that enter rates, by prompt label and model.
Times = Mapping[tuple[str, str], Sequence[float]]

# Where a block is shown: always; in a terminal only without or only with --verbose; in a terminal only with --verbose,
# but in all files ("more"); only on the page; or only as a terminal's hint.
Detail = Literal["always", "brief", "verbose", "more", "page", "hint"]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph. With `cut`, a long one is shortened to a line."""

    text: str
    tone: Tone = ""
    cut: bool = False
    indent: int = 0
    detail: Detail = "always"


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Text to be copied, such as a command or YAML: never wrapped, never shortened."""

    text: str
    label: str = ""
    language: str = ""
    indent: int = 0
    detail: Detail = "always"


@dataclass(frozen=True, slots=True)
class ItemList:
    """A list of short texts, under a title if there is one."""

    items: Sequence[str]
    title: str = ""
    tone: Tone = ""
    detail: Detail = "always"


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table.

    If the width is too small, the columns with a `drop` go, the highest first; then texts are wrapped, or shortened.
    """

    head: str
    numeric: bool = True
    drop: int = 0
    wrap: bool = False


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table whose cells are text. With `grouped`, the first column names the group that a row belongs to."""

    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[str]]
    label: str = ""
    grouped: bool = False
    note: str = ""
    detail: Detail = "always"


@dataclass(frozen=True, slots=True)
class ItemLine:
    """A labelled line of an entry: a text, or the pieces of a word diff with the tones of removed and added words."""

    text: str | Sequence[Piece]
    label: str = ""
    removed: Tone = ""
    added: Tone = ""
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A titled item with labelled lines, such as a case with its answers. `link` is where a page has more of it."""

    title: str
    about: str = ""
    lines: Sequence[ItemLine] = ()
    link: Mapping[str, str] = field(default_factory=dict)
    indent: int = 0
    detail: Detail = "always"


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a chart: its name, its role (which decides the colour), and its points."""

    name: str
    role: str
    points: Sequence[tuple[float, float]] = ()
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis. `ticks` name positions; without them the axis is numeric in the given `unit`, logarithmic with `log`."""

    title: str = ""
    unit: Literal["%", "ms", "$", ""] = ""
    log: bool = False
    ticks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with its figures. `kind` is how the series are drawn; `table` holds the same figures as text.

    `points` and `lines` draw each point at its x and y, `bars` stacks a bar for each series from its y values (one for
    each y tick), `ridges` draws the distribution of the x values of each series in a lane of its own, with the y value
    of `marks` as vertical lines.
    """

    kind: Literal["points", "lines", "bars", "ridges"]
    title: str
    about: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    table: TableBlock
    marks: Sequence[Sequence[tuple[float, str]]] = ()
    key: Sequence[str] = ()
    detail: Detail = "page"


@dataclass(frozen=True, slots=True)
class Matrix:
    """How often each of `given` came where each of `expected` was right: a row of `counts` for each of `expected`."""

    title: str
    about: str
    expected: Sequence[str]
    given: Sequence[str]
    counts: Sequence[Sequence[int]]
    detail: Detail = "page"


Block = Text | CodeBlock | ItemList | TableBlock | Item | Chart | Matrix


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks that belong together, under a title if there is one.

    `cases` marks details of single cases: a renderer that lists `Report.cases` leaves the section out.
    """

    blocks: Sequence[Block]
    title: str = ""
    tone: Tone = ""
    about: str = ""
    cases: bool = False
    link: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A title with remarks and facts, sections, and the verdict: the sentence that everything ends with."""

    title: str
    sections: Sequence[Section]
    verdict: str
    about: Sequence[Text] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a command, in every form that a renderer may want.

    `document` is for people and `data` for programs; the latter is a function because some results are large. `result`
    is the verdict's first word, empty if nothing is judged. With `collection`, several results are one JSON list under
    that name. `path` is the file that is reported on, `command` repeats the result.

    The rest is for single formats. A result without `cases` is one test: its verdict. `charts` draws with the times
    that one pass over the `attempts` yields. `failures` are lines of a log, `calls` are such lines of all attempts with
    these, `proof` is the evidence, and the `skipped` cases were not called.
    """

    name: str
    document: Document
    data: Callable[[], dict[str, Json]]
    exit: Exit = Exit.YES
    result: str = ""
    collection: str = ""
    run: str = ""
    started: str = ""
    path: str = ""
    prompt: str = ""
    command: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[str] = ()
    cases: Iterable[CaseResult] = ()
    skipped: Sequence[SkippedCase] = ()
    attempts: Explored | None = None
    charts: Callable[[Times], Sequence[Chart]] | None = None
    failures: Iterable[Mapping[str, Json]] = ()
    calls: Iterable[tuple[Mapping[str, Json], Attempt]] = ()
    proof: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a report is written to: width in columns, colour, and how much to show.

    `verbose` shows every case in full, `quiet` the verdicts only.
    """

    width: int = 80
    colour: bool = False
    verbose: bool = False
    quiet: bool = False
