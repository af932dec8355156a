"""The report for a person at a terminal: a table, what changed, and the verdict as its last line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from promptbench.report.model import FlipRow, Row, RunReport
from promptbench.report.words import Target, clean, cut, duration, money, share

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_FLIPS = {
    # Each state with its colour, whether its cases are shown with their answers, and how it is headed.
    "broken": ("red", True),
    "unstable": ("yellow", True),
    "failing": ("yellow", True),
    "still failing": ("yellow", True),
    "no answer": ("magenta", True),
    "not reproduced": ("cyan", False),
    "fixed": ("green", False),
}
_RESULTS = {"PASS": "bold green", "FAIL": "bold red", "INCONCLUSIVE": "bold yellow", "NO VERDICT": "bold magenta"}
_DETAILS = 10


def render(report: RunReport, target: Target) -> str:
    """The report as text. Nothing that a model or a user wrote is read as markup or reaches the terminal raw."""
    from rich.console import Console

    buffer = StringIO()
    console = Console(
        file=buffer,
        width=target.width,
        force_terminal=target.colour,
        no_color=not target.colour,
        color_system="standard" if target.colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    _head(console, report)
    console.print(_table(report.rows, target.width))
    _ladder(console, report.rows)
    _flips(console, report.flips, target.width)
    for line in _closing(report):
        console.print(line, soft_wrap=False)
    _verdict(console, report)
    return buffer.getvalue()


def _head(console: Console, report: RunReport) -> None:
    from rich.text import Text

    for judgement in report.judgements:
        against = f" against {judgement.champion}" if judgement.champion else ", with nothing in production yet"
        if judgement.mode == "same":
            against = ", which is in production"
        console.print(Text(clean(f"{report.suite}: {judgement.candidate}{against}, {report.cases} cases"), "bold"))
    for note in report.notes:
        console.print(Text(clean(note), "yellow"))
    console.print()


def _table(rows: Sequence[Row], width: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("prompt", overflow="ellipsis", no_wrap=True, min_width=10)
    table.add_column("model", overflow="ellipsis", no_wrap=True, min_width=10)
    for name in ("answers", "format", "p50", "p99", "$/1,000"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        answered = row.attempts
        counts = f"{row.passed}/{answered} {share(row.passed, answered)}"
        errors = f" +{row.errored} err" if row.errored else ""
        table.add_row(
            Text(clean(row.prompt)),
            Text(clean(row.model)),
            counts + errors,
            "–" if row.well_formed is None else share(row.well_formed, answered),
            duration(row.p50_ms),
            duration(row.p99_ms),
            money(row.cost_per_1000),
        )
    return table


def _ladder(console: Console, rows: Sequence[Row]) -> None:
    from rich.text import Text

    read = [row for row in rows if row.rungs]
    if not read:
        return
    console.print()
    for row in read:
        rungs = " · ".join(f"{name.replace('_', ' ')} {count}" for name, count in row.rungs.items() if count)
        repairs = ", ".join(f"{name} {count}" for name, count in row.repairs.items())
        line = f"format of {row.prompt or row.model}: {rungs}" + (f" ({repairs})" if repairs else "")
        console.print(Text(clean(line), "dim"))


def _flips(console: Console, flips: Sequence[FlipRow], width: int) -> None:
    from rich.text import Text

    left = _DETAILS
    for state, (colour, detailed) in _FLIPS.items():
        group = [flip for flip in flips if flip.flip == state]
        if not group:
            continue
        console.print()
        console.print(Text(f"{state} ({len(group)})", f"bold {colour}"))
        if not detailed:
            console.print(Text("  " + ", ".join(clean(flip.case) for flip in group)))
            continue
        for flip in group[:left]:
            for line in _detail(flip, width - 4):
                console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
        if len(group) > left:
            rest = ", ".join(clean(flip.case) for flip in group[left:])
            console.print(Text(f"  and {len(group) - left} more: {rest}"))
        left = max(0, left - len(group))


def _detail(flip: FlipRow, width: int) -> Iterator[str]:
    several = flip.candidate.attempts > 1
    counts = ""
    if several and flip.champion:
        counts = f" (production {flip.champion.passed}/{flip.champion.attempts}, "
        counts += f"candidate {flip.candidate.passed}/{flip.candidate.attempts})"
    marks = " [critical]" if flip.critical else ""
    yield cut(f"  {clean(flip.case)}{marks}{counts}", width + 4)
    for reason in flip.candidate.reasons[:2]:
        yield "    " + cut(clean(reason), width)
    if flip.candidate.answer is not None:
        yield "    answer: " + cut(clean(flip.candidate.answer), width - 8)


def _closing(report: RunReport) -> Iterator[str]:
    if report.log:
        yield ""
        calls = "failing call" if report.log.calls == 1 else "failing calls"
        yield f"log: {report.log.calls} {calls}, {report.log.mended} pass now on {clean(report.log.model)}"
    if report.comparisons:
        yield ""
        yield from (clean(line) for line in report.comparisons)
    if report.exit not in (0,):
        yield ""
        yield f"again: {clean(report.reproduce)}"
    if report.promotion:
        promoted = report.promotion
        was = f" (was {promoted.prompt}@{promoted.previous})" if promoted.previous else ""
        yield ""
        yield f"{promoted.prompt}@{promoted.version} is now {promoted.label}{was}"
        yield f"  read it: promptbench get {promoted.prompt}@{promoted.label}"
        yield f"  undo it: {promoted.undo}"


def _verdict(console: Console, report: RunReport) -> None:
    from rich.text import Text

    console.print()
    console.print(Text(clean(report.sentence), _RESULTS.get(report.result, "bold")), soft_wrap=True)
