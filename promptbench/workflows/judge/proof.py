"""The evidence of a verdict, and what a verdict must cover to be able to promote."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from promptbench import __version__
from promptbench.core.clock import now
from promptbench.core.errors import InputError
from promptbench.core.types import Json
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gate.evidence import SuiteProof, evidence
from promptbench.gate.judge import Result
from promptbench.parsing.ladder import LADDER
from promptbench.project import PRODUCTION, Project
from promptbench.prompts.chain import unverified
from promptbench.prompts.parser import prompt_name
from promptbench.report.model import RunReport
from promptbench.store.prompts import Store
from promptbench.store.runs import RunStore
from promptbench.workflows.judge.budgets import is_same
from promptbench.workflows.judge.execute import JudgedRun, case_infos, gated_models, policy_of
from promptbench.workflows.judge.run_tally import judge_rows

# The prompt files that `run --prompt` named: where `promote --evidence` finds the text that was judged.
PROMPT_FILES = "prompt_files"


def prove(project: Project, runs: RunStore, parts: Sequence[JudgedRun]) -> dict[str, Json]:
    """Return the evidence of one or several suites about the same candidate."""
    proofs = []
    for part in parts:
        prepared, run, facts = part.prepared, part.info.id, part.info.facts
        returned: dict[str, set[str]] = {}
        for attempt in runs.attempts(run):
            if attempt.answer is not None and attempt.fallback is None:
                returned.setdefault(attempt.key.model, set()).add(attempt.answer.model)
        judges: dict[str, Json] = {}
        if prepared.judged_checks:
            # A judged check is identified by the hash of its judges, prompt and criterion.
            judges["checks"] = [
                {"check": item.identity, "criterion": item.criterion, "counts": item.counts, "standing": item.standing}
                for item in prepared.judged_checks
            ]
            judges["returned"] = {row.judge: list(row.returned) for row in judge_rows(runs.judgings(run))}
        proof = SuiteProof(
            suite=prepared.suite.name,
            path=project.shown(prepared.suite.path),
            run=run,
            suite_hash=prepared.suite_hash,
            checks_hash=prepared.checks_hash,
            policy=policy_of(prepared),
            models=gated_models(prepared),
            cases=case_infos(prepared),
            verdict=part.verdict,
            returned_models={model: sorted(names) for model, names in returned.items()},
            judges=judges,
            ladder=str(facts.get("ladder", LADDER)),
            repairs=facts.get("repairs", {}),
            prices=facts.get("prices", {}),
            record=part.record,
            skipped=prepared.cases.skipped,
        )
        proofs.append((proof, runs.attempts(run)))
    found = evidence(parts[0].prepared.prompt_name, proofs, tool=f"promptbench {__version__}", made=now())
    for variant in parts[0].prepared.variants:
        if reported := unverified(variant.prompt.content):
            found.setdefault("unverified", {})[variant.hash] = reported.strip(" ()")
    files = parts[0].info.facts["selection"].get("prompt", ())
    return {**found, PROMPT_FILES: list(files)} if files else found


def attach_proofs(
    project: Project, runs: RunStore, judged: Sequence[JudgedRun], reports: Sequence[RunReport]
) -> list[RunReport]:
    """Return the reports with their evidence; several suites about one prompt share it in the last report."""
    found = list(reports)
    for prompt, parts in by_prompt(judged).items():
        if all(part.verdict.result is not Result.NO_VERDICT for part in parts):
            last = max(index for index, report in enumerate(found) if report.prompt == prompt)
            found[last] = replace(found[last], proof=prove(project, runs, parts))
    return found


def add_promotions(
    project: Project, store: Store, runs: RunStore, judged: Sequence[JudgedRun], reports: Sequence[RunReport]
) -> list[RunReport]:
    """Return the reports, the last one about each prompt with the command that promotes what passed."""
    found = list(reports)
    for prompt, parts in by_prompt(judged).items():
        if command := _promotion_command(project, store, runs, parts):
            last = max(index for index, report in enumerate(found) if report.prompt == prompt)
            found[last] = replace(found[last], promote=command)
    return found


def _promotion_command(project: Project, store: Store, runs: RunStore, parts: Sequence[JudgedRun]) -> str:
    """Return the command that moves `production` to what passed in all `parts`; empty if there is none."""
    verdict, name = parts[0].verdict, parts[0].prepared.prompt_name
    held = store.labels(name).get(PRODUCTION) if name in store.prompts() else None
    is_open = (held.hash if held else None) == verdict.champion != verdict.candidate
    passed = {part.verdict.candidate if part.verdict.result is Result.PASS else None for part in parts}
    if not is_open or passed != {verdict.candidate} or any(part.info.facts["partial"] for part in parts):
        return ""
    suites = [part.prepared.suite.path for part in parts]
    suites += other_suites(project, name, suites)
    if len(suites) > 1:
        # One run is not enough for a prompt that several suites test.
        files = [word for file in parts[0].info.facts["selection"].get("prompt", ()) for word in ("--prompt", file)]
        folders = [project.shown(path.parent) for path in suites]
        return shlex.join(["promptbench", "run", *folders, *files, "--promote"])
    run = parts[0].info.id
    return shlex.join(["promptbench", "promote", name, *([] if runs.latest(name) == run else ["--run", run])])


def by_prompt(judged: Sequence[JudgedRun]) -> dict[str, list[JudgedRun]]:
    """Return the runs by the prompt that they are about."""
    found: dict[str, list[JudgedRun]] = {}
    for part in judged:
        found.setdefault(part.prepared.prompt_name, []).append(part)
    return found


def check_promotable(project: Project, prepared_suites: Sequence[PreparedSuite]) -> None:
    """Raise InputError if a PASS of these suites could not promote: a part is missing, of a suite or of all suites."""
    for prepared in prepared_suites:
        if prepared.shard is not None:
            raise InputError(
                f"a shard of the suite '{prepared.suite.name}' proves nothing about the rest of it",
                hint=f"merge the shards, then promote the run: promptbench promote {prepared.prompt_name}",
            )
        if prepared.partial:
            raise InputError(
                f"a part of the suite '{prepared.suite.name}' proves nothing about the rest of it",
                hint="promote without --case, --tag and --model",
            )
        # The production version is not promoted, so it needs no other suite.
        if not is_same(prepared):
            name = prepared.prompt_name
            covered = [item.suite.path for item in prepared_suites if item.prompt_name == name]
            check_all_suites(project, name, covered)


def check_all_suites(project: Project, prompt: str, covered: Sequence[Path]) -> None:
    """Raise InputError if a suite of the project tests the prompt and is not one of `covered`."""
    for path in other_suites(project, prompt, covered):
        raise InputError(
            f"the suite {project.shown(path)} tests '{prompt}' too, so it must also pass",
            hint="name both: promptbench run " + " ".join(project.shown(item.parent) for item in (*covered, path)),
        )


def other_suites(project: Project, prompt: str, covered: Sequence[Path]) -> Iterator[Path]:
    """Yield the suites of the project that test a prompt and are not `covered`."""
    for suite in project.suites({path.resolve() for path in covered}):
        tested = [suite.chain] if suite.steps else map(prompt_name, suite.prompts)
        if prompt in tested:
            yield suite.path
