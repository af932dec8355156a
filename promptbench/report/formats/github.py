"""For GitHub Actions: the step summary in Markdown, and annotations on the lines of the YAML.

`render` is the summary; `run --format github` also prints `commands`, and appends the summary where GitHub wants it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from promptbench.core.diagnostics import Diagnostic, Severity
from promptbench.core.errors import Exit
from promptbench.report.formats._cases import decides, headline, is_right, judged
from promptbench.report.formats._markdown import document
from promptbench.report.model import CaseResult, RunReport
from promptbench.report.words import Target

LIMIT = 1024 * 1024
"""Bytes that GitHub takes as the summary of one step; more, and it shows none of it."""
MOST = 10
"""Annotations of each level that GitHub shows for one step."""
_LONGEST = 4_000
_WORST = ("broken", "failing", "no answer", "unstable", "still failing", "not reproduced", "flaky", "quarantined")
_CONTROL = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def render(reports: Sequence[RunReport], target: Target) -> str:
    return summary(reports, LIMIT)


def summary(reports: Sequence[RunReport], limit: int) -> str:
    """The summary within `limit` bytes: what other commands of the step have written counts too."""
    return document(reports, limit)


def commands(reports: Sequence[RunReport], folder: str = "") -> str:
    """Workflow commands, one a line: the verdicts, then the cases, as many as GitHub shows, the worst first.

    `folder` is where the project is in the repository, with a slash behind it.
    """
    lines = [_verdict(report, folder) for report in reports]
    left = {"error": MOST - sum(line.startswith("::error") for line in lines), "warning": MOST - 1}
    found = [(_level(item, report), item) for report in reports for item in judged(report) if _is_told(item)]
    found.sort(key=lambda pair: (pair[0] != "error", _WORST.index(pair[1].state), not pair[1].critical))
    untold = 0
    for level, item in found:
        if left[level] > 0:
            left[level] -= 1
            lines.append(_case(level, item, folder))
        else:
            untold += 1
    if untold:
        more = "1 more case is" if untold == 1 else f"{untold:,} more cases are"
        lines.append(
            _command("warning", f"{more} not annotated; the summary and the report have all", title="promptbench")
        )
    return "".join(f"{line}\n" for line in lines)


def mistakes(message: str, diagnostics: Iterable[Diagnostic], folder: str = "", *, level: str = "error") -> str:
    """Workflow commands for what kept a run from being made, as many as GitHub shows: the mistakes at their places."""
    errors = [item for item in diagnostics if item.severity is Severity.ERROR]
    lines = [_mistake(item, folder) for item in errors[: MOST - 1]]
    return "".join(f"{line}\n" for line in (*lines, _command(level, message, title="promptbench")))


def _mistake(item: Diagnostic, folder: str) -> str:
    said = "\nhint: ".join(filter(None, (item.message, item.hint)))
    line, col = (str(item.location.line), str(item.location.column)) if item.location.line else ("", "")
    return _command("error", said, file=folder + item.location.path, line=line, col=col, title=item.code.value)


def _is_told(item: CaseResult) -> bool:
    return item.judged and not is_right(item)


def _level(item: CaseResult, report: RunReport) -> str:
    return "error" if decides(item, report) else "warning"


def _verdict(report: RunReport, folder: str) -> str:
    level = "error" if report.exit != Exit.YES else "notice" if report.run else "warning"
    return _command(
        level, f"{report.sentence}\nagain: {report.reproduce}", file=folder + report.path, title=report.suite
    )


def _case(level: str, item: CaseResult, folder: str) -> str:
    title = f"{item.state}: {item.case} ({item.model})"
    line = str(item.line) if item.line else ""
    return _command(level, headline(item), file=folder + item.file, line=line, title=title)


def _command(level: str, message: str, **properties: str) -> str:
    """`::level key=value,…::message`, with everything escaped that would end a part of it."""
    written = ",".join(f"{key}={_property(value)}" for key, value in _ordered(properties) if value)
    return f"::{level} {written}::{_data(message)}"


def _ordered(properties: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((key, properties[key]) for key in ("file", "line", "col", "title") if key in properties)


def _data(text: str) -> str:
    shown = _CONTROL.sub("\ufffd", text[:_LONGEST])
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
