"""The report for a person at a terminal: figures for each model, what changed, and the verdict as its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from promptbench.core.errors import combine
from promptbench.core.words import number_of
from promptbench.report import moved, nlu, qa
from promptbench.report.formats import _flips as flips
from promptbench.report.formats import _latency
from promptbench.report.formats._table import Line, table
from promptbench.report.model import Row, RunReport
from promptbench.report.words import Target, clean, duration, money, share, tail

if TYPE_CHECKING:
    from rich.console import Console

_UNWRAPPED = 100_000
"""Columns of a line that is never wrapped."""
_RESULTS = {"PASS": "bold green", "FAIL": "bold red", "INCONCLUSIVE": "bold yellow", "NO VERDICT": "bold magenta"}


def render(reports: Sequence[RunReport], target: Target) -> str:
    """The reports as text. Nothing that a model or a user wrote is read as markup or reaches the terminal raw.

    Lines fit the width, but for commands: they stay whole, so that they can be copied. The last line is the verdict.
    """
    return joined(reports, target, whole=False)


def joined(reports: Sequence[RunReport], target: Target, *, whole: bool) -> str:
    """One report after the other, and the verdict on all suites as the end. Nothing is wrapped where lines are to stay
    `whole`.
    """
    parts = [lines(report, target, whole=whole) for report in reports]
    if len(reports) > 1:
        console = _console(target, whole=whole)
        code = combine(report.exit for report in reports)
        result = next(report.result for report in reports if report.exit == code)
        _print(console, clean(f"{result}: {_together(reports)}"), _RESULTS.get(result, "bold"))
        parts.append(_text_of(console))
    return "\n".join(parts)


def _together(reports: Sequence[RunReport]) -> str:
    """Several suites in one sentence."""
    others = [f"{report.suite} {report.result}" for report in reports if report.result != "PASS"]
    passed = len(reports) - len(others)
    verb = "passes" if passed == 1 else "pass"
    return f"{passed} of {number_of(len(reports), 'suite')} {verb}" + (f"; {', '.join(others)}" if others else "")


def lines(report: RunReport, target: Target, *, whole: bool) -> str:
    """One report as text."""
    console = _console(target, whole=whole)
    _head(console, report)
    _figures(console, report, target.width)
    _ladder(console, report.rows)
    if report.nlu:
        console.print()
        _lines(console, nlu.lines(report.nlu, target.width))
    if report.qa:
        console.print()
        _lines(console, qa.lines(report.qa, target.width))
    _times(console, report, target.width, whole=whole)
    _flips(console, report, target)
    _closing(console, report)
    _verdict(console, report)
    return _text_of(console)


def _console(target: Target, *, whole: bool) -> Console:
    """Writes into a text; nothing in what it is given is markup."""
    from rich.console import Console

    return Console(
        file=StringIO(),
        width=_UNWRAPPED if whole else target.width,
        force_terminal=target.colour,
        no_color=not target.colour,
        color_system="standard" if target.colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def _text_of(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def _print(console: Console, text: str, style: str = "", *, whole: bool = False) -> None:
    from rich.text import Text

    console.print(Text(text, style), soft_wrap=whole)


def _lines(console: Console, lines: Iterable[Line]) -> None:
    for text, style in lines:
        _print(console, text, style)


def _head(console: Console, report: RunReport) -> None:
    for judgement in report.judgements:
        against = f" against {judgement.champion}" if judgement.champion else ", with nothing in production yet"
        if judgement.mode == "same":
            against = ", which is in production"
        cases = number_of(report.cases, "case")
        _print(console, clean(f"{report.suite}: {judgement.candidate}{against}, {cases}"), "bold")
    for note in report.notes:
        _print(console, clean(note), "yellow")
    console.print()


def _figures(console: Console, report: RunReport, width: int) -> None:
    if report.rows:
        # The least telling figures are lost first.
        _lines(console, table("", report.rows, _columns(report), width, lose=("p99", "format", "p50", "$/1,000")))


def _times(console: Console, report: RunReport, width: int, *, whole: bool) -> None:
    """Where the time went, by tokens too where there is room for that."""
    blocks = [list(_latency.lines(report.rows, width)), list(_latency.by_tokens(report.rows)) if whole else []]
    for block in filter(None, blocks):
        console.print()
        _lines(console, block)
    if report.waits:
        console.print()
    for wait in report.waits:
        _print(console, clean(wait), "yellow")


def _columns(report: RunReport) -> dict[str, list[str]]:
    rows = report.rows
    columns = {
        "answers": [f"{row.passed}/{row.attempts} {share(row.passed, row.attempts):>5}" for row in rows],
        "format": ["–" if row.well_formed is None else share(row.well_formed, row.attempts) for row in rows],
        "flips": [flips.counted(report, row) for row in rows],
        "p50": [duration(row.p50_ms) for row in rows],
        "p99": [tail(row.p99_ms, few=row.few) for row in rows],
        "$/1,000": [money(row.cost_per_1000) if row.attempts > row.cached else "–" for row in rows],
    }
    if not any(columns["flips"]):
        del columns["flips"]
    if any(row.cached for row in rows):
        columns["cached"] = [str(row.cached or "") for row in rows]
    if any(row.errored for row in rows):
        columns["errors"] = [str(row.errored or "") for row in rows]
    return columns


def _ladder(console: Console, rows: Sequence[Row]) -> None:
    """What had to be done to read the answers, for prompts whose answers were not all clean."""
    read = [row for row in rows if any(count for name, count in row.rungs.items() if name != "raw")]
    if read:
        console.print()
    several = len({row.model for row in rows}) > 1
    for row in read:
        rungs = " · ".join(f"{name.replace('_', ' ')} {count}" for name, count in row.rungs.items() if count)
        repairs = ", ".join(f"{name} {count}" for name, count in row.repairs.items())
        of = f"{row.prompt} on {row.model}" if several and row.prompt else row.prompt or row.model
        _print(console, clean(f"format of {of}: {rungs}" + (f" ({repairs})" if repairs else "")), "dim")


def _flips(console: Console, report: RunReport, target: Target) -> None:
    from rich.padding import Padding
    from rich.text import Text

    for line in flips.lines(report, target):
        if line.whole or not line.indent:
            console.print(Text.assemble(" " * line.indent, *line.parts), soft_wrap=line.whole)
        else:
            console.print(Padding(Text.assemble(*line.parts), (0, 0, 0, line.indent), expand=False))
    about = [*flips.check_changes(report), *flips.not_compared(report)]
    if about:
        console.print()
    for said in about:
        _print(console, said)


def _closing(console: Console, report: RunReport) -> None:
    if report.log:
        calls = number_of(report.log.calls, "failing call")
        verb = "passes" if report.log.mended == 1 else "pass"
        console.print()
        _print(console, clean(f"log: {report.log.mended} of {calls} {verb} now on {report.log.model}"))
    if report.comparisons:
        console.print()
    for comparison in report.comparisons:
        _print(console, clean(comparison))
    if report.errors:
        console.print()
        _print(console, "no answer from the provider", "bold magenta")
    for error in report.errors:
        _print(console, f"  {clean(error)}")
    _judges(console, report)
    if report.saving and report.saving.everywhere > report.saving.asked:
        asked, everywhere = report.saving.asked, report.saving.everywhere
        saved = (
            f"{everywhere - asked:,} calls saved: {asked:,} were made, and all tries of every case are {everywhere:,}"
        )
        console.print()
        _print(console, saved, "dim")
    if report.exit != 0:
        console.print()
        _print(console, f"again: {clean(report.reproduce)}", whole=True)
    if report.promotion:
        headline, *details = moved.lines(report.promotion)
        console.print()
        _print(console, headline, "bold")
        for detail in details:
            _print(console, detail, whole=detail.startswith(moved.COMMANDS))


def _judges(console: Console, report: RunReport) -> None:
    """What judges were asked, and what they say that decides nothing."""
    if report.judges or report.advisory:
        console.print()
    for row in report.judges:
        asked = f"{number_of(row.questions, 'question')} to {row.judge}, {money(row.cost)}"
        missing = {"without answer": row.without_answer, "without verdict": row.without_verdict}
        lacks = "".join(f", {count} {what}" for what, count in missing.items() if count)
        _print(console, clean(f"judges: {asked}{lacks}"))
    for line in report.advisory:
        _print(console, clean(f"advisory: {line}"))
    if report.unjudged:
        console.print()
        _print(console, "no verdict from a judge", "bold magenta")
    for line in report.unjudged:
        _print(console, f"  {clean(line)}")


def _verdict(console: Console, report: RunReport) -> None:
    console.print()
    others = report.judgements[1:]
    for other in others:
        _print(console, clean(f"{other.candidate}: {other.sentence}"))
    if others:
        _print(console, clean(f"{report.judgements[0].candidate} is the best of {len(report.judgements)} candidates:"))
    _print(console, clean(report.sentence), _RESULTS.get(report.result, "bold"))
