"""Moves labels, on proof: a run of ours, a file of evidence, or a reason that stays visible."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from promptbench import __version__
from promptbench.api.judges import what_judges
from promptbench.api.running import Finished, case_infos, gated_models, judge_all, policy_of, prices_of, table_of
from promptbench.api.workspace import PRODUCTION, Project
from promptbench.core.clock import now
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import ConflictError, InputError
from promptbench.core.types import Json, Side
from promptbench.formats.ladder import LADDER
from promptbench.gate.evidence import Judged, evidence, fixed_cases, rejudge
from promptbench.gate.judge import Result
from promptbench.project.bench import PreparedSuite
from promptbench.project.footprint import names_check
from promptbench.project.options import Selection
from promptbench.prompts.parser import prompt_name
from promptbench.report.model import Promotion, RunReport
from promptbench.settings.settings import actor as actor_of
from promptbench.store.prompts import Event, NotProven, Store
from promptbench.store.proof import proof_of
from promptbench.store.runs import RunStore
from promptbench.suite.loader import load as load_suite


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts and why, as given on the command line."""

    actor: str | None = None
    reason: str | None = None


def prove(project: Project, runs: RunStore, parts: Sequence[tuple[PreparedSuite, Finished]]) -> dict[str, Json]:
    """The evidence of one or several suites about the same candidate."""
    judged = []
    for prepared, finished in parts:
        returned: dict[str, set[str]] = {}
        for attempt in runs.attempts(finished.info.id):
            if attempt.answer is not None and attempt.fallback is None:
                returned.setdefault(attempt.key.model, set()).add(attempt.answer.model)
        part = Judged(
            suite=prepared.suite.name,
            path=project.shown(prepared.suite.path),
            run=finished.info.id,
            suite_hash=prepared.suite_hash,
            checks_hash=prepared.checks_hash,
            policy=policy_of(prepared),
            models=gated_models(prepared),
            cases=case_infos(prepared),
            verdict=finished.verdict,
            returned_models={model: sorted(names) for model, names in returned.items()},
            judges=what_judges(prepared, runs.judgings(finished.info.id)),
            ladder=str(finished.info.facts.get("ladder", LADDER)),
            prices=finished.info.facts.get("prices", {}),
        )
        judged.append((part, runs.attempts(finished.info.id)))
    return evidence(parts[0][0].prompt_name, judged, tool=f"promptbench {__version__}", made=now())


def proven(
    project: Project, runs: RunStore, parts: Sequence[tuple[PreparedSuite, Finished]], reports: Sequence[RunReport]
) -> list[RunReport]:
    """The reports with their proofs. Several suites about one prompt have one, in the last report about it."""
    found = list(reports)
    for prompt in dict.fromkeys(prepared.prompt_name for prepared, _ in parts):
        mine = [part for part in parts if part[0].prompt_name == prompt]
        if all(finished.verdict.result is not Result.NO_VERDICT for _, finished in mine):
            last = max(index for index, report in enumerate(found) if report.prompt == prompt)
            found[last] = replace(found[last], proof=prove(project, runs, mine))
    return found


def check_whole(prepared_suites: Sequence[PreparedSuite]) -> None:
    """Raises InputError when a bench is a part of its suite: that proves nothing about the rest."""
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


def check_all_suites(project: Project, prompt: str, covered: Sequence[Path]) -> None:
    """Raises InputError when another suite of the project tests the same prompt and was not asked."""
    known = {path.resolve() for path in covered}
    for path in sorted((project.settings.root / "suites").glob("**/suite.yaml")):
        if path.resolve() in known:
            continue
        suite = load_suite(path, project.shown(path), Diagnostics())
        if suite and any(prompt_name(written) == prompt for written in suite.prompts):
            raise InputError(
                f"the suite {project.shown(path)} tests '{prompt}' too, so it must pass as well",
                hint="name both: promptbench run " + " ".join(project.shown(item.parent) for item in (*covered, path)),
            )


def promote_run(
    project: Project, store: Store, runs: RunStore, parts: Sequence[tuple[PreparedSuite, Finished]], who: Who
) -> Promotion:
    """Moves `production` to the candidate that just passed in all of `parts`."""
    prepared, finished = parts[0]
    check_all_suites(project, prepared.prompt_name, [prepared.suite.path for prepared, _ in parts])
    source = next(item.prompt.source for item in prepared.candidates if item.hash == finished.verdict.candidate)
    return _promote(project, store, prepared.prompt_name, source, prove(project, runs, parts), PRODUCTION, who)


def promote_recorded(
    project: Project, store: Store, runs: RunStore, prompt: str, run: str, label: str, who: Who
) -> Promotion:
    """Moves a label on the strength of a run on record, if everything is still as it was then."""
    info = runs.run(run)
    if info.prompt != prompt:
        raise InputError(f"run {info.id} is about '{info.prompt}', not '{prompt}'")
    if info.facts["selection"].get("compared"):
        hint = "`promptbench run` judges a candidate against production"
        raise InputError(f"run {info.id} is a comparison and proves nothing for a promotion", hint=hint)
    candidates = [variant.hash for variant in info.variants if variant.side is Side.CANDIDATE]
    champion = next((variant.hash for variant in info.variants if variant.side is Side.CHAMPION), None)
    store.check_standing(prompt, label, champion=champion, candidate=candidates[0] if len(candidates) == 1 else None)
    prepared = _prepared_now(project, store, runs, str(info.facts["path"]))
    _check_facts(project, prepared, info.facts, info.id)
    _check_age(info.started, policy_of(prepared).max_age)
    judged = {variant.hash for variant in info.variants}
    if not judged >= {variant.hash for variant in prepared.variants}:
        raise _other_prompts(project, prepared, f"run {info.id}")
    table = table_of(prepared, runs, info.id)
    verdicts = judge_all(prepared, table, asked_all=info.finished is not None)
    if verdicts[0].result is not Result.PASS:
        refusal = NotProven(f"run {info.id} does not prove it: {verdicts[0].sentence}")
        refusal.exit = verdicts[0].result.exit
        raise refusal
    proof = prove(project, runs, [(prepared, Finished(info, verdicts, table))])
    moved = _promote_proof(project, store, proof, [prepared], label, who)
    return replace(moved, proof=f"run {info.id} of suite {info.suite}, {verdicts[0].sentence}")


def _other_prompts(project: Project, prepared: PreparedSuite, where: str) -> ConflictError:
    return ConflictError(
        f"stale evidence: {where} judged other prompts than the suite's prompt and what is in production now",
        hint=f"run again: promptbench run {project.shown(prepared.suite.folder)} --promote",
    )


def promote_evidence(
    project: Project, store: Store, runs: RunStore, prompt: str, path: Path, label: str, who: Who
) -> Promotion:
    """Moves a label on the strength of a file that `run --output evidence=FILE` wrote, perhaps on another machine."""
    proof = _read_evidence(path)
    if proof.get("prompt") != prompt:
        raise InputError(f"{path} is about '{proof.get('prompt')}', not '{prompt}'")
    try:
        differences = rejudge(proof)
        suites = [(suite["path"], suite, proof["made"]) for suite in proof["suites"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no evidence of this version: {error}") from None
    if differences:
        raise ConflictError(f"{path} does not prove what it says: {'; '.join(differences)}")
    store.check_standing(prompt, label, champion=proof["champion"], candidate=proof["candidate"])
    prepared_suites = []
    for suite_path, suite, made in suites:
        prepared = _prepared_now(project, store, runs, suite_path)
        _check_facts(project, prepared, suite, str(path))
        _check_age(made, policy_of(prepared).max_age)
        prepared_suites.append(prepared)
    moved = _promote_proof(project, store, proof, prepared_suites, label, who)
    return replace(moved, proof=f"{path}, {proof['verdict']['sentence']}")


def promote_from(project: Project, store: Store, runs: RunStore, source: str, label: str, who: Who) -> Promotion:
    """Moves a label on to the version that another reference such as `triage@staging` names, on the evidence that this
    has, if that still holds: against what is in production now, and the suites that are there as they are now.

    Raises NotProven when the version has no evidence, ConflictError when it is stale.
    """
    version = store.get(source)
    found = proof_of(store.history(version.prompt), version.hash)
    if found is None:
        raise NotProven(
            f"{version.prompt}@{version.number} has no evidence, so {label} stays where it is",
            hint=_renewal(source, "suites"),
        )
    proof = store.evidence(found)
    try:
        differences = rejudge(proof)
    except ValueError as error:
        differences = [str(error)]
    if differences:
        raise ConflictError(
            f"the evidence of {source} does not prove what it says: {'; '.join(differences)}",
            hint=_renewal(source, "suites"),
        )
    places = [project.settings.root / suite["path"] for suite in proof["suites"]]
    try:
        ages = [float(suite["policy"]["max_age"]) for suite in proof["suites"]]
        for suite, place in zip(proof["suites"], places, strict=True):
            if place.is_file():
                prepared = _prepared_now(project, store, runs, suite["path"])
                _check_facts(project, prepared, suite, f"the evidence of {source}")
                ages.append(policy_of(prepared).max_age)
        _check_age(proof["made"], min(ages))
        check_all_suites(project, version.prompt, places)
        moved = _promote(project, store, version.prompt, version.source, proof, label, who)
    except ConflictError as error:
        folder = project.shown(places[0].parent) if places else "suites"
        raise ConflictError(error.message, hint=_renewal(source, folder)) from error
    return replace(moved, proof=f"the evidence of {source}, {proof['verdict']['sentence']}")


def _renewal(source: str, folder: str) -> str:
    """The commands that judge a version of the store again, and promote it where it passes."""
    file = f"{folder}/{source.partition('@')[0]}.{source.partition('@')[2] or PRODUCTION}.prompt"
    return f"renew it: promptbench get {source} > {file} && promptbench run {folder} --prompt {file} --promote"


def force(project: Project, prompt: str, path: Path, *, label: str, who: Who) -> Promotion:
    """Moves a label without proof. Needs a reason and stays visible as `forced` for ever."""
    try:
        source = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if prompt_name(path.name) != prompt:
        raise InputError(f"{path.name} belongs to '{prompt_name(path.name)}', not to '{prompt}'")
    actor = actor_of(project.settings, project.environ, who.actor)
    with project.prompts() as store:
        event = store.promote(prompt, source, label=label, evidence=None, actor=actor, reason=who.reason, force=True)
        return described(store, event)


def set_label(project: Project, reference: str, label: str, *, who: Who) -> Promotion:
    """Points a label of one's own to a version in the store, without evidence. Needs a reason.

    Raises InputError when the label is `production`, which moves by evidence only, or points there already.
    """
    actor = actor_of(project.settings, project.environ, who.actor)
    with project.prompts() as store:
        return described(store, store.label(reference, label, actor=actor, reason=who.reason or ""))


def described(store: Store, event: Event) -> Promotion:
    """What an event changed, and how to undo it."""
    assert event.to_number is not None
    assert event.to_hash is not None
    previous = None
    if event.from_hash is not None:
        previous = store.get(f"{event.prompt}@{event.from_hash}").number
    label = "" if event.label == PRODUCTION else f" --label {event.label}"
    command = f"rollback {event.prompt} --to {previous}" if previous else f"retire {event.prompt}"
    undo = f"promptbench {command}{label} --reason '…'"
    return Promotion(event.prompt, event.label or "", event.to_number, event.to_hash, previous, undo)


def fixes_undone(store: Store, event: Event) -> list[str]:
    """The cases that the version left behind had fixed when it was promoted, by its evidence."""
    promotions = [
        past
        for past in (item.origin for item in store.history(event.prompt))
        if past.to_hash == event.from_hash and past.evidence and past.label == event.label
    ]
    return fixed_cases(store.evidence(str(promotions[-1].evidence))) if promotions else []


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
        raise _other_prompts(project, prepared_suites[0], "it")
    return _promote(project, store, prompt, sources[0], proof, label, who)


def _promote(
    project: Project, store: Store, prompt: str, source: str, proof: Mapping[str, Json], label: str, who: Who
) -> Promotion:
    actor = actor_of(project.settings, project.environ, who.actor)
    event = store.promote(prompt, source, label=label, evidence=dict(proof), actor=actor, reason=who.reason)
    return described(store, event)


def _prepared_now(project: Project, store: Store, runs: RunStore, path: str) -> PreparedSuite:
    selection = Selection(paths=(project.settings.root / path,))
    # Nothing is asked, so no key is needed.
    prepared_suites, _ = project.assemble(selection, store=store, runs=runs, without_keys=True)
    return prepared_suites[0]


def _check_facts(project: Project, prepared: PreparedSuite, facts: Mapping[str, Json], where: str) -> None:
    """Raises ConflictError unless suite, checks, policy and what else the verdict rests on are what was judged."""
    policy = policy_of(prepared)
    is_now = {
        "suite_hash": ("its cases", prepared.suite_hash),
        "checks_hash": ("its checks", prepared.checks_hash),
        "policy": ("its gate", policy.as_dict()),
        # A run from before there was a note of it is taken as it is.
        **({"ladder": ("how answers are read", LADDER)} if "ladder" in facts else {}),
        **({"prices": ("its prices", prices_of(project, prepared).facts())} if _counts_costs(prepared) else {}),
    }
    changed = [name for key, (name, value) in is_now.items() if facts.get(key) != value]
    if facts.get("partial"):
        changed.append("the selection: only a part of it was run")
    if changed:
        raise ConflictError(
            f"stale evidence: the suite '{prepared.suite.name}' differs from {where}: {', '.join(changed)} changed",
            hint=f"run again: promptbench run {project.shown(prepared.suite.folder)} --promote",
        )


def _counts_costs(prepared: PreparedSuite) -> bool:
    """Whether a price decides anything. Where none does, a new list of prices must not make a proof stale."""
    return policy_of(prepared).cost_ratio is not None or names_check(prepared.suite, "cost")


def _check_age(made: str, days: float) -> None:
    age = (datetime.now(UTC) - datetime.fromisoformat(made)).total_seconds() / 86_400
    if age > days:
        raise ConflictError(
            f"stale evidence: it is {age:.1f} days old, and the gate takes nothing older than {days:g}",
            hint="run the suite again, or set 'max age' under 'gate:'",
        )


def _read_evidence(path: Path) -> dict[str, Json]:
    try:
        proof = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON") from None
    if not isinstance(proof, dict):
        raise InputError(f"{path} is no evidence")
    return proof
