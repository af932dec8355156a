"""The report on a run or a comparison: verdict, figures, and what changed case by case."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from difflib import unified_diff
from functools import partial

from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.metrics.latency import TokenTimes
from promptbench.report.document import (
    Block,
    CodeBlock,
    Document,
    ItemList,
    Report,
    Section,
    TableBlock,
    TableColumn,
    Text,
)
from promptbench.report.figures import compared, figures, labels, qa_figures
from promptbench.report.model import (
    Explored,
    Judgement,
    Promotion,
    Row,
    RungChange,
    RunReport,
    StepRow,
)
from promptbench.report.words import duration, money, share, side_word, tail
from promptbench.workflows.judge.run_changes import change_sections, list_names
from promptbench.workflows.judge.run_charts import charts

# Failing calls, evidence and single attempts have formats of their own, and can be large.
NOT_IN_JSON = ("failures", "calls", "proof", "explored")
# Waiting in the queue is shown from this many milliseconds on: below, it is this machine being busy.
_WAITED = 10.0
_MOST_DIFF_LINES = 400
_MOST_RUNGS = 50
_FEW = "~ p99 of fewer than 100 calls: between the two slowest of them"


def run_report(run: RunReport) -> Report:
    """Return the report on a run or comparison, for every format."""
    first, others = next(iter(run.judgements), None), run.judgements[1:]
    properties = {"candidate": f"{first.candidate} {first.candidate_hash}"} if first else {}
    if first and first.champion:
        properties["production"] = f"{first.champion} {first.champion_hash}"
    facts = {"run": run.run, "started": run.started[:16].replace("T", " ") + " UTC"}
    if run.promotion:
        facts["promoted"] = f"{run.promotion.prompt}@{run.promotion.version} is now {run.promotion.label}"
    document = Document(
        title=_title(run, first),
        about=[
            *(Text(_title(run, other), "strong") for other in others),
            *(Text(note, "warn") for note in run.notes),
        ],
        facts=facts,
        sections=[section for section in _sections(run) if section.blocks],
        verdict=run.sentence,
    )
    attempts = run.explored
    if attempts:
        attempts = replace(
            attempts,
            candidate=first.candidate_hash if first else "",
            models={row.model: row.gated for row in run.rows},
            intents=frozenset(label for item in (run.nlu.summaries if run.nlu else ()) for label in item.intents),
        )
    return Report(
        name=run.suite,
        document=document,
        data=partial(_data, run),
        exit=run.exit,
        result=run.result,
        collection="runs",
        run=run.run,
        started=run.started,
        path=run.path,
        prompt=run.prompt,
        command=run.reproduce,
        properties=properties,
        problems=[*run.errors, *run.unjudged],
        cases=run.results,
        skipped=run.skipped,
        attempts=attempts,
        charts=partial(charts, run),
        failures=run.failures,
        calls=run.calls,
        proof=run.proof,
    )


def _data(run: RunReport) -> dict[str, Json]:
    data = asdict(replace(run, results=tuple(run.results), failures=(), calls=(), proof=None, explored=None))
    return {name: value for name, value in data.items() if name not in NOT_IN_JSON}


def _title(run: RunReport, judged: Judgement | None) -> str:
    cases = number_of(run.cases, "case") + (f", {len(run.skipped)} skipped" if run.skipped else "")
    if judged is None:
        return f"{run.suite}: {cases}"
    against = f" against {judged.champion}" if judged.champion else ", with nothing in production yet"
    if judged.mode == "same":
        against = ", which is in production"
    return f"{run.suite}: {judged.candidate}{against}, {cases}"


def _sections(run: RunReport) -> Iterator[Section]:
    yield Section(list(_figures(run)), title="")
    yield Section(list(_ladder(run.rows)))
    yield Section(_rung_changes(run.rungs, run.ladders) if run.rungs else [])
    yield from _answers(run)
    yield Section(list(_latency(run.rows)))
    yield from _by_tokens(run.rows)
    yield Section([*_steps(run.steps), *map(Text, run.causes)])
    yield Section([Text(wait, "warn", detail="more") for wait in run.waits])
    yield from change_sections(run)
    yield Section(list(_prompt_changes(run.explored)) if run.explored else [])
    not_compared = (f"not compared, {why}: {list_names(names)}" for why, names in run.left_out.items())
    yield Section([Text(line) for line in (*_check_changes(run), *not_compared)])
    yield Section(_listed("skipped", [f"'{item.case}': {item.reason}" for item in run.skipped]))
    if run.log:
        calls, verb = number_of(run.log.calls, "failing call"), "passes" if run.log.mended == 1 else "pass"
        yield Section([Text(f"log: {run.log.mended} of {calls} {verb} now on {run.log.model}")])
    yield Section([Text(line) for line in run.comparisons])
    yield Section(_listed("no answer from the provider", run.errors))
    yield Section([*map(Text, _judges(run)), *(Text(f"advisory: {line}") for line in run.advisory)])
    yield Section(_listed("no verdict from a judge", run.unjudged))
    if run.saving and run.saving.everywhere > run.saving.asked:
        made, all_tries = run.saving.asked, run.saving.everywhere
        line = f"{all_tries - made:,} calls saved: {made:,} were made, and all tries of every case are {all_tries:,}"
        yield Section([Text(line, "quiet", detail="verbose")])
    if run.exit != 0:
        yield Section([CodeBlock(run.reproduce, label="again")])
    if run.promotion:
        yield Section(list(promotion_blocks(run.promotion)))
    elif run.promote:
        yield Section([CodeBlock(run.promote, label="promote it")])
    if len(run.judgements) > 1:
        best, *others = run.judgements
        lines = [f"{other.candidate}: {other.sentence}" for other in others]
        lines.append(f"{best.candidate} is the best of {len(run.judgements)} candidates:")
        yield Section(list(map(Text, lines)))


def _listed(title: str, items: Sequence[str]) -> list[Block]:
    return [ItemList(items, title=title, tone="none")] if items else []


def _figures(run: RunReport) -> Iterator[Block]:
    rows = run.rows
    outcomes = [_outcomes(run, row) for row in rows]
    columns: dict[TableColumn, list[str]] = {
        TableColumn("answers"): [f"{row.passed}/{row.attempts} {share(row.passed, row.attempts):>5}" for row in rows],
        TableColumn("format", drop=1): [
            "–" if row.well_formed is None else share(row.well_formed, row.attempts) for row in rows
        ],
        TableColumn("fixed"): [fixed for fixed, _ in outcomes],
        TableColumn("broken"): [broken for _, broken in outcomes],
        TableColumn("$/1,000", drop=2): [
            money(row.cost_per_1000) if row.attempts > row.cached else "–" for row in rows
        ],
        TableColumn("cached", drop=3): [str(row.cached or "") for row in rows],
        TableColumn("errors"): [str(row.errored or "") for row in rows],
    }
    optional = ("fixed", "broken", "cached", "errors")
    shown = {column: cells for column, cells in columns.items() if any(cells) or column.head not in optional}
    if rows:
        yield _by_model("Prompts and models", "side", rows, shown)


def _steps(steps: Sequence[StepRow]) -> Iterator[Block]:
    rows = [item.figures for item in steps]
    names = [f"{item.figures.prompt}: {item.step}" for item in steps]
    columns = {
        TableColumn("passes"): [f"{it.figures.passed}/{it.figures.attempts}" if it.checked else "–" for it in steps],
        TableColumn("p50"): [duration(row.p50_ms) for row in rows],
        TableColumn("p99"): [tail(row.p99_ms, few=row.few) for row in rows],
        TableColumn("$/1,000", drop=1): [money(row.cost_per_1000) for row in rows],
    }
    if rows:
        rows = [replace(row, prompt=name) for row, name in zip(rows, names, strict=True)]
        yield _by_model("Steps", "steps", rows, columns, _FEW if any(row.few and row.timed for row in rows) else "")


def _by_model(
    label: str, head: str, rows: Sequence[Row], columns: dict[TableColumn, list[str]], note: str = ""
) -> TableBlock:
    names = [(row.model + ("" if row.gated else " (not judged)"), side_word(row.side), row.prompt) for row in rows]
    return TableBlock(
        columns=[*(TableColumn(name, numeric=False) for name in ("model", head, "prompt")), *columns],
        rows=[[*name, *cells] for name, *cells in zip(names, *columns.values(), strict=True)],
        label=label,
        grouped=True,
        note=note,
    )


def _outcomes(run: RunReport, row: Row) -> tuple[str, str]:
    """Return how many cases the judged prompt fixed and broke on a model; empty for every other row."""
    judged = next(iter(run.judgements), None)
    if judged is None or judged.mode not in ("champion", "comparison") or not (row.gated and row.attempts):
        return "", ""
    is_candidate = row.side == "candidate" and row.prompt == judged.candidate.removesuffix(".prompt")
    if not (is_candidate or row.side == "B"):
        return "", ""
    count = Counter(flip.flip for flip in run.flips if flip.model == row.model)
    return str(count["fixed"]), str(count["broken"])


def _ladder(rows: Sequence[Row]) -> Iterator[Text]:
    several = len({row.model for row in rows}) > 1
    for row in rows:
        if any(count for name, count in row.rungs.items() if name != "raw"):
            rungs = " · ".join(f"{name.replace('_', ' ')} {count}" for name, count in row.rungs.items() if count)
            repairs = ", ".join(f"{name} {count}" for name, count in row.repairs.items())
            of = f"{row.prompt} on {row.model}" if several and row.prompt else row.prompt or row.model
            yield Text(f"format of {of}: {rungs}" + (f" ({repairs})" if repairs else ""), "quiet")


def _rung_changes(changes: Sequence[RungChange], ladders: Sequence[str]) -> list[Block]:
    lines = [
        f"{change.case}, try {change.repeat + 1}, {_of(change.prompt, change.model)}: "
        + " → ".join(rung.replace("_", " ") for rung in (change.before, change.after))
        + (f" ({', '.join(change.repairs)})" if change.repairs else "")
        for change in changes
    ]
    title = f"on another rung than in the record: {number_of(len(changes), 'answer')} (ladder "
    title += " → ".join(dict.fromkeys(name.removeprefix("sha256:")[:8] for name in ladders)) + ")"
    if len(lines) > _MOST_RUNGS:
        lines[_MOST_RUNGS:] = [f"and {len(lines) - _MOST_RUNGS} more, which --json has"]
    return [ItemList(lines, title=title, tone="warn")]


def _answers(run: RunReport) -> Iterator[Section]:
    if run.nlu:
        found = [(_of(item.prompt, item.model), *row) for item in run.nlu.summaries for row in figures(item)]
        confused = [(_of(item.prompt, item.model), list(labels(item))) for item in run.nlu.summaries]
        lists = [ItemList(lines, title=of) for of, lines in confused if lines]
        tests = [Text(compared(item), "" if item.stands else "quiet") for item in run.nlu.comparisons]
        yield Section([_measured(found), *lists, *tests], title="intents and slots")
    if run.qa:
        found = [(_of(item.prompt, item.model), *row) for item in run.qa.summaries for row in qa_figures(item)]
        yield Section([_measured(found)], title="questions and answers")


def _of(prompt: str, model: str) -> str:
    return f"{prompt} on {model}" if prompt else model


def _measured(rows: Sequence[Sequence[str]]) -> TableBlock:
    heads = ("prompt", "", "value (95 % interval)", "of")
    return TableBlock([TableColumn(head, numeric=False) for head in heads], rows, label="Figures", grouped=True)


def _latency(rows: Sequence[Row]) -> Iterator[Block]:
    rows = [row for row in rows if row.timed]
    if not rows:
        return
    columns = {
        TableColumn("n", drop=1): [str(row.timed) for row in rows],
        TableColumn("p50"): [duration(row.p50_ms) for row in rows],
        TableColumn("p90", drop=3): [duration(row.p90_ms) for row in rows],
        TableColumn("p99"): [tail(row.p99_ms, few=row.few) for row in rows],
        TableColumn("σ", drop=2): [duration(row.deviation_ms) for row in rows],
    }
    if any(row.first_byte_p50_ms is not None for row in rows):
        columns[TableColumn("first byte", drop=5)] = [duration(row.first_byte_p50_ms) for row in rows]
    if any((row.queue_p99_ms or 0.0) >= _WAITED for row in rows):
        columns[TableColumn("queue p50", drop=4)] = [duration(row.queue_p50_ms) for row in rows]
        columns[TableColumn("queue p99")] = [tail(row.queue_p99_ms, few=row.few) for row in rows]
    table = _by_model("Latency", "latency", rows, columns, _FEW if any(row.few for row in rows) else "")
    yield replace(table, detail="more")


def _by_tokens(rows: Sequence[Row]) -> Iterator[Section]:
    for row in rows:
        of = " ".join(filter(None, (side_word(row.side), row.prompt, "on", row.model)))
        for kind, buckets in (("input", row.by_input_tokens), ("output", row.by_output_tokens)):
            if len(buckets) > 1:
                title = f"latency by {kind} tokens, {of}"
                yield Section([replace(by_tokens(buckets), detail="verbose")], title=title, tone="quiet")


def by_tokens(buckets: Sequence[TokenTimes], say: Callable[[float | None], str] = duration) -> TableBlock:
    """Return the times of calls by their number of tokens as a table."""
    heads = ("n", "p50", "p90", "p99", "σ")
    return TableBlock(
        [TableColumn("tokens", numeric=False), *map(TableColumn, heads)],
        [
            (
                f"{item.least:,}–{item.most:,}",
                f"{item.calls:,}",
                say(item.p50_ms),
                say(item.p90_ms),
                f"~{say(item.p99_ms)}" if item.few else say(item.p99_ms),
                say(item.deviation_ms),
            )
            for item in buckets
        ],
        label="Latency by tokens",
    )


def _prompt_changes(explored: Explored) -> Iterator[Block]:
    champion = next((prompt for prompt in explored.prompts if prompt.side == "champion"), None)
    for prompt in explored.prompts:
        if champion is None or prompt is champion:
            continue
        lines = list(unified_diff(champion.source.splitlines(), prompt.source.splitlines(), lineterm="", n=3))[2:]
        count = number_of(sum(line[:1] in "+-" for line in lines), "line")
        more = [f"… {len(lines) - _MOST_DIFF_LINES:,} more lines"] if len(lines) > _MOST_DIFF_LINES else []
        label = f"The prompt, from {champion.label} to {prompt.label}: {count}"
        yield CodeBlock("\n".join([*lines[:_MOST_DIFF_LINES], *more]), label=label, language="diff", detail="page")


def _check_changes(run: RunReport) -> Iterator[str]:
    models = dict.fromkeys(change.model for change in run.checks)
    for model in models:
        found = [change for change in run.checks if change.model == model]
        found.sort(key=lambda change: (-change.broken, -change.fixed, change.check))
        parts = [
            f"{change.check} "
            + ", ".join(f"{n} {word}" for n, word in ((change.fixed, "fixed"), (change.broken, "broken")) if n)
            for change in found
        ]
        where = f" on {model}" if len(models) > 1 else ""
        yield f"checks{where}: {' · '.join(parts)}"


def _judges(run: RunReport) -> Iterator[str]:
    for row in run.judges:
        missing = {"without answer": row.without_answer, "without verdict": row.without_verdict}
        lacks = "".join(f", {count} {what}" for what, count in missing.items() if count)
        yield f"judges: {number_of(row.questions, 'call')} to {row.judge}, {money(row.cost)}{lacks}"


def promotion_blocks(moved: Promotion) -> Iterator[Block]:
    """Yield what a moved label means: what changed, why, how to read it, and how to undo it."""
    was = f" (was {moved.prompt}@{moved.previous})" if moved.previous else ""
    now = "already" if moved.already else "now"
    yield Text(f"{moved.prompt}@{moved.version} is {now} {moved.label}{was}", "strong")
    if moved.proof:
        yield Text(f"proof: {moved.proof}", indent=2)
    if moved.returning:
        yield Text(f"fails again: {', '.join(moved.returning)}", indent=2)
    yield from (Text(f"note: {note}", indent=2) for note in moved.notes)
    yield CodeBlock(f"promptbench get {moved.prompt}@{moved.label}", label="read it", indent=2)
    yield CodeBlock(moved.undo, label="undo it", indent=2)
