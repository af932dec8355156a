"""Promote: move a label on proof, from a run on record, a file of evidence, or another label's evidence."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from promptbench.core.canonical import parse_json
from promptbench.core.errors import ConflictError, InputError
from promptbench.core.types import Json, Side
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gate.evidence import rejudge
from promptbench.gate.judge import Result
from promptbench.project import PRODUCTION, Project
from promptbench.prompts.chain import is_chain
from promptbench.report.model import Promotion
from promptbench.store.prompts import NotProven, Store
from promptbench.store.proof import AlreadyDone, proof_of
from promptbench.store.runs import RunStore
from promptbench.workflows.judge.affected_by import uses_check
from promptbench.workflows.judge.execute import JudgedRun, judge_all, policy_of, prices_of, table_of
from promptbench.workflows.judge.looks import record_of
from promptbench.workflows.judge.proof import PROMPT_FILES, check_all_suites, prove
from promptbench.workflows.store.labels import DEFAULT_WHO, Who, actor_of, described, moved


def promote(
    project: Project,
    prompt: str,
    *,
    run: str | None = None,
    evidence: Path | None = None,
    source: str | None = None,
    label: str = PRODUCTION,
    who: Who = DEFAULT_WHO,
) -> Promotion:
    """Move a label on proof: a run on record (by default the newest that may prove something), a file of `evidence`, or
    the evidence of the version that `source`, another label, holds.

    Raises:
        NotProven: the verdict is not PASS, or the version has no evidence.
        ConflictError: the evidence is stale.
    """
    with project.prompts() as store, project.runs() as runs:
        try:
            if evidence is not None:
                return _promote_evidence(project, store, runs, prompt, evidence, label, who)
            if source is not None:
                return _promote_from(project, store, runs, f"{prompt}@{source}", label, who)
            return _promote_recorded(project, store, runs, prompt, run or runs.latest(prompt), label, who)
        except AlreadyDone as done:
            return described(store, done.event, already=True)


def promote_run(project: Project, who: Who, store: Store, runs: RunStore, parts: Sequence[JudgedRun]) -> Promotion:
    """Move `production` to the candidate that just passed in all of `parts`, which are about one prompt."""
    prepared, verdict = parts[0].prepared, parts[0].verdict
    check_all_suites(project, prepared.prompt_name, [part.prepared.suite.path for part in parts])
    source = next(item.prompt.source for item in prepared.candidates if item.hash == verdict.candidate)
    return _promote(project, store, prepared.prompt_name, source, prove(project, runs, parts), PRODUCTION, who)


def _promote_recorded(
    project: Project, store: Store, runs: RunStore, prompt: str, run: str, label: str, who: Who
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
    files = info.facts["selection"].get("prompt", ())
    prepared = _prepared_now(project, store, runs, str(info.facts["path"]), files)
    _check_facts(project, prepared, info.facts, info.id)
    _check_age(info.started, policy_of(prepared).max_age)
    judged = {variant.hash for variant in info.variants}
    if not judged >= {variant.hash for variant in prepared.variants}:
        raise _other_prompts(project, prepared, f"run {info.id}", files)
    table = table_of(prepared, runs, info.id)
    record = record_of(runs, info)
    verdicts = judge_all(prepared, table, asked_all=info.finished is not None, record=record)
    if verdicts[0].result is not Result.PASS:
        refusal = NotProven(f"run {info.id} does not prove it: {verdicts[0].sentence}")
        refusal.exit = verdicts[0].result.exit
        raise refusal
    proof = prove(project, runs, [JudgedRun(prepared, info, verdicts, table, record)])
    done = _promote_proof(project, store, proof, [prepared], label, who)
    return replace(done, proof=f"run {info.id} of suite {info.suite}, {verdicts[0].sentence}")


def _other_prompts(project: Project, prepared: PreparedSuite, where: str, files: Sequence[str]) -> ConflictError:
    candidate = f"what is in {', '.join(files)}" if files else "the suite's prompt"
    options = "".join(f" --prompt {shlex.quote(file)}" for file in files)
    return ConflictError(
        f"stale evidence: {where} judged other prompts than {candidate} and what is in production now",
        hint=f"run again: promptbench run {project.shown(prepared.suite.folder)}{options} --promote",
    )


def _promote_evidence(
    project: Project, store: Store, runs: RunStore, prompt: str, path: Path, label: str, who: Who
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
    prepared_suites = []
    for suite_path, suite, made in suites:
        prepared = _prepared_now(project, store, runs, suite_path, proof.get(PROMPT_FILES, ()))
        _check_facts(project, prepared, suite, str(path))
        _check_age(made, policy_of(prepared).max_age)
        prepared_suites.append(prepared)
    done = _promote_proof(project, store, proof, prepared_suites, label, who)
    return replace(done, proof=f"{path}, {proof['verdict']['sentence']}")


def _promote_from(project: Project, store: Store, runs: RunStore, source: str, label: str, who: Who) -> Promotion:
    # The evidence must hold for the production version and for the suites that exist, as they are now.
    version = store.get(source)
    found = proof_of(store.history(version.prompt), version.hash)
    if found is None:
        raise NotProven(
            f"{version.prompt}@{version.number} has no evidence, so {label} was not moved",
            hint=_renewal(source, "suites", version.source),
        )
    proof = store.evidence(found)
    try:
        differences = rejudge(proof)
    except ValueError as error:
        differences = [str(error)]
    if differences:
        raise ConflictError(
            f"the evidence of {source} is inconsistent: {'; '.join(differences)}",
            hint=_renewal(source, "suites", version.source),
        )
    files = [project.settings.root / suite["path"] for suite in proof["suites"]]
    try:
        ages = [float(suite["policy"]["max_age"]) for suite in proof["suites"]]
        for suite, file in zip(proof["suites"], files, strict=True):
            if file.is_file():
                prepared = _prepared_now(project, store, runs, suite["path"], ())
                _check_facts(project, prepared, suite, f"the evidence of {source}")
                ages.append(policy_of(prepared).max_age)
        _check_age(proof["made"], min(ages))
        check_all_suites(project, version.prompt, files)
        done = _promote(project, store, version.prompt, version.source, proof, label, who)
    except ConflictError as error:
        folder = project.shown(files[0].parent) if files else "suites"
        raise ConflictError(error.message, hint=_renewal(source, folder, version.source)) from error
    return replace(done, proof=f"the evidence of {source}, {proof['verdict']['sentence']}")


def _renewal(source: str, folder: str, text: str) -> str:
    # Judge the stored version again, and promote it if it passes; a chain is what its suite has now.
    if is_chain(text):
        return f"run again: promptbench run {folder} --promote"
    file = f"{folder}/{source.partition('@')[0]}.{source.partition('@')[2] or PRODUCTION}.prompt"
    return f"renew it: promptbench get {source} > {file} && promptbench run {folder} --prompt {file} --promote"


def _promote_proof(
    project: Project,
    store: Store,
    proof: Mapping[str, Json],
    prepared_suites: Sequence[PreparedSuite],
    label: str,
    who: Who,
) -> Promotion:
    prompt = prepared_suites[0].prompt_name
    check_all_suites(project, prompt, [prepared.suite.path for prepared in prepared_suites])
    sources = [item.prompt.source for item in prepared_suites[0].candidates if item.hash == proof["candidate"]]
    if not sources:
        raise _other_prompts(project, prepared_suites[0], "it", proof.get(PROMPT_FILES, ()))
    return _promote(project, store, prompt, sources[0], proof, label, who)


def _promote(
    project: Project, store: Store, prompt: str, source: str, proof: Mapping[str, Json], label: str, who: Who
) -> Promotion:
    by = actor_of(project, who)
    change = partial(store.promote, prompt, source, label=label, evidence=dict(proof), actor=by, reason=who.reason)
    return moved(store, change)


def _prepared_now(
    project: Project, store: Store, runs: RunStore, path: str, prompt_files: Sequence[str]
) -> PreparedSuite:
    root = project.settings.root
    if missing := [file for file in prompt_files if not (root / file).is_file()]:
        raise ConflictError(
            f"stale evidence: the prompt file {missing[0]} that was judged is not found",
            hint="restore it, or run again with --prompt",
        )
    selection = Selection(paths=(root / path,), prompts=tuple(root / file for file in prompt_files))
    # No call is made, so no key is needed.
    prepared_suites, _ = project.assemble(selection, store=store, runs=runs, without_keys=True)
    return prepared_suites[0]


def _check_facts(project: Project, prepared: PreparedSuite, facts: Mapping[str, Json], where: str) -> None:
    """Raise ConflictError if suite, checks, policy or anything else behind the verdict has changed."""
    policy = policy_of(prepared)
    is_now = {
        "suite_hash": ("its cases", prepared.suite_hash),
        "checks_hash": ("its checks", prepared.checks_hash),
        "policy": ("its gate", policy.as_dict()),
        # A run from before there was a note of it is taken as it is.
        **({"ladder": ("how answers are read", prepared.ladder.hash)} if "ladder" in facts else {}),
        **(
            {"prices": ("its prices", prices_of(project, prepared.reachable).facts())}
            if _counts_costs(prepared)
            else {}
        ),
    }
    changed = [name for key, (name, value) in is_now.items() if facts.get(key) != value]
    if facts.get("partial"):
        changed.append("the selection: only a part of it was run")
    if changed:
        raise ConflictError(
            f"stale evidence: the suite '{prepared.suite.name}' has changed since {where}: {', '.join(changed)}",
            hint=f"run again: promptbench run {project.shown(prepared.suite.folder)} --promote",
        )


def _counts_costs(prepared: PreparedSuite) -> bool:
    # If no price decides anything, a new price list must not make the evidence stale.
    return policy_of(prepared).cost_ratio is not None or uses_check(prepared.suite, "cost")


def _check_age(made: str, days: float) -> None:
    age = (datetime.now(UTC) - datetime.fromisoformat(made)).total_seconds() / 86_400
    if age > days:
        raise ConflictError(
            f"stale evidence: it is {age:.1f} days old, the gate's maximum is {days:g}",
            hint="run the suite again, or set 'max age' under 'gate:'",
        )


def _read_evidence(path: Path) -> dict[str, Json]:
    try:
        proof = parse_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(proof, dict):
        raise InputError(f"{path} is not evidence")
    return proof
