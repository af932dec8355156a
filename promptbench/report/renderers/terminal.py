"""Text for a person at a terminal. The last line is the verdict."""

from collections.abc import Iterable, Sequence
from io import StringIO
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from promptbench.core.errors import combine
from promptbench.core.words import number_of
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import (
    Block,
    CodeBlock,
    Document,
    Item,
    ItemLine,
    ItemList,
    Report,
    Section,
    TableBlock,
    TableColumn,
    Target,
    Text,
)
from promptbench.report.words import clean, cut, excerpt, shorten, width_of

if TYPE_CHECKING:
    from rich.console import RenderableType

_UNWRAPPED = 100_000
# Columns below which a name is not shortened as long as another column can go, and below which it never is.
_NAME = 32
_LEAST = 8
# A character of the private area, which no cleaned text has: a space at which no line ends, as in "12 %".
_GLUE = "\ue000"
_STYLES = {"": "", "strong": "bold", "quiet": "dim", "good": "green", "bad": "red", "warn": "yellow", "none": "cyan"}
_RESULTS = {"PASS": "bold green", "FAIL": "bold red", "INCONCLUSIVE": "bold yellow", "NO VERDICT": "bold magenta"}


def render(reports: Sequence[Report], target: Target) -> str:
    """Return the reports as text. Lines fit the width, except commands, which stay whole so that they can be copied."""
    return text_of(reports, target, wrap=True)


def text_of(reports: Sequence[Report], target: Target, *, wrap: bool) -> str:
    """Return the reports one after the other, and with several a verdict on all. Without `wrap` no line is wrapped."""
    parts = []
    for report in reports:
        writer = _Writer(target, wrap=wrap)
        if not target.quiet:
            writer.document(report.document)
        if report.document.verdict:
            writer.print(report.document.verdict, _RESULTS.get(report.result, "bold"))
        parts.append(writer.text())
    if len(reports) > 1:
        writer = _Writer(target, wrap=wrap)
        code = combine(report.exit for report in reports)
        result = next(report.result for report in reports if report.exit == code)
        writer.print(f"{result}: {_summary(reports)}", _RESULTS.get(result, "bold"))
        parts.append(writer.text())
    return ("" if target.quiet else "\n").join(parts)


def _summary(reports: Sequence[Report]) -> str:
    others = [f"{report.name} {report.result}" for report in reports if report.result != "PASS"]
    passed = len(reports) - len(others)
    verb = "passes" if passed == 1 else "pass"
    return f"{passed} of {number_of(len(reports), 'suite')} {verb}" + (f"; {', '.join(others)}" if others else "")


class _Writer:
    """Writes blocks through Rich, which wraps and colours. Markup and emoji are off, so foreign text stays text."""

    def __init__(self, target: Target, *, wrap: bool) -> None:
        from rich.console import Console

        self._width = target.width
        self._verbose = target.verbose
        self._marked = False
        self._console: Console = Console(
            file=StringIO(),
            width=target.width if wrap else _UNWRAPPED,
            force_terminal=target.colour,
            no_color=not target.colour,
            color_system="standard" if target.colour else None,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )

    def text(self) -> str:
        assert isinstance(self._console.file, StringIO)
        written = self._console.file.getvalue().replace(_GLUE, " ")
        return "".join(f"{line.rstrip()}\n" for line in written.splitlines())

    def print(self, text: str, style: str = "", indent: int = 0) -> None:
        self._print([(clean(text), style)], indent)

    def document(self, document: Document) -> None:
        if document.title:
            self.print(document.title, "bold")
        for text in document.about:
            self._block(text)
        for section in document.sections:
            if blocks := [block for block in section.blocks if self._shows(block)]:
                self._space()
                unmarked = not self._marked
                self._section(section, blocks)
                if self._marked and unmarked:
                    self.print("  [-so-] is only in the text before the arrow, {+so+} only in the one after it", "dim")
        if document.verdict:
            self._space()

    def _space(self) -> None:
        if self.text():
            self._console.print()

    def _shows(self, block: Block) -> bool:
        return block.detail in (("always", "verbose", "more") if self._verbose else ("always", "brief", "hint"))

    def _section(self, section: Section, blocks: Iterable[Block]) -> None:
        if section.title:
            about = f": {section.about}" if section.about else ""
            self._print([(clean(section.title), f"bold {_STYLES[section.tone]}".strip()), (clean(about), "")])
        for block in blocks:
            self._block(block)

    def _block(self, block: Block) -> None:
        match block:
            case Text(cut=True):
                self.print(excerpt(block.text, self._width - block.indent), _STYLES[block.tone], block.indent)
            case Text():
                self.print(block.text, _STYLES[block.tone], block.indent)
            case CodeBlock():
                for line in block.text.splitlines():
                    text = " " * block.indent + (f"{block.label}: " if block.label else "") + clean(line)
                    self._print([(text, _STYLES["quiet"] if block.label else "")], whole=True)
            case ItemList():
                if block.title:
                    self.print(block.title, f"bold {_STYLES[block.tone]}".strip())
                for item in block.items:
                    self.print(item, indent=2)
            case TableBlock():
                self._table(block)
            case Item():
                self._entry(block)

    def _print(self, parts: Sequence[tuple[str, str]], indent: int = 0, *, whole: bool = False) -> None:
        from rich.padding import Padding
        from rich.text import Text as RichText

        text: RenderableType = RichText.assemble(*((part.replace(" %", f"{_GLUE}%"), style) for part, style in parts))
        self._console.print(Padding(text, (0, 0, 0, indent), expand=False) if indent else text, soft_wrap=whole)

    def _entry(self, entry: Item) -> None:
        width = self._width - entry.indent
        about = clean(f" {entry.about}") if entry.about else ""
        if width_of(about) > width // 2 and width_of(entry.title) + width_of(about) > width:
            self.print(excerpt(entry.title, width), indent=entry.indent)
            self.print(about.strip(), indent=entry.indent + 2)
        else:
            self.print(excerpt(entry.title, width - width_of(about)) + about, indent=entry.indent)
        for line in entry.lines:
            if line.verbose and not self._verbose:
                continue
            self._marked |= not isinstance(line.text, str)
            label = f"{line.label}: " if line.label else ""
            # An answer takes a line, and with --verbose four; a diff takes twice that, because of its marks.
            room = (width - 2) * (4 if self._verbose else 1)
            self._print([(label, ""), *_parts(line, room, width_of(label))], entry.indent + 2)

    def _table(self, table: TableBlock) -> None:
        from rich.table import Table as RichTable
        from rich.text import Text as RichText

        first = 1 if table.grouped else 0
        rows = [[clean(cell) for cell in row] for row in table.rows]
        if table.grouped:
            rows = [[group, f"  {name}", *cells] for group, name, *cells in rows]
        columns = table.columns[first:]
        widths = _fitting(columns, [row[first:] for row in rows], self._width)

        def grid(lines: Iterable[Sequence[str]], style: str = "") -> None:
            made = RichTable.grid(padding=(0, 2, 0, 0))
            for place, width in widths.items():
                justify: Literal["left", "right"] = "right" if columns[place].numeric else "left"
                made.add_column(width=width, justify=justify, overflow="fold")
            for line in lines:
                texts = zip([line[first + place] for place in widths], widths.items(), strict=True)
                fitted = [cell if columns[place].wrap else shorten(cell, width) for cell, (place, width) in texts]
                made.add_row(*map(RichText, fitted))
            self._console.print(made, style=style)

        grid([[column.head for column in table.columns]], "dim")
        for name, group in groupby(rows, key=lambda row: row[0] if table.grouped else ""):
            if name:
                self.print(name, "bold")
            grid(group)
        if table.note:
            self.print(table.note, "dim")


def _parts(line: ItemLine, room: int, used: int) -> Iterable[tuple[str, str]]:
    if isinstance(line.text, str):
        yield excerpt(line.text, room - used) or "(empty)", ""
        return
    room *= 2
    for piece in line.text:
        if room <= 0:
            return
        text = cut(str(piece), room)
        yield text, _STYLES[{"removed": line.removed, "added": line.added}.get(piece.kind, "")]
        room -= width_of(text)


def _fitting(columns: Sequence[TableColumn], rows: Sequence[Sequence[str]], width: int) -> dict[int, int]:
    # Return the widths of the columns to show: droppable ones go first, then texts give way, the widest first.
    cells = [[column.head for column in columns], *rows]
    widths = {place: max(width_of(row[place]) for row in cells) for place in range(len(columns))}

    def excess() -> int:
        return sum(widths.values()) + 2 * (len(widths) - 1) - width

    spare = sum(max(0, width - _NAME) for place, width in widths.items() if not columns[place].numeric)
    for place in sorted(widths, key=lambda place: -columns[place].drop):
        if columns[place].drop and excess() > spare:
            del widths[place]
    while excess() > 0:
        texts = [place for place in widths if not columns[place].numeric and widths[place] > _LEAST]
        if not texts:
            break
        widths[max(texts, key=lambda place: widths[place])] -= 1
    return widths


SPEC = ReportFormatSpec(render)
