"""List runs, show one of them, follow a figure over time, add up what was used, and report each."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from promptbench.core.clock import stamp
from promptbench.core.errors import InputError, suggest
from promptbench.core.words import number_of
from promptbench.project import Project
from promptbench.report.document import Block, CodeBlock, Document, Report, Section, TableBlock, TableColumn, Text
from promptbench.report.words import duration, money, share, side_word
from promptbench.store.run_list import RunFigures, RunSummary
from promptbench.store.run_usage import CallUsage


def list_runs(
    project: Project,
    *,
    suite: str | None = None,
    prompt: str | None = None,
    model: str | None = None,
    limit: int = -1,
) -> list[RunSummary]:
    """Return runs, newest first; none without a record."""
    with project.recordings() as runs:
        return runs.listing().newest(suite=suite, prompt=prompt, model=model, limit=limit) if runs else []


_METRICS = ("answers", "format", "p50", "p99", "cost")


def runs_report(runs: Sequence[RunSummary]) -> Report:
    """Return the list of runs, a row each."""
    heads = ("run", "suite", "result", "candidate", "against")
    rows = [
        (
            run.run,
            run.suite,
            _result(run),
            (run.candidates or run.prompt).replace(".prompt", ""),
            run.champion or "–",
            "–" if run.cost is None else money(run.cost),
        )
        for run in runs
    ]
    table = TableBlock(
        [*(TableColumn(head, numeric=False) for head in heads), TableColumn("cost", drop=1)], rows, label="Runs"
    )
    document = Document("", [Section([table])] if rows else [], "" if rows else "no run is on record")
    return Report("runs", document, lambda: {"runs": [asdict(run) for run in runs]})


def _result(run: RunSummary) -> str:
    if run.shard:
        return f"shard {run.shard}" if run.finished else f"shard {run.shard}, open"
    part = ", part" if run.partial else ""
    return f"{run.result}{part}" if run.result else f"open{part}"


def run_details_report(project: Project, run: str) -> Report:
    """Return a run as it was judged, with its figures; the verdict is the last line. Raise InputError if not found."""
    with project.recorded() as runs:
        name, listing = runs.run(run).id, runs.listing()
        about, figures = listing.summary(name), listing.figures(name)
    against = f" against {about.champion}" if about.champion else ""
    title = f"{about.run}: {about.suite}, {about.candidates or about.prompt}{against}, {about.cases} cases"
    lines: list[Block] = [Text(f"started {about.started}, finished {about.finished or 'not yet'}")]
    if about.command:
        lines.append(CodeBlock(about.command, label="again"))
    rows = [
        (
            item.model,
            side_word(item.side),
            item.prompt.removesuffix(".prompt"),
            *(_figure(item, metric) for metric in _METRICS),
            str(item.errored or ""),
        )
        for item in figures
    ]
    heads = [TableColumn(head, numeric=False) for head in ("model", "side", "prompt")]
    drops = {"answers": 0, "format": 1, "p50": 3, "p99": 4, "$/1,000": 2, "errors": 0}
    heads += [TableColumn(head, drop=drop) for head, drop in drops.items()]
    table = TableBlock(heads, rows, label="Figures", grouped=True)
    verdict = about.sentence or "not finished: the same command resumes it"
    sections = [Section(lines), *([Section([table])] if rows else [])]
    data = {"summary": asdict(about), "figures": [asdict(item) for item in figures]}
    return Report("runs", Document(title, sections, verdict), lambda: data, run=about.run)


def run_history_report(
    project: Project, name: str, metric: str, *, model: str | None = None, limit: int = 20
) -> Report:
    """Return a figure over the newest finished whole runs of a suite, or about a prompt of that name, oldest first.

    Each prompt and model has the change from the side's run before. Raise InputError if nothing of that name was run.
    """
    with project.recorded() as runs:
        listing = runs.listing()
        figures = listing.history(suite=name, prompt=None, model=model, limit=limit)
        figures = figures or listing.history(suite=None, prompt=name, model=model, limit=limit)
        if not figures:
            known = listing.names()
            on = f" on {model}" if model else ""
            hint = suggest(name, known - {name}, f"suites and prompts with runs: {', '.join(sorted(known)) or 'none'}")
            raise InputError(f"no finished run of a whole suite or prompt '{name}'{on}", hint=hint)
    before: dict[tuple[str, str], float | None] = {}
    rows = []
    for item in sorted(figures, key=lambda item: item.model):
        value, last = getattr(item, metric), before.get((item.model, item.side))
        change = "" if value is None or last is None else _change(value - last, metric)
        side, prompt = side_word(item.side), item.prompt.removesuffix(".prompt")
        rows.append((item.model, item.run, item.result or "", side, prompt, _figure(item, metric), change))
        before[item.model, item.side] = value
    heads = [TableColumn(head, numeric=False) for head in ("model", "run", "result", "side", "prompt")]
    table = TableBlock([*heads, TableColumn(metric), TableColumn("change")], rows, label="History", grouped=True)
    data = {"metric": metric, "runs": [asdict(item) for item in figures]}
    return Report("runs", Document("", [Section([table])] if rows else [], ""), lambda: data)


def usage_report(project: Project, by: str, since: datetime | None = None) -> Report:
    """Return the calls on record by day, model, suite, prompt or judge; those to judges have rows of their own."""
    with project.recordings() as runs:
        usage = runs.usage().by(by, stamp(since) if since else "") if runs else []
    rows = [
        (
            item.group or "–",
            "judge" if item.judge else "model",
            f"{item.calls:,}",
            f"{item.failed:,}" if item.failed else "",
            *(
                f"{number:,}" if number is not None else "unknown" if item.uncounted else "–"
                for number in (item.input_tokens, item.output_tokens, item.cached_tokens)
            ),
            _cost([item]),
        )
        for item in usage
    ]
    heads = [TableColumn(head, numeric=False) for head in (by, "called")]
    drops = {"calls": 0, "failed": 0, "tokens in": 0, "out": 0, "cached": 1, "cost": 0}
    table = TableBlock([*heads, *(TableColumn(head, drop=drop) for head, drop in drops.items())], rows, label="Usage")
    sums = [
        f"{number_of(sum(item.calls for item in part), 'call')} to {to} ({_cost(part)})"
        for to, judge in (("models", False), ("judges", True))
        if (part := [item for item in usage if item.judge is judge])
    ]
    document = Document("", [Section([table])] if rows else [], " and ".join(sums) or "no call is on record")
    return Report("runs", document, lambda: {"by": by, "usage": [asdict(item) for item in usage]})


def _cost(usage: Sequence[CallUsage]) -> str:
    unpriced = sum(item.unpriced for item in usage)
    known = [item.cost for item in usage if item.cost is not None]
    total = money(sum(known) if known or not unpriced else None)
    return f"{total} + {unpriced:,} unknown" if known and unpriced else total


def _figure(item: RunFigures, metric: str) -> str:
    value = getattr(item, metric)
    if metric in ("p50", "p99"):
        return duration(value)
    if metric == "cost":
        return money(value)
    if value is None:
        return "–"
    whole = item.attempts if metric == "answers" else 10_000
    return share(round(value * whole), whole)


def _change(by: float, metric: str) -> str:
    if not by:
        return "="
    sign = "+" if by > 0 else "−"
    if metric in ("p50", "p99"):
        return sign + duration(abs(by))
    return sign + (money(abs(by)) if metric == "cost" else f"{abs(by) * 100:.1f} points")
