"""Markdown for a comment on a pull request, within the length that GitHub takes. Foreign text is never markup."""

import re
from collections.abc import Iterable, Iterator, Sequence

from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import (
    Block,
    CodeBlock,
    Item,
    ItemList,
    Report,
    Section,
    TableBlock,
    TableColumn,
    Text,
)
from promptbench.report.model import CaseResult
from promptbench.report.renderers._cases import decides, is_right, judged
from promptbench.report.words import Target, clean, excerpt

# GitHub takes 65,536 characters in a comment; bytes are at least as many.
LIMIT = 65_000
_MARKS = {"PASS": "✅ ", "FAIL": "❌ ", "INCONCLUSIVE": "⚠️ ", "NO VERDICT": "🚫 "}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~@&$]|:(?=\S)|(?<=www)\.)")
_ORDER = (
    *("broken", "unstable", "failing", "still failing", "no answer", "not reproduced", "flaky", "quarantined"),
    "fixed",
)
_LONGEST = 300
_CASES = [TableColumn(head, numeric=head == "tries") for head in ("", "case", "model", "tries", "answer", "location")]


def render(reports: Sequence[Report], target: Target) -> str:
    return within(reports, LIMIT)


def within(reports: Sequence[Report], limit: int) -> str:
    """Return the reports, verdicts first, within `limit` bytes of UTF-8, with a note if something is left out."""
    note = f"\n_Shortened: the rest is in `promptbench runs report {reports[0].run or 'latest'}`._\n"
    left = limit - len(note.encode())
    if left < 0:
        return ""
    parts: list[str] = []
    for part in _parts(reports):
        left -= len(part.encode("utf-8", "replace"))
        if left < 0:
            parts.append(note)
            break
        parts.append(part)
    return "".join(parts).encode("utf-8", "replace").decode()


def _parts(reports: Sequence[Report]) -> Iterator[str]:
    for report in reports:
        yield "\n".join(_head(report))
    for report in reports:
        if len(reports) > 1:
            yield f"\n## {text(report.name)}\n"
        cases = [item for item in judged(report) if item.state in _ORDER and item.judged]
        cases.sort(key=lambda item: (_ORDER.index(item.state), not item.critical))
        for section in report.document.sections:
            if cases and section.cases:
                continue
            yield from _section(section)
        if cases:
            yield "\n### Cases\n\n"
            yield _table_head(_CASES)
            yield from (_case(item, report) for item in cases)


def _head(report: Report) -> Iterator[str]:
    document = report.document
    verdict = f"{text(report.name)}: {text(report.result)}" if report.result else text(document.title)
    yield f"## {_MARKS.get(report.result, '')}{verdict}\n"
    if document.verdict:
        yield f"{text(document.verdict)}\n"
    if report.result:
        yield f"{text(document.title)}\n"
    for about in document.about:
        yield f"- {text(about.text)}"
    if report.command:
        made = f"Run {code(report.run)}, again" if report.run else "To run it"
        yield f"{made}: {code(report.command)}\n"


def _section(section: Section) -> Iterator[str]:
    blocks = [block for block in section.blocks if block.detail in ("always", "brief", "more")]
    if not blocks:
        return
    about = f": {section.about}" if section.about else ""
    yield f"\n### {text(section.title + about)}\n\n" if section.title else "\n"
    for block in blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text():
            yield f"{text(block.text)}  \n"
        case CodeBlock():
            label = f"{text(block.label)}: " if block.label else ""
            yield "".join(f"{label}{code(line)}  \n" for line in block.text.splitlines())
        case ItemList():
            yield f"{text(block.title)}:\n\n" if block.title else ""
            yield from (f"- {text(item)}\n" for item in block.items)
        case TableBlock():
            yield _table_head(block.columns)
            # A mention in a code span needs no invisible character, so the name can be copied.
            yield from (_row(cell(item) if "@" in item else text(item) for item in row) for row in block.rows)
            yield f"\n{text(block.note)}\n" if block.note else "\n"
        case Item():
            about = f" {text(block.about)}" if block.about else ""
            yield f"- {code(block.title)}{about}\n"
            for line in block.lines:
                shown = line.text if isinstance(line.text, str) else "".join(map(str, line.text))
                label = f"{text(line.label)}: " if line.label else ""
                yield f"  - {label}{code(shown) if label else text(shown[:_LONGEST])}\n"


def _table_head(columns: Sequence[TableColumn]) -> str:
    return _row(text(column.head) for column in columns) + _row("---:" if it.numeric else "---" for it in columns)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _case(item: CaseResult, report: Report) -> str:
    right = is_right(item)
    state = f"**{item.state}**" if not right and decides(item, report) else item.state
    if right:
        came = ""
    elif item.answer is None:
        came = cell(item.error or "no answer")
    elif item.expected is not None:
        came = f"expected {cell(item.expected)}, got {cell(item.answer)}"
    else:
        came = cell(item.answer) + (f" ({cell(item.reasons[0])})" if item.reasons else "")
    location = cell(f"{item.file}:{item.line}") if item.line else cell(item.file)
    critical = " (critical)" if item.critical else ""
    tries = f"{item.passed}/{item.attempts}"
    return _row([state + critical, cell(item.case), cell(item.model), tries, came, location])


def text(foreign: str) -> str:
    """Escape a text so that nothing in it is markup, a mention or a link."""
    # A backslash does not keep anybody from being mentioned.
    return _SPECIAL.sub(r"\\\1", clean(foreign[:20_000])).replace("@", "@\u200b")


def code(foreign: str) -> str:
    """Return the start of a text as a code span."""
    shown = excerpt(foreign, _LONGEST) or "(empty)"
    ticks = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{ticks}{space}{shown}{space}{ticks}"


def cell(foreign: str) -> str:
    """Return a code span for a table, which a bar would end even there."""
    return code(foreign).replace("|", "\\|")


SPEC = ReportFormatSpec(render)
