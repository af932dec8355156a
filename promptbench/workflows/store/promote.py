"""Promote: move a label on proof, from a run on record, a file of evidence, or another label's evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from promptbench import __version__
from promptbench.core.clock import now
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import ConflictError, InputError
from promptbench.core.types import Json, Side
from promptbench.engine.prepare.prepared_suite import Bench
from promptbench.gate.evidence import SuiteProof, evidence, rejudge
from promptbench.gate.judge import Result
from promptbench.parsing.ladder import LADDER
from promptbench.project import PRODUCTION, Selection, Workspace
from promptbench.prompts.parser import prompt_name
from promptbench.report.model import Promotion, RunReport
from promptbench.store.prompts import NotProven, Store
from promptbench.store.proof import proof_of
from promptbench.store.runs import RunStore
from promptbench.suite.loader import load as load_suite
from promptbench.workflows.judge.affected_by import names_check
from promptbench.workflows.judge.execute import (
    Finished,
    case_infos,
    gated_models,
    judge_all,
    policy_of,
    prices_of,
    table_of,
)
from promptbench.workflows.judge.figures.judges import what_judges
from promptbench.workflows.store.labels import Who, actor_of, described


def promote(
    workspace: Workspace,
    prompt: str,
    *,
    run: str | None = None,
    evidence: Path | None = None,
    source: str | None = None,
    label: str,
    who: Who,
) -> Promotion:
    """Move a label on proof: a run on record (by default the newest that may prove something), a file of `evidence`, or
    the evidence of the version that `source`, another label, holds.

    Raises:
        NotProven: the verdict is not PASS, or the version has no evidence.
        ConflictError: the evidence is stale.
    """
    with workspace.prompts() as store, workspace.runs() as runs:
        if evidence is not None:
            return _promote_evidence(workspace, store, runs, prompt, evidence, label, who)
        if source is not None:
            return _promote_from(workspace, store, runs, f"{prompt}@{source}", label, who)
        return _promote_recorded(workspace, store, runs, prompt, run or runs.latest(prompt), label, who)


def prove(workspace: Workspace, runs: RunStore, parts: Sequence[tuple[Bench, Finished]]) -> dict[str, Json]:
    """Return the evidence of one or several suites about the same candidate."""
    judged = []
    for bench, finished in parts:
        returned: dict[str, set[str]] = {}
        for attempt in runs.attempts(finished.info.id):
            if attempt.answer is not None and attempt.fallback is None:
                returned.setdefault(attempt.key.model, set()).add(attempt.answer.model)
        part = SuiteProof(
            suite=bench.suite.name,
            path=workspace.shown(bench.suite.path),
            run=finished.info.id,
            suite_hash=bench.suite_hash,
            checks_hash=bench.checks_hash,
            policy=policy_of(bench),
            models=gated_models(bench),
            cases=case_infos(bench),
            verdict=finished.verdict,
            returned_models={model: sorted(names) for model, names in returned.items()},
            judges=what_judges(bench, runs.judgings(finished.info.id)),
            ladder=str(finished.info.facts.get("ladder", LADDER)),
            repairs=finished.info.facts.get("repairs", {}),
            prices=finished.info.facts.get("prices", {}),
        )
        judged.append((part, runs.attempts(finished.info.id)))
    return evidence(parts[0][0].prompt_name, judged, tool=f"promptbench {__version__}", made=now())


def proven(
    workspace: Workspace, runs: RunStore, parts: Sequence[tuple[Bench, Finished]], reports: Sequence[RunReport]
) -> list[RunReport]:
    """Return the reports with their evidence; several suites about one prompt share it in the last report."""
    found = list(reports)
    for prompt in dict.fromkeys(bench.prompt_name for bench, _ in parts):
        mine = [part for part in parts if part[0].prompt_name == prompt]
        if all(finished.verdict.result is not Result.NO_VERDICT for _, finished in mine):
            last = max(index for index, report in enumerate(found) if report.prompt == prompt)
            found[last] = replace(found[last], proof=prove(workspace, runs, mine))
    return found


def check_whole(benches: Sequence[Bench]) -> None:
    """Raise InputError if a bench is a part of its suite: it proves nothing about the rest."""
    for bench in benches:
        if bench.shard is not None:
            raise InputError(
                f"a shard of the suite '{bench.suite.name}' proves nothing about the rest of it",
                hint=f"merge the shards, then promote the run: promptbench promote {bench.prompt_name}",
            )
        if bench.partial:
            raise InputError(
                f"a part of the suite '{bench.suite.name}' proves nothing about the rest of it",
                hint="promote without --case, --tag and --model",
            )


def check_all_suites(workspace: Workspace, prompt: str, covered: Sequence[Path]) -> None:
    """Raise InputError if another suite of the project tests the same prompt and was not run."""
    known = {path.resolve() for path in covered}
    for path in sorted((workspace.settings.root / "suites").glob("**/suite.yaml")):
        if path.resolve() in known:
            continue
        suite = load_suite(path, workspace.shown(path), Diagnostics())
        if suite and any(prompt_name(written) == prompt for written in suite.prompts):
            raise InputError(
                f"the suite {workspace.shown(path)} tests '{prompt}' too, so it must also pass",
                hint="name both: promptbench run "
                + " ".join(workspace.shown(item.parent) for item in (*covered, path)),
            )


def promote_run(
    workspace: Workspace, store: Store, runs: RunStore, parts: Sequence[tuple[Bench, Finished]], who: Who
) -> Promotion:
    """Move `production` to the candidate that just passed in all of `parts`."""
    bench, finished = parts[0]
    check_all_suites(workspace, bench.prompt_name, [bench.suite.path for bench, _ in parts])
    source = next(item.prompt.source for item in bench.candidates if item.hash == finished.verdict.candidate)
    return _promote(workspace, store, bench.prompt_name, source, prove(workspace, runs, parts), PRODUCTION, who)


def _promote_recorded(
    workspace: Workspace, store: Store, runs: RunStore, prompt: str, run: str, label: str, who: Who
) -> Promotion:
    info = runs.run(run)
    if info.prompt != prompt:
        raise InputError(f"run {info.id} is about '{info.prompt}', not '{prompt}'")
    if info.facts["selection"].get("compared"):
        hint = "`promptbench run` judges a candidate against production"
        raise InputError(f"run {info.id} is a comparison, which proves nothing for a promotion", hint=hint)
    candidates = [variant.hash for variant in info.variants if variant.side is Side.CANDIDATE]
    champion = next((variant.hash for variant in info.variants if variant.side is Side.CHAMPION), None)
    store.check_not_stale(prompt, label, champion=champion, candidate=candidates[0] if len(candidates) == 1 else None)
    bench = _bench_now(workspace, store, runs, str(info.facts["path"]))
    _check_facts(workspace, bench, info.facts, info.id)
    _check_age(info.started, policy_of(bench).max_age)
    judged = {variant.hash for variant in info.variants}
    if not judged >= {variant.hash for variant in bench.variants}:
        raise _other_prompts(workspace, bench, f"run {info.id}")
    table = table_of(bench, runs, info.id)
    verdicts = judge_all(bench, table, asked_all=info.finished is not None)
    if verdicts[0].result is not Result.PASS:
        refusal = NotProven(f"run {info.id} does not prove it: {verdicts[0].sentence}")
        refusal.exit = verdicts[0].result.exit
        raise refusal
    proof = prove(workspace, runs, [(bench, Finished(info, verdicts, table))])
    moved = _promote_proof(workspace, store, proof, [bench], label, who)
    return replace(moved, proof=f"run {info.id} of suite {info.suite}, {verdicts[0].sentence}")


def _other_prompts(workspace: Workspace, bench: Bench, where: str) -> ConflictError:
    return ConflictError(
        f"stale evidence: {where} judged other prompts than the suite's prompt and what is in production now",
        hint=f"run again: promptbench run {workspace.shown(bench.suite.folder)} --promote",
    )


def _promote_evidence(
    workspace: Workspace, store: Store, runs: RunStore, prompt: str, path: Path, label: str, who: Who
) -> Promotion:
    proof = _read_evidence(path)
    if proof.get("prompt") != prompt:
        raise InputError(f"{path} is about '{proof.get('prompt')}', not '{prompt}'")
    try:
        differences = rejudge(proof)
        suites = [(suite["path"], suite, proof["made"]) for suite in proof["suites"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not evidence of this version: {error}") from None
    if differences:
        raise ConflictError(f"the evidence {path} is inconsistent: {'; '.join(differences)}")
    store.check_not_stale(prompt, label, champion=proof["champion"], candidate=proof["candidate"])
    benches = []
    for suite_path, suite, made in suites:
        bench = _bench_now(workspace, store, runs, suite_path)
        _check_facts(workspace, bench, suite, str(path))
        _check_age(made, policy_of(bench).max_age)
        benches.append(bench)
    moved = _promote_proof(workspace, store, proof, benches, label, who)
    return replace(moved, proof=f"{path}, {proof['verdict']['sentence']}")


def _promote_from(workspace: Workspace, store: Store, runs: RunStore, source: str, label: str, who: Who) -> Promotion:
    # The evidence must hold for the production version and for the suites that exist, as they are now.
    version = store.get(source)
    found = proof_of(store.history(version.prompt), version.hash)
    if found is None:
        raise NotProven(
            f"{version.prompt}@{version.number} has no evidence, so {label} was not moved",
            hint=_renewal(source, "suites"),
        )
    proof = store.evidence(found)
    try:
        differences = rejudge(proof)
    except ValueError as error:
        differences = [str(error)]
    if differences:
        raise ConflictError(
            f"the evidence of {source} is inconsistent: {'; '.join(differences)}",
            hint=_renewal(source, "suites"),
        )
    files = [workspace.settings.root / suite["path"] for suite in proof["suites"]]
    try:
        ages = [float(suite["policy"]["max_age"]) for suite in proof["suites"]]
        for suite, file in zip(proof["suites"], files, strict=True):
            if file.is_file():
                bench = _bench_now(workspace, store, runs, suite["path"])
                _check_facts(workspace, bench, suite, f"the evidence of {source}")
                ages.append(policy_of(bench).max_age)
        _check_age(proof["made"], min(ages))
        check_all_suites(workspace, version.prompt, files)
        moved = _promote(workspace, store, version.prompt, version.source, proof, label, who)
    except ConflictError as error:
        folder = workspace.shown(files[0].parent) if files else "suites"
        raise ConflictError(error.message, hint=_renewal(source, folder)) from error
    return replace(moved, proof=f"the evidence of {source}, {proof['verdict']['sentence']}")


def _renewal(source: str, folder: str) -> str:
    # Judge the stored version again, and promote it if it passes.
    file = f"{folder}/{source.partition('@')[0]}.{source.partition('@')[2] or PRODUCTION}.prompt"
    return f"renew it: promptbench get {source} > {file} && promptbench run {folder} --prompt {file} --promote"


def _promote_proof(
    workspace: Workspace, store: Store, proof: Mapping[str, Json], benches: Sequence[Bench], label: str, who: Who
) -> Promotion:
    prompt = benches[0].prompt_name
    check_all_suites(workspace, prompt, [bench.suite.path for bench in benches])
    sources = [item.prompt.source for item in benches[0].candidates if item.hash == proof["candidate"]]
    if not sources:
        raise _other_prompts(workspace, benches[0], "it")
    return _promote(workspace, store, prompt, sources[0], proof, label, who)


def _promote(
    workspace: Workspace, store: Store, prompt: str, source: str, proof: Mapping[str, Json], label: str, who: Who
) -> Promotion:
    by = actor_of(workspace, who)
    event = store.promote(prompt, source, label=label, evidence=dict(proof), actor=by, reason=who.reason)
    return described(store, event)


def _bench_now(workspace: Workspace, store: Store, runs: RunStore, path: str) -> Bench:
    selection = Selection(paths=(workspace.settings.root / path,))
    # No call is made, so no key is needed.
    benches, _ = workspace.assemble(selection, store=store, runs=runs, without_keys=True)
    return benches[0]


def _check_facts(workspace: Workspace, bench: Bench, facts: Mapping[str, Json], where: str) -> None:
    """Raise ConflictError if suite, checks, policy or anything else behind the verdict has changed."""
    policy = policy_of(bench)
    is_now = {
        "suite_hash": ("its cases", bench.suite_hash),
        "checks_hash": ("its checks", bench.checks_hash),
        "policy": ("its gate", policy.as_dict()),
        # A run from before there was a note of it is taken as it is.
        **({"ladder": ("how answers are read", bench.ladder.hash)} if "ladder" in facts else {}),
        **({"prices": ("its prices", prices_of(workspace, bench).facts())} if _counts_costs(bench) else {}),
    }
    changed = [name for key, (name, value) in is_now.items() if facts.get(key) != value]
    if facts.get("partial"):
        changed.append("the selection: only a part of it was run")
    if changed:
        raise ConflictError(
            f"stale evidence: the suite '{bench.suite.name}' has changed since {where}: {', '.join(changed)}",
            hint=f"run again: promptbench run {workspace.shown(bench.suite.folder)} --promote",
        )


def _counts_costs(bench: Bench) -> bool:
    # If no price decides anything, a new price list must not make the evidence stale.
    return policy_of(bench).cost_ratio is not None or names_check(bench.suite, "cost")


def _check_age(made: str, days: float) -> None:
    age = (datetime.now(UTC) - datetime.fromisoformat(made)).total_seconds() / 86_400
    if age > days:
        raise ConflictError(
            f"stale evidence: it is {age:.1f} days old, the gate's maximum is {days:g}",
            hint="run the suite again, or set 'max age' under 'gate:'",
        )


def _read_evidence(path: Path) -> dict[str, Json]:
    try:
        proof = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON") from None
    if not isinstance(proof, dict):
        raise InputError(f"{path} is not evidence")
    return proof
