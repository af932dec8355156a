"""The part of a page that needs no script: the verdict, the figures, the charts, remarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from promptbench.core.words import number_of
from promptbench.report import nlu, qa
from promptbench.report.charts import Chart
from promptbench.report.confusion import Matrix
from promptbench.report.markup import framed, shown, table
from promptbench.report.model import Row, RunReport
from promptbench.report.words import clean, duration, money, share, tail

RESULTS = {"PASS": "good", "FAIL": "bad", "INCONCLUSIVE": "warn", "NO VERDICT": "none"}
_SIDES = {"champion": "production"}
_LONGEST = 300
_WIDE = 12
"""Labels from which on a confusion matrix takes the width of the page."""


def verdict(report: RunReport) -> Iterator[str]:
    """The verdict as a heading, and what it is about."""
    tone = RESULTS.get(report.result, "none")
    sentence = report.sentence.removeprefix(f"{report.result}: ").removeprefix(f"{report.result} ")
    yield f'<div class="verdict {tone}">\n<p class="result">{shown(report.result)}</p>\n'
    yield f"<h2>{shown(sentence)}</h2>\n</div>\n"
    yield '<dl class="facts">\n'
    for name, value in _facts(report):
        yield f"<div><dt>{name}</dt><dd>{shown(value)}</dd></div>\n"
    yield "</dl>\n"


def _facts(report: RunReport) -> Iterator[tuple[str, str]]:
    yield "suite", f"{report.suite}, {number_of(report.cases, 'case')}"
    for judgement in report.judgements[:1]:
        against = f"against {judgement.champion}" if judgement.champion else "nothing in production yet"
        yield "candidate", f"{judgement.candidate}, {against}"
    yield "run", report.run
    yield "started", report.started[:16].replace("T", " ") + " UTC"
    if report.promotion:
        moved = report.promotion
        yield "promoted", f"{moved.prompt}@{moved.version} is now {moved.label}"


def matrix(rows: Sequence[Row], flips: Sequence[str]) -> Iterator[str]:
    """Every prompt on every model, in figures. `flips` says for each row how many cases it fixed and broke."""
    if not rows:
        return
    columns: dict[str, list[str]] = {
        "right answers": [_share(row) for row in rows],
        "fixed, broken": [shown(item) for item in flips],
        "format": ["–" if row.well_formed is None else share(row.well_formed, row.attempts) for row in rows],
        "p50": [duration(row.p50_ms) for row in rows],
        "p99": [tail(row.p99_ms, few=row.few) for row in rows],
        "cost of 1,000": [shown(money(row.cost_per_1000)) if row.attempts > row.cached else "–" for row in rows],
        "cached": [f"{row.cached:,}" if row.cached else "" for row in rows],
        "errors": [f"{row.errored:,}" if row.errored else "" for row in rows],
    }
    for name in ("fixed, broken", "cached", "errors"):
        if not any(columns[name]):
            del columns[name]
    head = '<th scope="col">prompt and model</th>' + "".join(
        f'<th scope="col" class="n">{name}</th>' for name in columns
    )
    body = "".join(
        f'<tr><th scope="row">{_name(row)}</th>' + "".join(f'<td class="n">{cell}</td>' for cell in cells) + "</tr>\n"
        for row, *cells in zip(rows, *columns.values(), strict=True)
    )
    table_ = f'<table class="matrix">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>'
    yield framed(table_, "Prompts and models")
    if any(row.few and row.timed for row in rows):
        yield '<p class="small">~ p99 of fewer than 100 calls: between the two slowest of them</p>\n'


def _name(row: Row) -> str:
    side = _SIDES.get(row.side, row.side)
    about = "" if row.gated else " (not judged)"
    if not row.prompt:
        return f'<b>{shown(clean(row.model))}</b><br><span class="small">{shown(clean(side))}{about}</span>'
    return (
        f'<b>{shown(clean(row.prompt))}</b> <span class="small">{shown(clean(side))}</span><br>'
        f'<span class="small">{shown(clean(row.model))}{about}</span>'
    )


def _share(row: Row) -> str:
    return f'<b>{share(row.passed, row.attempts)}</b> <span class="small">{row.passed:,}/{row.attempts:,}</span>'


def answers(report: RunReport) -> Iterator[str]:
    """What the checks for intents, slots and answers from documents found: a block for each prompt on a model."""
    found = [
        *(
            (_of(item), nlu.figures(item), nlu.labels(item, _LONGEST))
            for item in (report.nlu.summaries if report.nlu else ())
        ),
        *((_of(item), qa.figures(item), iter(())) for item in (report.qa.summaries if report.qa else ())),
    ]
    if not found:
        return
    yield '<div class="blocks">\n'
    for of, figures, lines in found:
        yield f"<div>\n<h4>{shown(of)}</h4>\n"
        yield table(("figure", "value (95 % interval)", "of"), figures, label=f"Figures: {of}", texts=3)
        yield from _list(lines)
        yield "</div>\n"
    yield "</div>\n"
    if report.nlu:
        yield from _list(map(nlu.compared, report.nlu.comparisons))


def _of(summary: nlu.NluSummary | qa.QaSummary | Matrix) -> str:
    return clean(f"{summary.prompt} on {summary.model}" if summary.prompt else summary.model)


def _list(lines: Iterable[str]) -> Iterator[str]:
    if items := "".join(f"<li>{shown(clean(line))}</li>\n" for line in lines):
        yield f"<ul>\n{items}</ul>\n"


def remarks(report: RunReport) -> Iterator[str]:
    """What else there is to say of the run, a list for each kind."""
    log = report.log
    said = [f"{log.calls} failing calls in the log, {log.mended} pass now on {log.model}"] if log else []
    judges = [
        f"{number_of(row.questions, 'question')} to {row.judge}, {money(row.cost)}"
        + (f", {row.without_answer} without answer" if row.without_answer else "")
        + (f", {row.without_verdict} without verdict" if row.without_verdict else "")
        for row in report.judges
    ]
    others = [f"{item.candidate}: {item.sentence}" for item in report.judgements[1:]]
    kinds = {
        "Other candidates": others,
        "Comparisons": [*said, *report.comparisons],
        "No answer from the provider": report.errors,
        "No verdict from a judge": report.unjudged,
        "Waiting": report.waits,
        "Judges": judges,
        "Advisory": report.advisory,
        "Notes": report.notes,
    }
    for title, lines in kinds.items():
        if lines:
            yield f"<h4>{title}</h4>\n"
            yield from _list(lines)
    yield f'<h4>Run it again</h4>\n<pre class="command" tabindex="0">{shown(clean(report.reproduce))}</pre>\n'


def chart(item: Chart) -> Iterator[str]:
    """A chart with its figures as a table."""
    yield f'<figure class="chart">\n<figcaption><h4>{shown(item.title)}</h4>\n<p class="small">{shown(item.about)}</p>'
    yield "</figcaption>\n"
    yield framed(item.svg, f"Chart: {item.title}")
    if item.key:
        yield '<ol class="key">\n' + "".join(f"<li>{shown(name)}</li>\n" for name in item.key) + "</ol>\n"
    yield "<details><summary>As a table</summary>\n"
    yield table(item.heads, item.rows, label=f"Figures: {item.title}", texts=2 if item.key else 1)
    yield "</details>\n</figure>\n"


def confusion(item: Matrix) -> Iterator[str]:
    """A confusion matrix: a table whose cells are the darker, the more of the row's answers are in them."""
    of = _of(item)
    wide = " wide" if len(item.given) > _WIDE else ""
    yield f'<figure class="chart{wide}">\n<figcaption><h4>Confusion: {shown(clean(item.place))}</h4>\n'
    yield f'<p class="small">{shown(of)}. Each row is what was expected, each column what was given.</p></figcaption>\n'
    head = "".join(f'<th scope="col"><span>{shown(clean(name))}</span></th>' for name in item.given)
    rows = []
    for name, counts in zip(item.expected, item.counts, strict=True):
        cells = "".join(
            f'<td class="h{_shade(count, sum(counts))}{" d" if other == name else ""}">{count or ""}</td>'
            for other, count in zip(item.given, counts, strict=True)
        )
        rows.append(f'<tr><th scope="row">{shown(clean(name))}</th>{cells}</tr>\n')
    body = f"<thead><tr><td></td>{head}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody>"
    yield framed(f'<table class="confusion">\n{body}\n</table>', f"Confusion of {clean(item.place)}")
    yield "</figure>\n"


def _shade(part: int, whole: int) -> int:
    """0 to 5."""
    return -(-5 * part // whole) if whole else 0
