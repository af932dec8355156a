"""For GitHub Actions: the step summary in Markdown, and annotations on the lines of the YAML.

`render` is the summary. `--format github` also prints `workflow_commands`, and appends the summary to the step's file.
"""

import re
from collections.abc import Iterable, Sequence

from promptbench.core.errors import Diagnostic, Exit, Severity
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Report, Target
from promptbench.report.model import CaseResult
from promptbench.report.renderers._cases import decides, headline, is_right, judged
from promptbench.report.renderers.markdown import within

# Bytes that GitHub takes as the summary of one step; it shows nothing of a longer one.
LIMIT = 1024 * 1024
# Annotations of each level that GitHub shows for one step.
MOST = 10
_LONGEST = 4_000
_WORST = ("broken", "failing", "no answer", "unstable", "still failing", "not reproduced", "flaky", "quarantined")
_CONTROL = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_ORDER = ("file", "line", "col", "title")


def render(reports: Sequence[Report], target: Target) -> str:
    return within(reports, LIMIT)


def workflow_commands(reports: Sequence[Report], folder: str = "") -> str:
    """Return workflow commands, one a line: the verdicts, then as many cases as GitHub shows, the worst first.

    `folder` is the project's location in the repository, with a slash behind it.
    """
    lines = [_verdict(report, folder) for report in reports]
    left = {"error": MOST - sum(line.startswith("::error") for line in lines), "warning": MOST - 1}
    wrong = ((report, item) for report in reports for item in judged(report) if item.judged and not is_right(item))
    found = [("error" if decides(item, report) else "warning", item) for report, item in wrong]
    found.sort(key=lambda pair: (pair[0] != "error", _WORST.index(pair[1].state), not pair[1].critical))
    hidden = 0
    for level, item in found:
        left[level] -= 1
        hidden += left[level] < 0
        if left[level] >= 0:
            lines.append(_case(level, item, folder))
    if hidden:
        more = "1 more case is" if hidden == 1 else f"{hidden:,} more cases are"
        lines.append(
            _command("warning", f"{more} not annotated; the summary and the report have all", title="promptbench")
        )
    return "".join(f"{line}\n" for line in lines)


def errors(message: str, diagnostics: Iterable[Diagnostic], folder: str = "", *, level: str = "error") -> str:
    """Return workflow commands for what kept a run from starting: the errors at their locations."""
    return f"{error_commands(diagnostics, folder)}{_command(level, message, title='promptbench')}\n"


def error_commands(diagnostics: Iterable[Diagnostic], folder: str = "") -> str:
    """Return workflow commands for the first errors, at their locations."""
    found = [item for item in diagnostics if item.severity is Severity.ERROR]
    return "".join(f"{_error(item, folder)}\n" for item in found[: MOST - 1])


def _error(item: Diagnostic, folder: str) -> str:
    message = "\nhint: ".join(filter(None, (item.message, item.hint)))
    line, col = (str(item.location.line), str(item.location.column)) if item.location.line else ("", "")
    return _command("error", message, file=folder + item.location.path, line=line, col=col, title=item.code.value)


def _verdict(report: Report, folder: str) -> str:
    judged_now = report.run or not report.collection
    level = "error" if report.exit != Exit.YES else "notice" if judged_now else "warning"
    again = f"\nagain: {report.command}" if report.command else ""
    return _command(
        level, f"{report.document.verdict}{again}", file=folder + report.path if report.path else "", title=report.name
    )


def _case(level: str, item: CaseResult, folder: str) -> str:
    title = f"{item.state}: {item.case} ({item.model})"
    line = str(item.line) if item.line else ""
    return _command(level, headline(item), file=folder + item.file, line=line, title=title)


def _command(level: str, message: str, **properties: str) -> str:
    written = ",".join(f"{key}={_property(properties[key])}" for key in _ORDER if properties.get(key))
    return f"::{level} {written}::{_data(message)}"


def _data(text: str) -> str:
    return _CONTROL.sub("\ufffd", text[:_LONGEST]).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


SPEC = ReportFormatSpec(render)
