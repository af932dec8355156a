"""Measure what each part of a prompt is worth, and propose the shortest prompt that is not worse.

The prompt runs next to itself without each part, in one run, and each pair is judged as `compare` does it: is the
prompt without the part worse? The parts that it is not worse without are then left out together. That prompt is judged
once against the whole one in a run of its own, because the answers of the first run chose its parts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

from promptbench.core.errors import InputError
from promptbench.core.events import Listener
from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.engine.prepare.options import ComparedVersions, Selection, StoredPrompt
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gate.candidates import smallest_level
from promptbench.gate.judge import Result
from promptbench.project import Project
from promptbench.prompts.parser import SUFFIXES, prompt_name
from promptbench.prompts.parts import KINDS, Kind, PromptPart, find_parts, shorten
from promptbench.prompts.prompt import Prompt
from promptbench.report.document import CodeBlock, Document, Report, Section, TableBlock, TableColumn, Text
from promptbench.report.words import duration, excerpt, money
from promptbench.stats.exact import holm_levels
from promptbench.store.prompts import Store
from promptbench.store.runs import RunStore
from promptbench.workflows.judge.budgets import Spending, estimate_calls
from promptbench.workflows.judge.compare import ComparisonPlan, assemble_versions, live_report
from promptbench.workflows.judge.comparison_sides import Pairing
from promptbench.workflows.judge.execute import JudgedRun, execute
from promptbench.workflows.judge.proof import other_suites

# What the prompt is without a part; unclear if neither is proven.
_WITHOUT = {Result.PASS: "not worse", Result.FAIL: "worse"}
_TEXT = 30  # The columns that a part's text takes.


def open_target(
    project: Project, store: Store, runs: RunStore | None, path: Path, selection: Selection, by: Kind | None
) -> tuple[Path, Prompt, list[PromptPart]]:
    """Return the suite, the prompt and its parts; `path` is a prompt file, or the suite.

    Raises:
        InputError: there is not one suite with one prompt, or the prompt has no parts of this kind.
    """
    is_prompt = path.suffix.lower() in SUFFIXES and path.is_file()
    suites = tuple(other_suites(project, prompt_name(path.name), ())) if is_prompt else (path,)
    if not suites:
        raise InputError(
            f"no suite tests the prompt of {path.as_posix()}", hint="name one: `promptbench ablate SUITE --prompt FILE`"
        )
    (prepared, *others), _ = project.assemble(
        replace(selection, paths=suites, prompts=(path,) if is_prompt else selection.prompts), store=store, runs=runs
    )
    if others or len(prepared.candidates) > 1:
        raise InputError(
            f"there are several {'suites' if others else 'prompts'} for {path.as_posix()}",
            hint="name one: `promptbench ablate SUITE --prompt FILE`",
        )
    prepared.require_one_prompt("ablate")
    prompt = prepared.candidates[0].prompt
    for kind in (by,) if by else KINDS:
        if parts := find_parts(prompt, kind):
            return prepared.suite.path, prompt, parts
    raise InputError(
        f"{prompt.file} has no {by or 'part'} that can be left out",
        hint="another kind: --by example, section or sentence; `promptbench docs ablate` has the rules",
    )


def prepare(
    project: Project,
    store: Store,
    runs: RunStore | None,
    selection: Selection,
    suite: Path,
    prompt: Prompt,
    left_out: Sequence[Sequence[PromptPart]],
) -> PreparedSuite:
    """Return the suite with the whole prompt in production's place, and the prompt without some parts as candidates."""
    label = Path(prompt.file).name.removesuffix(".prompt")
    found = ((_names(parts), shorten(prompt, parts)) for parts in left_out)
    texts = tuple(StoredPrompt(f"{label} without {names}", short.source) for names, short in found if short)
    compared = ComparedVersions(prompt.name, StoredPrompt(label, prompt.source), texts)
    return assemble_versions(project, store, runs, replace(selection, prompts=()), suite, compared)


def plan_ablation(project: Project, path: Path, selection: Selection, by: Kind | None) -> list[ComparisonPlan]:
    """Return what `ablate` would call in the first round: without each part, then at most for the shorter prompt."""
    plans = []
    with project.prompts() as store, project.recordings() as runs:
        suite, prompt, parts = open_target(project, store, runs, path, selection, by)
        for what, tried in ((_names(parts), parts), ("all that it does not need, at most", parts[:1])):
            one = prepare(project, store, runs, selection, suite, prompt, [[part] for part in tried])
            expected, file = estimate_calls(project, one), Path(prompt.file).name
            plans.append(ComparisonPlan(one.suite.name, f"without {what},", file, len(one.cases), expected))
    return plans


def ablate(
    project: Project,
    path: Path,
    selection: Selection,
    by: Kind | None = None,
    *,
    command: str,
    spending: Spending,
    listen: Listener = lambda _: None,
) -> Report:
    """Judge a prompt without each of its parts, then without all that it does not need. If that passes, write it.

    `command` repeats it, and resumes it wherever it was interrupted.

    Raises:
        InputError: as for `open_target`, or a cost limit cannot be kept.
        Interrupted: the user stops it.
    """
    with project.prompts() as store, project.runs() as runs:
        suite, prompt, parts = open_target(project, store, runs, path, selection, by)
        versions = partial(prepare, project, store, runs, selection, suite, prompt)
        prepared = versions([[part] for part in parts])
        spending.check(project, [prepared])
        run = partial(
            execute,
            project,
            runs=runs,
            listen=listen,
            command=command,
            selection={"prompt": [], **selection.flags, "compared": [prompt.file]},
            budgets=spending.budgets(spending.budget(), prepared),
        )
        holm = smallest_level(len(prepared.candidates))
        pairings = [Pairing.of(prepared, candidate, holm) for candidate in prepared.candidates]
        # Open until the shorter prompt is judged, so that the same command finds these answers again.
        done = run(prepared=prepared, pairings=pairings, ends=False)
        rows = list(_worths(runs, parts, done, pairings))
        verdict = next((item for item in done.verdicts if item.result is Result.NO_VERDICT), None)
        left_out = [] if verdict else _not_needed(prompt, parts, rows)
        if left_out:
            prepared = versions([left_out])
            pairing = Pairing.of(prepared, prepared.candidates[0])
            judged = run(prepared=prepared, pairings=[pairing])
            verdict = judged.verdict
            rows += _on_models(runs, PromptPart("together", _names(left_out), 0, 0), verdict.result, judged, pairing)
        result = verdict.result if verdict else Result.PASS
        data: dict[str, Json] = {
            "suite": project.shown(prepared.suite.folder),
            "prompt": prompt.file,
            "run": done.info.id,
            "cases": len(prepared.cases),
            "parts": rows,
            "left_out": [part.name for part in left_out],
            "result": result.value,
            "sentence": verdict.sentence if verdict else "PASS: nothing to leave out; the prompt may need each part",
            "file": None,
        }
        if left_out and result is Result.PASS:
            folder, source = (project.settings.root / prompt.file).parent, prepared.candidates[0].prompt.source
            names = (f"{prompt.name}.shorter{'' if n == 1 else f'-{n}'}" for n in count(1))
            data["file"] = project.shown(write_version(folder, names, source))
        if result is not Result.NO_VERDICT:
            runs.finish(done.info.id, result.value, data["sentence"])
        return _report(data, result, prompt.name, command)


def _names(parts: Sequence[PromptPart]) -> str:
    return ", ".join(part.name for part in parts)


def _worths(
    runs: RunStore, parts: Sequence[PromptPart], done: JudgedRun, pairings: Sequence[Pairing]
) -> Iterator[dict[str, Json]]:
    """Yield the worth of each part on each model. Holm's procedure divides the level of a loss among the parts."""
    p = [min(1.0, len(it.models) * min(model.p_worse for model in it.models)) for it in done.verdicts]
    for part, verdict, pairing, own, level in zip(parts, done.verdicts, pairings, p, holm_levels(p), strict=True):
        proven = verdict.result is Result.PASS or own <= level
        result = verdict.result if proven else Result.INCONCLUSIVE
        yield from _on_models(runs, part, result, replace(done, verdicts=(verdict,)), pairing)


def _on_models(
    runs: RunStore, part: PromptPart, result: Result, done: JudgedRun, pairing: Pairing
) -> Iterator[dict[str, Json]]:
    """Yield what a part is worth on each model: figures of the whole prompt minus those of the prompt without it.

    `gained` are the passes of the first round that only the whole prompt has, `lost` those that only the other one has.
    Input tokens and the median milliseconds are per call, US dollars per 1,000 calls; None if unknown.
    """
    rows = iter(live_report(runs, pairing, done, "").rows)
    for model, whole, short in zip(done.verdict.models, rows, rows, strict=True):
        screen = 1 if model.deterministic else pairing.policy.repeats
        passes = [it.champion.first(screen).passes - it.candidate.first(screen).passes for it in model.cases]
        yield {
            "part": part.name,
            "text": part.text,
            "model": model.model,
            "without_it": _WITHOUT.get(result, "unclear"),
            "gained": sum(max(0, more) for more in passes),
            "lost": sum(max(0, -more) for more in passes),
            "input_tokens": _minus(whole.mean_input_tokens, short.mean_input_tokens),
            "cost_per_1000": _minus(whole.cost_per_1000, short.cost_per_1000),
            "p50_ms": _minus(whole.p50_ms, short.p50_ms),
            "sentence": model.sentence,
        }


def _minus(whole: float | None, short: float | None) -> float | None:
    return None if whole is None or short is None else whole - short


def _not_needed(prompt: Prompt, parts: Sequence[PromptPart], rows: Sequence[Mapping[str, Json]]) -> list[PromptPart]:
    """Return the parts to leave out, as many as the prompt is valid without, the least useful first."""
    net = {part.name: sum(it["gained"] - it["lost"] for it in rows if it["part"] == part.name) for part in parts}
    free = {it["part"] for it in rows if it["without_it"] == _WITHOUT[Result.PASS]}
    chosen: list[PromptPart] = []
    for part in sorted(parts, key=lambda part: net[part.name]):
        if part.name in free and shorten(prompt, [*chosen, part]):
            chosen.append(part)
    return sorted(chosen, key=lambda part: part.start)


def write_version(folder: Path, names: Iterable[str], source: str) -> Path:
    """Write a version under the first name that is free, unless it is there already, and return the file.

    Raises:
        InputError: it cannot be written.
    """
    paths = (folder / f"{name}.prompt" for name in names)
    path = next(path for path in paths if not path.exists() or path.read_text(encoding="utf-8") == source)
    try:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write("" if file.tell() else source)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    return path


def _report(data: Mapping[str, Json], result: Result, prompt: str, command: str) -> Report:
    rows, suite, file = data["parts"], data["suite"], data["file"]
    columns = {
        TableColumn("part", numeric=False): [row["part"] for row in rows],
        TableColumn("text", numeric=False, drop=2): [excerpt(row["text"], _TEXT) for row in rows],
        TableColumn("model", numeric=False): [row["model"] for row in rows],
        TableColumn("without it", numeric=False): [row["without_it"] for row in rows],
        TableColumn("passes"): [f"+{row['gained']} −{row['lost']}" for row in rows],
        TableColumn("tokens"): [_signed(row["input_tokens"], "{:.0f}".format) for row in rows],
        TableColumn("$/1,000"): [_signed(row["cost_per_1000"], money) for row in rows],
        TableColumn("p50", drop=1): [_signed(row["p50_ms"], duration) for row in rows],
    }
    several = len({row["model"] for row in rows}) > 1
    columns = {column: cells for column, cells in columns.items() if several or column.head != "model"}
    note = "passes: those that only the whole prompt has, and those that only the other one has"
    table = TableBlock(list(columns), list(zip(*columns.values(), strict=True)), note=note)
    again = CodeBlock(f"promptbench run {suite} --prompt {file}", label="judge it against production")
    document = Document(
        title=f"{data['prompt']} without each of its parts, {number_of(data['cases'], 'case')} of {suite}",
        facts={"run": data["run"]},
        sections=[
            Section([table, *(Text(f"{row['part']}: {row['sentence']}", detail="verbose") for row in rows)]),
            Section([Text(f"wrote {file}"), again] if file else []),
        ],
        verdict=data["sentence"],
    )
    return Report(
        name=Path(suite).name,
        document=document,
        data=lambda: {"ablation": dict(data)},
        exit=result.exit,
        result=result.value,
        run=data["run"],
        path=suite,
        prompt=prompt,
        command=command,
    )


def _signed(number: float | None, form: Callable[[float], str]) -> str:
    """Format what a part costs, with a minus if the prompt costs more without it."""
    return "–" if number is None else f"{'−' if number < 0 else ''}{form(abs(number))}"
