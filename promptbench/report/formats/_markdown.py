"""A report in GitHub's Markdown, as long as it may be. Foreign text stands in code spans, where nothing is markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptbench.report.formats._cases import decides, is_right, judged
from promptbench.report.model import CaseResult, Row, RunReport
from promptbench.report.words import clean, duration, excerpt, money, share, tail

_MARKS = {"PASS": "✅", "FAIL": "❌", "INCONCLUSIVE": "⚠️", "NO VERDICT": "🚫"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~@&$]|:(?=\S)|(?<=www)\.)")
_ORDER = (
    *("broken", "unstable", "failing", "still failing", "no answer", "not reproduced", "flaky", "quarantined"),
    "fixed",
)
_TEXT = 300
_NOTE = "\n_Shortened: the rest is in `promptbench report {run}`._\n"


def document(reports: Sequence[RunReport], limit: int) -> str:
    """The reports within `limit` bytes of UTF-8; what is left out is told. The verdicts come first."""
    note = _NOTE.format(run=reports[0].run if reports else "latest")
    parts: list[str] = []
    left = limit - len(note.encode())
    if left < 0:
        return ""
    for part in _parts(reports):
        size = len(part.encode("utf-8", "replace"))
        if size > left:
            parts.append(note)
            break
        parts.append(part)
        left -= size
    return "".join(parts).encode("utf-8", "replace").decode()


def _parts(reports: Sequence[RunReport]) -> Iterator[str]:
    """Pieces after each of which the document may end."""
    for report in reports:
        yield _head(report)
    for report in reports:
        several = f": {text(report.suite)}" if len(reports) > 1 else ""
        yield f"\n### Figures{several}\n\n{_figures(report.rows)}" if report.rows else ""
        yield from _cases(report)
        yield from _lines(report)


def _head(report: RunReport) -> str:
    lines = [f"## {_MARKS.get(report.result, '▫️')} {text(report.suite)}: {text(report.result)}", ""]
    lines += [text(report.sentence), ""]
    for judgement in report.judgements:
        against = f" against {code(judgement.champion)}" if judgement.champion else ""
        lines += [f"{code(judgement.candidate)}{against}: {text(judgement.result)}  "]
    if report.promotion:
        moved = report.promotion
        lines += [f"**{text(moved.prompt)}@{moved.version} is now {text(moved.label)}**  "]
    made = f"Run {code(report.run)}, again" if report.run else "To run it"
    lines += [f"{made}: {code(report.reproduce)}", ""]
    return "\n".join(lines)


def _figures(rows: Sequence[Row]) -> str:
    head = (
        "| model | prompt | answers | format | p50 | p99 | $/1,000 | errors |\n|---|---|---:|---:|---:|---:|---:|---:|"
    )
    return "\n".join([head, *map(_row, rows)]) + "\n"


def _row(row: Row) -> str:
    cells = [
        cell(row.model) + ("" if row.gated else " (not judged)"),
        " ".join(filter(None, (text(row.side), cell(row.prompt) if row.prompt else ""))),
        f"{row.passed}/{row.attempts} {share(row.passed, row.attempts)}",
        "–" if row.well_formed is None else share(row.well_formed, row.attempts),
        duration(row.p50_ms),
        text(tail(row.p99_ms, few=row.few)),
        text(money(row.cost_per_1000)) if row.attempts > row.cached else "–",
        str(row.errored or ""),
    ]
    return f"| {' | '.join(cells)} |"


def _cases(report: RunReport) -> Iterator[str]:
    """A table of the cases that are worth a look, the worst first, and the answers below it."""
    found = [item for item in judged(report) if item.state in _ORDER and item.judged]
    found.sort(key=lambda item: (_ORDER.index(item.state), not item.critical))
    if not found:
        return
    yield "\n### Cases\n\n| | case | model | tries | what came | where |\n|---|---|---|---:|---|---|\n"
    for item in found:
        yield f"{_case(item, report)}\n"


def _case(item: CaseResult, report: RunReport) -> str:
    state = f"**{item.state}**" if not is_right(item) and decides(item, report) else item.state
    if is_right(item):
        came = ""
    elif item.answer is None:
        came = cell(item.error or "no answer")
    else:
        wanted = f"expected {cell(item.expected)}, got " if item.expected is not None else ""
        why = "" if item.expected is not None or not item.reasons else f" ({cell(item.reasons[0])})"
        came = f"{wanted}{cell(item.answer)}{why}"
    where = cell(f"{item.file}:{item.line}") if item.line else cell(item.file)
    critical = " (critical)" if item.critical else ""
    tries = f"{item.passed}/{item.attempts}"
    return f"| {state}{critical} | {cell(item.case)} | {cell(item.model)} | {tries} | {came} | {where} |"


def _lines(report: RunReport) -> Iterator[str]:
    groups = {
        "Beside own models": report.comparisons,
        "No answer from the provider": report.errors,
        "No verdict from a judge": report.unjudged,
        "Advisory": report.advisory,
        "Notes": [*report.notes, *report.waits],
    }
    for title, lines in groups.items():
        if lines:
            yield f"\n### {title}\n\n"
            yield from (f"- {text(line)}\n" for line in lines)


def text(foreign: str) -> str:
    """A text in which nothing is markup, a mention or a link."""
    # A backslash keeps nobody from being mentioned.
    return _SPECIAL.sub(r"\\\1", clean(foreign[:20_000])).replace("@", "@\u200b")


def code(foreign: str) -> str:
    """The start of a text as a code span."""
    shown = excerpt(foreign, _TEXT) or "(empty)"
    ticks = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{ticks}{space}{shown}{space}{ticks}"


def cell(foreign: str) -> str:
    """The same in a table, which a bar would end even in a code span."""
    return code(foreign).replace("|", "\\|")
