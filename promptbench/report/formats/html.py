"""One page that opens offline: verdict, figures, charts, and every attempt with what was asked and answered."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from importlib import resources

from promptbench.core.words import number_of
from promptbench.report import overview
from promptbench.report.changes import changed
from promptbench.report.charts import charts
from promptbench.report.explorer import Explorer, explore
from promptbench.report.formats import _flips as flips
from promptbench.report.markup import shown
from promptbench.report.model import RunReport
from promptbench.report.words import Target, clean

_NO_CHARTS = (
    "There are no charts, because matplotlib is not installed: <code>pip install 'promptbench-gate[report]'</code>"
)


def render(reports: Sequence[RunReport], target: Target) -> str:
    """The page. It asks no network for anything, and what models and users wrote is text in it and never markup."""
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    title = " · ".join(f"{report.suite}: {report.result}" for report in reports)
    page = _asset("page.html")
    parts = {
        "policy": policy,
        "title": shown(clean(title)),
        "about": shown(clean(reports[0].suite)) if len(reports) == 1 else number_of(len(reports), "suite"),
        "style": style,
        "body": "".join(_body(reports)),
        "script": script,
    }
    before, *rest = page.split("{{")
    return before + "".join(parts[name] + text for name, _, text in (part.partition("}}") for part in rest))


def _asset(name: str) -> str:
    return resources.files("promptbench.report").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _body(reports: Sequence[RunReport]) -> Iterator[str]:
    if len(reports) > 1:
        yield '<nav aria-label="Suites">\n<ul class="suites">\n'
        for place, report in enumerate(reports):
            tone = overview.RESULTS.get(report.result, "none")
            yield f'<li><a href="#run={place}"><span class="tag {tone}">{shown(report.result)}</span> '
            yield f"{shown(clean(report.suite))}</a></li>\n"
        yield "</ul>\n</nav>\n"
    for place, report in enumerate(reports):
        yield f'<section class="run" id="run-{place}" data-run="{place}" aria-label="{shown(clean(report.suite))}">\n'
        yield from _run(report, place)
        yield "</section>\n"


def _run(report: RunReport, place: int) -> Iterator[str]:
    explorer = explore(report)
    yield from overview.verdict(report)
    yield from _part(
        "Prompts and models", overview.matrix(report.rows, [flips.counted(report, row) for row in report.rows])
    )
    yield from _part("What changed", _changed(report, place))
    yield from _part("Intents, slots and answers", overview.answers(report))
    yield from _part("Cases", _cases(explorer, place))
    yield from _part("Charts", _charts(report, explorer, place))
    yield from _part("About this run", overview.remarks(report))


def _part(title: str, lines: Iterator[str]) -> Iterator[str]:
    """A part under its heading, unless it is empty."""
    if text := "".join(lines):
        yield f"<section>\n<h3>{title}</h3>\n{text}</section>\n"


def _changed(report: RunReport, place: int) -> Iterator[str]:
    yield from changed(report, place)
    for line in (*flips.check_changes(report), *flips.not_compared(report)):
        yield f'<p class="small">{shown(line)}</p>\n'


def _charts(report: RunReport, explorer: Explorer | None, place: int) -> Iterator[str]:
    history = list(report.explored.history) if report.explored else []
    try:
        drawn = charts(report.rows, explorer.times if explorer else {}, history, f"c{place}")
    except ImportError:
        yield f"<p>{_NO_CHARTS}</p>\n"
        drawn = []
    matrices = explorer.matrices if explorer else []
    if drawn or matrices:
        yield '<div class="charts">\n'
        for item in drawn:
            yield from overview.chart(item)
        for matrix in matrices:
            yield from overview.confusion(matrix)
        yield "</div>\n"


def _cases(explorer: Explorer | None, place: int) -> Iterator[str]:
    """An empty place for the script to fill, and its data."""
    if explorer is None:
        return
    yield f'<div class="explorer" data-run="{place}"><p class="small">The list of cases needs JavaScript.</p></div>\n'
    blocks = {"index": explorer.index, **{str(number): pack for number, pack in enumerate(explorer.packs)}}
    for name, packed in blocks.items():
        yield f'<script type="application/octet-stream" id="data-{place}-{name}">{packed}</script>\n'
