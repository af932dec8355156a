"""Let a model propose better versions of a prompt, and judge the best ones on cases that no proposal was made from."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import unified_diff
from functools import partial
from importlib.util import find_spec
from itertools import count
from math import ceil, log2
from pathlib import Path

from promptbench.core.canonical import digest
from promptbench.core.errors import Diagnostics, EnvironmentFailure, Exit, InputError
from promptbench.core.events import Listener, RunStarted
from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.engine.plan import Repeats, estimates
from promptbench.engine.prepare.assemble import ModelConnector
from promptbench.engine.prepare.options import ComparedVersions, Selection, StoredPrompt
from promptbench.engine.prepare.prepared_suite import PreparedJudge, PreparedSuite
from promptbench.gate.attempt_matrix import AttemptCell, AttemptMatrix
from promptbench.gate.case_outcomes import CaseOutcome, discordant
from promptbench.gate.judge import ModelVerdict, Result, Verdict
from promptbench.gate.power import PowerForecast
from promptbench.gate.trial import level
from promptbench.project import Project, input_error
from promptbench.report.document import CodeBlock, Document, Report, Section, TableBlock, TableColumn, Text
from promptbench.stats.exact import binomial_at_most, holm_levels
from promptbench.store.runs import RunStore
from promptbench.workflows.judge import execute as judging
from promptbench.workflows.judge.ablate import write_version
from promptbench.workflows.judge.budgets import Spending, describe_estimate
from promptbench.workflows.judge.compare import version_to_run
from promptbench.workflows.judge.looks import champions_since_fix
from promptbench.workflows.judge.recorded_calls import RecordedCalls
from promptbench.workflows.judge.suggest_search import PromptSearch, TriedVersion, shortlist

# With fewer held-out cases that can be fixed, fixes of half of them prove nothing about new cases.
_FEWEST_TARGETS, _MOST_JUDGED = 12, 3
_LUCK = "INCONCLUSIVE: so few fixes may be luck; more failing cases decide"

# The use of held-out cases from which on new ones are recommended.
_WORN, _WEAR = 3, "use {} of the held-out cases: new ones from the log prove more (`promptbench capture`)"


def split(prepared: PreparedSuite) -> tuple[list[str], list[str]]:
    """Return the cases to propose from and those held out, by a hash of their cluster: a case stays on its side.

    Critical cases are on both sides: they are kept, and nothing is learned from them. Quarantined ones are on neither.
    Conversations and cases with results of tools are only held out, because a proposal is tried with one call a case.
    """
    sides: tuple[list[str], list[str]] = ([], [])
    for info in judging.case_infos(prepared):
        several = bool(prepared.cases[info.name].turns or prepared.cases[info.name].tools)
        own = several or int(digest([info.cluster, "" if info.cluster else info.name])[-1], 16) % 2
        for number in (0, 1) if info.critical and not several else (own,):
            sides[number].extend([] if info.review_by else [info.name])
    return sides


def judge_use(verdicts: Sequence[Verdict], use: int) -> list[tuple[Verdict, float, float]]:
    """Return the verdicts on held-out cases, each with the p of its fixes and the level that it must not exceed.

    Use m of the cases has the level 0.05 · 6 / (π² m²), by Holm's procedure among the verdicts. A deterministic model
    answers once, so what its fixes prove about new cases is the sign test over clusters (one-sided and exact); on any
    other model p is that of the gate. A PASS above its level becomes INCONCLUSIVE.
    """
    targets = [[it for it in verdict.models if any(case.target for case in it.cases)] for verdict in verdicts]
    p_values = [max(map(_p_of_fixes, models), default=1.0) for models in targets]
    passed = [p if it.result is Result.PASS else 1.0 for it, p in zip(verdicts, p_values, strict=True)]
    found = []
    for verdict, p, bound in zip(verdicts, p_values, holm_levels(passed, level(use)), strict=True):
        lucky = verdict.result is Result.PASS and p > bound
        counted = judging.undecided(verdict, Result.INCONCLUSIVE, _LUCK) if lucky else verdict
        found.append((counted, p, min([bound, *(it.trial.level() for it in verdict.models if it.trial)])))
    return found


def _p_of_fixes(model: ModelVerdict) -> float:
    better, worse = discordant(model.cases)
    return model.trial.p_fixed if model.trial else binomial_at_most(worse, better + worse, 0.5)


def suggest(
    project: Project,
    suite: Path,
    by: str,
    *,
    prompt: Path | None = None,
    proposals: int = 10,
    growth: float = 1.5,
    spending: Spending | None = None,
    dry_run: bool = False,
    listen: Listener = lambda _: None,
) -> dict[str, Json]:
    """Search for better versions of a prompt on one half of a suite's cases, and judge the best on the other half.

    Return what `--json` prints. The gap of a version is its gain on the cases that it was made from, minus that on the
    others, as shares of each: a large one is overfit.

    Versions that do not fail are written next to the prompt. Nothing is promoted.

    Args:
        by: the model that writes proposals.
        prompt: the file to start from, instead of the version in production.
        growth: how many times as long as that a version may be.

    Raises:
        InputError: a file or an option is invalid.
        EnvironmentFailure: a budget or an outage ends the calls before a verdict.
        Interrupted: the user stops. In both cases the answers until then are on record.
    """
    spending, path = spending or Spending(), project.suite_file(suite)
    words = [
        "suggest",
        project.shown(path.parent),
        "--by",
        by,
        "--proposals",
        str(proposals),
        "--growth",
        f"{growth:g}",
    ]
    command = shlex.join(["promptbench", *words, *(["--prompt", prompt.as_posix()] if prompt else [])])
    with project.prompts() as store, project.recordings() if dry_run else project.runs() as runs:
        version = version_to_run(project, store, runs, path, prompt)
        seed = StoredPrompt(version.label, version.source)

        def assemble(*versions: StoredPrompt) -> tuple[PreparedSuite, Diagnostics]:
            compared = ComparedVersions(version.prompt, seed, versions)
            [prepared], found = project.assemble(Selection((path,)), store=store, runs=runs, compared=compared)
            return prepared, found

        prepared, found = assemble(seed)
        prepared.require_one_prompt("suggest")
        options = project.prepare_options(Selection(models=(by,)), store, runs)
        writers = ModelConnector(prepared.suite, options, found).connect(())
        if not writers:
            raise input_error(found)
        # The writer is limited and priced like a judge.
        called = replace(prepared, judges={**prepared.judges, by: PreparedJudge(writers[0], frozenset())})
        spending.check(project, [called])
        names, held = split(prepared)
        earlier = runs.looks().held_out_uses(prepared.suite.name, held) if runs else []
        data: dict[str, Json] = {
            "schema_version": 1,
            "suite": prepared.suite.name,
            "prompt": version.label,
            "by": by,
            "command": command,
            "made_from": len(names),
            "held_out": len(held),
            "use": 1 + len(earlier),
            "result": None,
            "sentence": "nothing was called",
        }
        few = partial(_too_few, prepared, held, 1 + len(earlier))
        if why := few(_may_fail(prepared, held, runs) if names else 0):
            return _ended(data, Result.INCONCLUSIVE, why)
        if dry_run or runs is None:
            return {**data, "calls": [*_calls(project, called, names), f"up to {proposals:,} calls to {by}"]}
        if find_spec("gepa") is None:
            raise InputError("suggest needs the package gepa", hint="pip install 'promptbench-gate[suggest]'")
        budgets = spending.budgets(spending.budget(), prepared)
        listen(RunStarted("", f"{prepared.suite.name}: proposals", 0, 0))
        with RecordedCalls(project, called, runs, spending, listen, budgets) as calls:
            search = PromptSearch(_part(prepared, names), assemble, writers[0].ref, calls, growth, len(earlier), listen)
            first = search.first(names)
            failing = sum(1 - first.scores[name] for name in names if name not in prepared.cases.critical)
            why = few(ceil(failing / len(names) * len(held)))
            versions = [] if why else shortlist(search.run(first, proposals))
        data |= {"proposals": search.made, "discarded": dict(search.discarded), "suggestions": []}
        if not versions:
            none = f"no proposal passes more than {seed.label} of the {number_of(len(names), 'case')} to propose from"
            return _ended(data, Result.INCONCLUSIVE if why else Result.FAIL, why or none)
        judged, _ = assemble(*(StoredPrompt(it.version.label, it.version.prompt.source) for it in versions))
        since = champions_since_fix(store, prepared) if version.stored else [version.hash]
        done = judging.execute(
            project,
            _part(judged, held),
            runs,
            listen,
            command=command,
            selection={"suggested": [by]},
            budgets=budgets,
            champions=[*since, *earlier],
        )
        if done.verdict.result is Result.NO_VERDICT:
            raise EnvironmentFailure(done.verdict.sentence, hint=f"`{command}` resumes it")
        folder = (prompt or path.parent / prepared.suite.prompts[0]).parent
        rows = [_row(*item, first, versions, data, folder) for item in judge_use(done.verdicts, data["use"])]
        best = min(rows, key=lambda row: row["result"] != Result.PASS.value)
        data |= {"run": done.info.id, "suggestions": rows, "result": best["result"], "sentence": best["sentence"]}
        runs.looks().use_held_out(done.info.id, prepared.suite.name, version.hash, held)
        return data


def _part(prepared: PreparedSuite, names: Sequence[str]) -> PreparedSuite:
    # With another hash, so that no run of the whole suite resumes its run.
    hashed = digest([prepared.suite_hash, *names])
    return replace(prepared, cases=prepared.cases.only(names), suite_hash=hashed, partial=True)


def _ended(data: Mapping[str, Json], result: Result, why: str) -> dict[str, Json]:
    return {**data, "result": result.value, "sentence": f"{result.value}: {why}"}


def _may_fail(prepared: PreparedSuite, held: Sequence[str], runs: RunStore | None) -> int:
    """Return how many held-out cases the present version is not known to pass, by its newest run; no critical ones."""
    version, models = prepared.candidates[0].hash, [model.name for model in prepared.models if model.gated]
    found = runs.cases().runs_with([version]) if runs else []
    newest = next((run for run, suite in found if suite == prepared.suite.name), "")
    table = AttemptMatrix.of(runs.outcomes(newest) if runs else (), {})
    cells = {name: [table.cell(version, model, name) for model in models] for name in held}
    # A model that a case is not for has no tries.
    passed = {name for name, its in cells.items() if any(it.total for it in its) and not any(map(_fails, its))}
    return len({*held} - passed - prepared.cases.critical)


def _fails(cell: AttemptCell) -> bool:
    return 0 < cell.total >= 2 * cell.passes


def _too_few(prepared: PreparedSuite, held: Sequence[str], use: int, failing: int) -> str | None:
    """Return why the held-out cases can prove nothing if at most `failing` of them fail; None if they can."""
    needed = max(_FEWEST_TARGETS, ceil(-log2(level(use) / _MOST_JUDGED)))
    if failing < needed:
        which = f"at most {failing} of {number_of(len(held), 'held-out case')} can be fixed"
        return f"{which}, and use {use} of them needs {needed}; add failing cases (`promptbench capture`)"
    deterministic = all(model.deterministic for model in judging.gated_models(prepared))
    tagged = {tag: len(names & {*held}) for tag, names in prepared.cases.tagged.items()}
    power = PowerForecast.of(len(held), judging.policy_of(prepared), deterministic=deterministic, tagged=tagged)
    return next((line for it in power.margins if it.missing for line in it.lines(power.passing)), None)


def _calls(project: Project, called: PreparedSuite, names: Sequence[str]) -> Iterator[str]:
    """Yield the calls that each version takes on the cases to propose from, by model."""
    models = tuple(model for model in called.models if model.gated)
    part = replace(_part(called, names), models=models, confirmed=dict.fromkeys((it.name for it in models), True))
    for name, each in estimates(part, Repeats(1), judging.prices_of(project, called.reachable).of_tokens).items():
        yield f"{number_of(each.calls, 'call')} to {name} for each version{describe_estimate(each)}"


def _row(
    verdict: Verdict,
    p: float,
    bound: float,
    first: TriedVersion,
    versions: Sequence[TriedVersion],
    data: Mapping[str, Json],
    folder: Path,
) -> dict[str, Json]:
    """Return the figures of a version that was judged; it is written to a file unless it fails."""
    tried = next(item for item in versions if item.version.hash == verdict.candidate)
    names = (f"{tried.version.prompt.name}.suggested-{number}" for number in count(1))
    failed = verdict.result is Result.FAIL
    file = None if failed else write_version(folder, names, tried.version.prompt.source).name
    fixed, broken = (sum(it.count(of) for it in verdict.models) for of in (CaseOutcome.FIXED, CaseOutcome.BROKEN))
    gain, name = tried.passes - first.passes, file or tried.version.label
    old, new = (it.version.prompt.source.splitlines() for it in (first, tried))
    return {
        "name": name,
        "hash": tried.version.hash,
        "file": file,
        "gain": gain,
        "fixed": fixed,
        "broken": broken,
        "gap": gain / data["made_from"] - (fixed - broken) / len(verdict.models) / data["held_out"],
        "p": p,
        "level": bound,
        "result": verdict.result.value,
        "sentence": f"on the {data['made_from']} cases it was made from {gain:+g}; on {data['held_out']} it never saw "
        f"+{fixed} −{broken}, p = {p:.2g} (use {data['use']} of these cases: at most {bound:.2g}): "
        f"{'PASS' if verdict.result is Result.PASS else verdict.sentence}",
        "source": tried.version.prompt.source,
        "diff": "\n".join(unified_diff(old, new, first.version.label, name, lineterm="")),
    }


def suggest_report(data: Mapping[str, Json]) -> Report:
    """Return the report on what `suggest` returned."""
    rows, result = data.get("suggestions", ()), data["result"]
    lost = ", ".join(f"{number} {cause}" for cause, number in data.get("discarded", {}).items())
    lines = [
        f"made from {number_of(data['made_from'], 'case')}, {data['held_out']} held out",
        *data.get("calls", ()),
        f"{number_of(data['proposals'], 'proposal')}; not tried: {lost or 'none'}" if "proposals" in data else "",
        _WEAR.format(data["use"]) if data["use"] >= _WORN else "",
        "read a file, then `promptbench run SUITE --prompt FILE` judges it on all cases" if rows else "",
    ]
    heads = [TableColumn(head, numeric=False) for head in ("suggestion", "result")]
    table = TableBlock(
        [*heads, *map(TableColumn, ("made from", "held out", "gap", "p"))],
        [
            (
                row["name"],
                row["result"],
                f"{row['gain']:+g}",
                f"+{row['fixed']} −{row['broken']}",
                f"{row['gap'] * 100:+.0f} points".replace("-", "−"),
                f"{row['p']:.2g}",
            )
            for row in rows
        ],
        label="Suggestions",
    )
    diffs = [Section([CodeBlock(row["diff"], language="diff")], title=row["name"]) for row in rows]
    sections = [Section([*map(Text, filter(None, lines)), *([table] if rows else [])]), *diffs]
    title = f"{data['suite']}: better versions of {data['prompt']}, proposed by {data['by']}"
    document, code = Document(title, sections, data["sentence"]), Result(result).exit if result else Exit.YES
    return Report(data["suite"], document, lambda: dict(data), code, result or "", command=data["command"])
