"""One page that opens offline: verdict, figures, charts, and every attempt with its messages and answers."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from urllib.parse import urlencode

from promptbench.core.words import number_of
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import (
    Block,
    Chart,
    CodeBlock,
    Document,
    Item,
    ItemLine,
    ItemList,
    Matrix,
    Report,
    Section,
    TableBlock,
    Text,
)
from promptbench.report.explorer import explore
from promptbench.report.markup import framed, shown, table
from promptbench.report.svg import draw
from promptbench.report.words import Target, clean, excerpt

_RESULTS = {"PASS": "good", "FAIL": "bad", "INCONCLUSIVE": "warn", "NO VERDICT": "none"}
_LONGEST = 300
# Labels from which on a matrix takes the width of the page.
_WIDE = 12


def render(reports: Sequence[Report], target: Target) -> str:
    """Return the page. It loads nothing, and what models and users wrote is text in it, never markup."""
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    title = " · ".join(f"{report.name}: {report.result}" if report.result else report.name for report in reports)
    parts = {
        "policy": policy,
        "title": shown(clean(title)),
        "about": shown(clean(reports[0].name)) if len(reports) == 1 else number_of(len(reports), "suite"),
        "style": style,
        "body": "".join(_body(reports)),
        "script": script,
    }
    before, *rest = _asset("page.html").split("{{")
    return before + "".join(parts[name] + text for name, _, text in (part.partition("}}") for part in rest))


def _asset(name: str) -> str:
    return resources.files("promptbench.report").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _body(reports: Sequence[Report]) -> Iterator[str]:
    if len(reports) > 1:
        yield '<nav aria-label="Suites">\n<ul class="suites">\n'
        for place, report in enumerate(reports):
            tone = _RESULTS.get(report.result, "none")
            yield f'<li><a href="#run={place}"><span class="tag {tone}">{shown(report.result)}</span> '
            yield f"{shown(clean(report.name))}</a></li>\n"
        yield "</ul>\n</nav>\n"
    for place, report in enumerate(reports):
        yield f'<section class="run" id="run-{place}" data-run="{place}" aria-label="{shown(clean(report.name))}">\n'
        yield from _Page(report, place).parts()
        yield "</section>\n"


class _Page:
    """Writes one report. `place` is its number on the page."""

    def __init__(self, report: Report, place: int) -> None:
        self._report = report
        self._place = place

    def parts(self) -> Iterator[str]:
        report, document = self._report, self._report.document
        yield from _verdict(report)
        for section in document.sections:
            if blocks := [block for block in section.blocks if block.detail not in ("verbose", "hint")]:
                yield from self._section(section, blocks)
        explorer = explore(report.attempts) if report.attempts else None
        if explorer:
            yield f'<section>\n<h3>Cases</h3>\n<div class="explorer" data-run="{self._place}">'
            yield '<p class="small">The list of cases needs JavaScript.</p></div>\n'
            packs = {"index": explorer.index, **{str(number): pack for number, pack in enumerate(explorer.packs)}}
            for name, packed in packs.items():
                yield f'<script type="application/octet-stream" id="data-{self._place}-{name}">{packed}</script>\n'
            yield "</section>\n"
        drawn: list[Block] = [*report.charts(explorer.times if explorer else {})] if report.charts else []
        drawn += explorer.matrices if explorer else []
        if drawn:
            yield '<section>\n<h3>Charts</h3>\n<div class="charts">\n'
            yield from (part for block in drawn for part in self._block(block))
            yield "</div>\n</section>\n"
        if report.command:
            yield f"<section>\n<h3>Run it again</h3>\n{_command(report.command)}</section>\n"

    def _section(self, section: Section, blocks: Sequence[Block]) -> Iterator[str]:
        yield "<section>\n"
        if section.title:
            title = shown(clean(section.title))
            if self._report.attempts and section.link:
                title = f'<a href="{self._address(section.link)}">{title}</a>'
            tag = f'<span class="tag {section.tone}">{title}</span>' if section.cases else title
            about = f' <span class="small">{shown(clean(section.about))}</span>' if section.about else ""
            yield f"<h3>{tag}{about}</h3>\n"
        open_ = ""
        for block in blocks:
            kind = '<ul class="flips">\n' if isinstance(block, Item) else ""
            if kind != open_:
                yield kind or "</ul>\n"
                open_ = kind
            yield from self._block(block)
        yield "</ul>\n" if open_ else ""
        yield "</section>\n"

    def _block(self, block: Block) -> Iterator[str]:
        match block:
            case Text():
                kind = "cause" if block.tone == "strong" else "small" if block.tone == "quiet" else ""
                yield f"<p{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{shown(clean(block.text))}</p>\n"
            case CodeBlock(language="diff"):
                tags = [(line, {"+": "ins", "-": "del"}.get(line[:1])) for line in block.text.split("\n")]
                lines = "\n".join(f"<{tag}>{shown(line)}</{tag}>" if tag else shown(line) for line, tag in tags)
                yield f"<details><summary>{shown(clean(block.label))}</summary>\n"
                yield f'<pre class="diff" tabindex="0">{lines}</pre>\n</details>\n'
            case CodeBlock():
                yield f'<p class="small">{shown(clean(block.label))}</p>\n' if block.label else ""
                yield _command(block.text)
            case ItemList():
                yield f"<h4>{shown(clean(block.title))}</h4>\n" if block.title else ""
                yield "<ul>\n" + "".join(f"<li>{shown(clean(item))}</li>\n" for item in block.items) + "</ul>\n"
            case TableBlock():
                yield table(block.columns, block.rows, label=block.label or "Figures", grouped=block.grouped)
                yield f'<p class="small">{shown(clean(block.note))}</p>\n' if block.note else ""
            case Item():
                yield self._entry(block)
            case Chart():
                yield from _chart(block)
            case Matrix():
                yield from _matrix(block)

    def _entry(self, entry: Item) -> str:
        name = shown(excerpt(entry.title, _LONGEST))
        if self._report.attempts and entry.link:
            name = f'<a href="{self._address(entry.link)}">{name}</a>'
        lines = "".join(map(_line, (line for line in entry.lines if not line.verbose)))
        said = f'\n<dl class="said">\n{lines}</dl>' if lines else ""
        return f'<li>{name} <span class="small">{shown(clean(entry.about))}</span>{said}</li>\n'

    def _address(self, link: Mapping[str, str]) -> str:
        # An address cannot hold half a pair; the page looks for the name with the same sign in its place.
        link = {key: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for key, text in link.items()}
        return "#" + shown(urlencode({"run": self._place, **link}))


def _verdict(report: Report) -> Iterator[str]:
    document: Document = report.document
    sentence = document.verdict.removeprefix(f"{report.result}: ").removeprefix(f"{report.result} ")
    yield f'<div class="verdict {_RESULTS.get(report.result, "none")}">\n'
    yield f'<p class="result">{shown(report.result)}</p>\n' if report.result else ""
    yield f"<h2>{shown(sentence or document.title)}</h2>\n</div>\n"
    facts = "".join(f"<div><dt>{name}</dt><dd>{shown(value)}</dd></div>\n" for name, value in document.facts.items())
    yield f"<p>{shown(clean(document.title))}</p>\n"
    yield f'<dl class="facts">\n{facts}</dl>\n' if facts else ""
    if document.about:
        yield "<ul>\n" + "".join(f"<li>{shown(clean(text.text))}</li>\n" for text in document.about) + "</ul>\n"


def _command(text: str) -> str:
    return f'<pre class="command" tabindex="0">{shown(text)}</pre>\n'


def _line(line: ItemLine) -> str:
    label = f"<dt>{shown(clean(line.label))}</dt>" if line.label else ""
    kind = ' class="mono"' if line.label else ""
    if isinstance(line.text, str):
        text = shown(excerpt(line.text, _LONGEST)) or '<span class="small">(empty)</span>'
        return f"{label}<dd{kind}>{text}</dd>\n"
    parts, room = [], 2 * _LONGEST
    for piece in line.text:
        if room <= 0:
            parts.append("…")
            break
        text = shown(excerpt(piece.text, room))
        tag, tone = {"removed": ("del", line.removed), "added": ("ins", line.added)}.get(piece.kind, ("", ""))
        parts.append(f'<{tag} class="{tone}">{text}</{tag}>' if tag else text)
        room -= len(piece.text)
    return f"{label}<dd{kind}>{''.join(parts)}</dd>\n"


def _chart(item: Chart) -> Iterator[str]:
    yield f'<figure class="chart">\n<figcaption><h4>{shown(item.title)}</h4>\n<p class="small">{shown(item.about)}</p>'
    yield "</figcaption>\n"
    yield framed(draw(item), f"Chart: {item.title}")
    if item.key:
        yield '<ol class="key">\n' + "".join(f"<li>{shown(clean(name))}</li>\n" for name in item.key) + "</ol>\n"
    yield "<details><summary>As a table</summary>\n"
    yield table(item.table.columns, item.table.rows, label=f"Figures: {item.title}")
    yield "</details>\n</figure>\n"


def _matrix(item: Matrix) -> Iterator[str]:
    # A table whose cells are the darker, the more of the row's answers are in them.
    wide = " wide" if len(item.given) > _WIDE else ""
    yield f'<figure class="chart{wide}">\n<figcaption><h4>{shown(clean(item.title))}</h4>\n'
    yield f'<p class="small">{shown(clean(item.about))}</p></figcaption>\n'
    head = "".join(f'<th scope="col"><span>{shown(clean(name))}</span></th>' for name in item.given)
    rows = []
    for name, counts in zip(item.expected, item.counts, strict=True):
        whole = sum(counts)
        cells = "".join(
            f'<td class="h{-(-5 * count // whole) if whole else 0}{" d" if other == name else ""}">{count or ""}</td>'
            for other, count in zip(item.given, counts, strict=True)
        )
        rows.append(f'<tr><th scope="row">{shown(clean(name))}</th>{cells}</tr>\n')
    body = f"<thead><tr><td></td>{head}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody>"
    yield framed(f'<table class="confusion">\n{body}\n</table>', clean(item.title))
    yield "</figure>\n"


SPEC = ReportFormatSpec(render)
