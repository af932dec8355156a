"""Markdown for a comment on a pull request, within the length that GitHub takes. Foreign text is never markup."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Report, Target
from promptbench.report.renderers._cases import decides, is_right, judged
from promptbench.report.words import clean, excerpt

# GitHub takes 65,536 characters in a comment; bytes are at least as many.
LIMIT = 65_000
_MARKS = {"PASS": "✅ ", "FAIL": "❌ ", "INCONCLUSIVE": "⚠️ ", "NO VERDICT": "🚫 "}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~@&$]|:(?=\S)|(?<=www)\.)")
_ORDER = (
    *("broken", "unstable", "failing", "still failing", "no answer", "not reproduced", "flaky", "quarantined"),
    "fixed",
)
_LONGEST = 300


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
    template = _template()
    for report in reports:
        yield str(template.head(report))
    for report in reports:
        if len(reports) > 1:
            yield f"\n## {text(report.name)}\n"
        cases = [item for item in judged(report) if item.state in _ORDER and item.judged]
        cases.sort(key=lambda item: (_ORDER.index(item.state), not item.critical))
        for section in report.document.sections:
            if not (cases and section.cases):
                yield from str(template.section(section)).splitlines(keepends=True)
        if cases:
            yield str(template.cases())
            yield from (str(template.case(item, right=is_right(item), counts=decides(item, report))) for item in cases)


@cache
def _template() -> Any:
    """Return the macros of the template. What an expression in it writes is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=PackageLoader("promptbench", "report/assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: value if isinstance(value, Markup) else Markup(text(str(value))),
    )
    made.filters |= {
        "cell": lambda foreign: Markup(code(foreign).replace("|", "\\|")),  # A bar would end a cell even there.
        "code": lambda foreign: Markup(code(foreign)),
        "kind": lambda block: type(block).__name__,
    }
    made.globals |= {"longest": _LONGEST, "marks": _MARKS}
    return made.get_template("markdown.jinja").module


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


SPEC = ReportFormatSpec(render)
