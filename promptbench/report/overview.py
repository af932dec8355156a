"""The part of a page that needs no script: the verdict, the figures, what changed, the charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import unified_diff
from urllib.parse import urlencode

from promptbench.core.words import number_of
from promptbench.report.charts import Chart
from promptbench.report.confusion import Matrix
from promptbench.report.markup import framed, shown, table
from promptbench.report.model import Explored, FlipRow, Row, RunReport
from promptbench.report.words import clean, duration, excerpt, money, share, tail

STATES = {
    # Each state with the tone it is shown in, those that want a look first.
    "broken": "bad",
    "unstable": "warn",
    "failing": "bad",
    "still failing": "warn",
    "no answer": "none",
    "not reproduced": "none",
    "flaky": "none",
    "quarantined": "none",
    "fixed": "good",
    "still passing": "quiet",
    "passing": "quiet",
}
RESULTS = {"PASS": "good", "FAIL": "bad", "INCONCLUSIVE": "warn", "NO VERDICT": "none"}
_LISTED = ("broken", "unstable", "failing", "still failing", "no answer")
_MOST_LISTED = 10
_LONGEST_REASON = 300
_MOST_DIFF_LINES = 400


def verdict(report: RunReport) -> Iterator[str]:
    """The verdict as a heading, and what it is about."""
    tone = RESULTS.get(report.result, "none")
    sentence = report.sentence.removeprefix(f"{report.result}: ").removeprefix(f"{report.result} ")
    yield f'<div class="verdict {tone}">\n<p class="result">{shown(report.result)}</p>\n'
    yield f"<h2>{shown(sentence[:1].upper() + sentence[1:])}</h2>\n</div>\n"
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


def matrix(rows: Sequence[Row]) -> Iterator[str]:
    """Every prompt on every model, in figures."""
    if not rows:
        return
    columns: dict[str, list[str]] = {
        "model": [row.model + ("" if row.gated else " (not judged)") for row in rows],
        "prompt": [_prompt(row) for row in rows],
        "right answers": [f"{row.passed}/{row.attempts} {share(row.passed, row.attempts):>5}" for row in rows],
        "format": ["–" if row.well_formed is None else share(row.well_formed, row.attempts) for row in rows],
        "p50": [duration(row.p50_ms) for row in rows],
        "p99": [tail(row.p99_ms, few=row.few) for row in rows],
        "cost of 1,000": [money(row.cost_per_1000) if row.attempts > row.cached else "–" for row in rows],
    }
    for name, counts in (("cached", [row.cached for row in rows]), ("errors", [row.errored for row in rows])):
        if any(counts):
            columns[name] = [f"{count:,}" if count else "" for count in counts]
    yield table(list(columns), zip(*columns.values(), strict=True), label="Prompts and models", texts=2)
    if any(row.few and row.timed for row in rows):
        yield '<p class="small">~ p99 of fewer than 100 calls: between the two slowest of them</p>\n'


def _prompt(row: Row) -> str:
    return " ".join(filter(None, (row.prompt, f"({row.side})")))


def changed(report: RunReport, place: int) -> Iterator[str]:
    """How many cases are in each state, and those that want a look."""
    counts = {state: report.judgements[0].counts.get(state, 0) for state in STATES} if report.judgements else {}
    for flip in report.flips:
        if not counts.get(flip.flip):
            counts[flip.flip] = sum(other.flip == flip.flip for other in report.flips)
    if any(counts.values()):
        yield '<ul class="chips">\n'
        for state, count in counts.items():
            if count:
                link = urlencode({"run": place, "state": state})
                chip = f'<a class="chip {STATES.get(state, "none")}" href="#{shown(link)}">'
                yield f"<li>{chip}{shown(state)} <b>{count:,}</b></a></li>\n"
        yield "</ul>\n"
    listed = [flip for state in _LISTED for flip in report.flips if flip.flip == state]
    if listed:
        yield '<ul class="flips">\n'
        for flip in listed[:_MOST_LISTED]:
            yield _flip(flip, place)
        yield "</ul>\n"
    if len(listed) > _MOST_LISTED:
        yield f'<p class="small">and {len(listed) - _MOST_LISTED:,} more, below</p>\n'
    if report.explored:
        yield from _prompt_changes(report.explored)


def _flip(flip: FlipRow, place: int) -> str:
    link = urlencode({"run": place, "case": flip.case.encode("utf-8", "replace"), "on": flip.model})
    marks = [mark for mark, true in (("critical", flip.critical), ("from the log", flip.logged)) if true]
    tries = f"passes {flip.candidate.passed} of {flip.candidate.attempts}" if flip.candidate.attempts > 1 else ""
    about = " · ".join(filter(None, (flip.model, tries, *marks)))
    reason = "; ".join(excerpt(item, _LONGEST_REASON) for item in flip.candidate.reasons[:2])
    return (
        f'<li><span class="tag {STATES.get(flip.flip, "none")}">{shown(flip.flip)}</span> '
        f'<a href="#{shown(link)}">{shown(clean(flip.case))}</a> <span class="small">{shown(about)}</span>'
        + (f'<br><span class="reason">{shown(reason)}</span>' if reason else "")
        + "</li>\n"
    )


def _prompt_changes(explored: Explored) -> Iterator[str]:
    """Each candidate's text beside that of production, as lines taken out and put in."""
    champion = next((prompt for prompt in explored.prompts if prompt.side == "champion"), None)
    for prompt in explored.prompts:
        if champion is None or prompt is champion:
            continue
        lines = list(unified_diff(champion.source.splitlines(), prompt.source.splitlines(), lineterm="", n=3))[2:]
        yield f"<details><summary>From {shown(champion.label)} to {shown(prompt.label)}</summary>\n"
        yield '<pre class="diff" tabindex="0">' + "\n".join(map(_diff_line, lines[:_MOST_DIFF_LINES])) + "</pre>\n"
        if len(lines) > _MOST_DIFF_LINES:
            yield f'<p class="small">and {len(lines) - _MOST_DIFF_LINES:,} more lines</p>\n'
        yield "</details>\n"


def _diff_line(line: str) -> str:
    tag = {"+": "ins", "-": "del"}.get(line[:1])
    return f"<{tag}>{shown(line)}</{tag}>" if tag else shown(line)


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
            items = "".join(f"<li>{shown(clean(line))}</li>\n" for line in lines)
            yield f"<h4>{title}</h4>\n<ul>\n{items}</ul>\n"
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
    of = clean(f"{item.prompt} on {item.model}" if item.prompt else item.model)
    yield f'<figure class="chart">\n<figcaption><h4>Confusion: {shown(clean(item.place))}</h4>\n'
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
