"""The proof of a verdict: hashes of all that was judged, and one line an attempt, enough to judge again.

Plain data, so that it can be stored, committed, sent, and checked by somebody who does not trust us.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from promptbench.core.canonical import digest_text
from promptbench.core.types import Answer, Attempt, AttemptKey, Json, Outcome, Rung
from promptbench.gate.drift import Drift
from promptbench.gate.flips import CaseInfo, Flip, complete
from promptbench.gate.judge import WORST_FIRST, GatedModel, Mode, ModelVerdict, Result, Shares, Verdict, judge
from promptbench.gate.policy import ALONE, Among, Policy
from promptbench.gate.table import Table

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Judged:
    """One suite's part of the proof."""

    suite: str
    path: str
    run: str
    suite_hash: str
    checks_hash: str
    policy: Policy
    models: Sequence[GatedModel]
    cases: Sequence[CaseInfo]
    verdict: Verdict
    returned_models: Mapping[str, Sequence[str]]
    judges: Mapping[str, Json] = field(default_factory=dict)
    """What its judged checks rest on, and the names by which their judges answered; nothing where none is judged."""
    ladder: str = ""
    """Which format ladder its answers were read on."""
    repairs: Mapping[str, Json] = field(default_factory=dict)
    """Trust and hash of each repair rule of the team that answers were read with, by its name."""
    prices: Mapping[str, Json] = field(default_factory=dict)
    """Where its costs come from: versions and hashes."""


def evidence(
    prompt: str, parts: Sequence[tuple[Judged, Iterable[Attempt]]], *, tool: str, made: str
) -> dict[str, Json]:
    """The proof over one or several suites. Raises ValueError when they do not agree on candidate and champion."""
    first = parts[0][0].verdict
    if {(part.verdict.candidate, part.verdict.champion) for part, _ in parts} != {(first.candidate, first.champion)}:
        raise ValueError("the suites judged different prompts")
    decisive = min((part.verdict for part, _ in parts), key=lambda item: WORST_FIRST.index(item.result))
    return {
        "schema_version": SCHEMA_VERSION,
        "prompt": prompt,
        "candidate": first.candidate,
        "champion": first.champion,
        "verdict": {
            "result": decisive.result.value,
            "sentence": decisive.sentence,
            "initial": first.mode is Mode.INITIAL,
        },
        "made": made,
        "tool": tool,
        "suites": [_suite(part) for part, _ in parts],
        "attempts": [
            _attempt(part, attempt)
            for part, attempts in parts
            for attempt in sorted(attempts, key=_order)
            if attempt.key.variant in (part.verdict.candidate, part.verdict.champion)
        ],
    }


def _order(attempt: Attempt) -> tuple[str, str, int, str]:
    return attempt.key.model, attempt.key.case, attempt.key.repeat, attempt.key.variant


def _suite(part: Judged) -> dict[str, Json]:
    return {
        "suite": part.suite,
        "path": part.path,
        "run": part.run,
        "suite_hash": part.suite_hash,
        "checks_hash": part.checks_hash,
        "ladder": part.ladder,
        **({"repairs": dict(part.repairs)} if part.repairs else {}),
        "prices": dict(part.prices),
        "policy": part.policy.as_dict(),
        "result": part.verdict.result.value,
        "sentence": part.verdict.sentence,
        "models": [
            {
                "model": model.name,
                "deterministic": model.deterministic,
                "returned": sorted(part.returned_models.get(model.name, ())),
                **_figures(judged),
                **({"drift": asdict(judged.drift)} if judged.drift else {}),
            }
            for model, judged in zip(part.models, part.verdict.models, strict=True)
        ],
        "cases": [case.name for case in part.cases],
        **_grouped(part.cases),
        "critical": sorted(case.name for case in part.cases if case.critical),
        **({"tags": _tagged(part)} if part.policy.tags else {}),
        **({"holm": asdict(part.verdict.among)} if part.verdict.among != ALONE else {}),
        **({"judges": dict(part.judges)} if part.judges else {}),
    }


def _tagged(part: Judged) -> dict[str, Json]:
    """The cases of each tag that the policy names."""
    return {tag: sorted(case.name for case in part.cases if tag in case.tags) for tag in part.policy.tags}


def _grouped(cases: Iterable[CaseInfo]) -> dict[str, Json]:
    """The cases of each cluster, and until when others are in quarantine; nothing where there are none."""
    together: dict[str, list[str]] = {}
    for case in cases:
        if case.cluster:
            together.setdefault(case.cluster, []).append(case.name)
    quarantine = {case.name: case.review_by for case in cases if case.review_by}
    return {**({"clusters": together} if together else {}), **({"quarantine": quarantine} if quarantine else {})}


def _figures(judged: ModelVerdict) -> dict[str, Json]:
    """What the attempts come to: the figures behind the sentence, whose words may change with the version."""
    return {
        "flips": {flip.value: count for flip in Flip if (count := judged.count(flip))},
        "answers": judged.candidate.answers,
        "format": judged.candidate.format,
        "attempts": {"candidate": _counted(judged.candidate), "champion": _counted(judged.champion)},
        "bounds": [asdict(bound) for bound in judged.bounds],
        **{ratio.name: {"candidate": ratio.candidate, "champion": ratio.champion} for ratio in judged.ratios},
    }


def _counted(side: Shares | None) -> dict[str, int]:
    return {"answered": side.attempts, "errored": side.errored} if side else {}


def _attempt(part: Judged, attempt: Attempt) -> dict[str, Json]:
    key = attempt.key
    return {
        "suite": part.path,
        "case": key.case,
        "model": key.model,
        "prompt": "champion" if key.variant == part.verdict.champion else "candidate",
        "k": key.repeat,
        "outcome": attempt.outcome.value,
        "rung": attempt.rung.value if attempt.rung else None,
        "well_formed": attempt.well_formed,
        "answer": digest_text(attempt.answer.text) if attempt.answer and not attempt.fallback else None,
        **({"cached": True} if attempt.cached else {}),
        **(_measured(attempt) if attempt.answer and key.repeat < part.policy.measured else {}),
    }


def _measured(attempt: Attempt) -> dict[str, Json]:
    return {"ms": attempt.answer.provider_ms if attempt.answer else None, "cost": attempt.cost}


def rejudge(proof: Mapping[str, Json]) -> list[str]:
    """Judges the recorded attempts again: how the outcome differs from what the proof says; empty when it is the same.

    A proof without a verdict claims nothing, so there is nothing in it to judge again. Raises ValueError when the proof
    is not of a known shape.
    """
    try:
        if proof["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version {proof['schema_version']!r}")
        return list(_differences(proof))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this evidence cannot be judged again: {error!r}") from None


def _differences(proof: Mapping[str, Json]) -> Iterator[str]:
    said, suites = proof["verdict"], proof["suites"]
    # Not the suites' results: they may have been changed together with the verdict.
    if said["result"] != Result.NO_VERDICT:
        for suite in suites:
            yield from _rejudge(proof, suite)
    together = min((Result(suite["result"]) for suite in suites), key=WORST_FIRST.index, default=Result.NO_VERDICT)
    if said["result"] != together:
        yield f"the verdict says {said['result']}, its suites say {together.value}"
    if said["initial"] is not (proof["champion"] is None):
        yield "the verdict and the hashes do not agree on whether there was something to compare with"


def fixed_cases(proof: Mapping[str, Json]) -> list[str]:
    """The cases that the candidate fixed on some model, by name: what comes back when its promotion is undone.

    Raises ValueError when the proof is not of a known shape.
    """
    try:
        verdicts = [_judge_again(proof, suite)[0] for suite in proof["suites"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this evidence cannot be judged again: {error!r}") from None
    states = (item for verdict in verdicts for model in verdict.models for item in model.flips)
    return list(dict.fromkeys(item.case.name for item in states if item.flip is Flip.FIXED))


def _rejudge(proof: Mapping[str, Json], suite: Mapping[str, Json]) -> Iterator[str]:
    verdict, twice = _judge_again(proof, suite)
    where = f"suite {suite['suite']}"
    for line in twice:
        yield f"{where}: the attempt {line['k']} of {line['prompt']} at '{line['case']}' is there twice"
    if verdict.result != suite["result"]:
        yield f"{where}: recorded {suite['result']}, judged again {verdict.result.value}"
    for said, judged in zip(suite["models"], verdict.models, strict=True):
        for name, value in _figures(judged).items():
            if said[name] != value:
                yield f"{where}: {name} on {judged.model} recorded {said[name]}, judged again {value}"


def _judge_again(proof: Mapping[str, Json], suite: Mapping[str, Json]) -> tuple[Verdict, list[Mapping[str, Json]]]:
    """The verdict over the recorded attempts, and the lines that are there twice."""
    champion, candidate = proof["champion"], proof["candidate"]
    policy = Policy.of(suite["policy"])
    table, twice, seen = Table(measured=policy.measured), [], set()
    for line in proof["attempts"]:
        if line["suite"] != suite["path"]:
            continue
        attempt = _recorded(line, {"candidate": candidate, "champion": champion}[line["prompt"]])
        if attempt.key in seen:
            twice.append(line)
        seen.add(attempt.key)
        table.add(attempt)
    models = [GatedModel(model["model"], model["deterministic"]) for model in suite["models"]]
    cases = list(_cases(suite, str(proof["made"])[:10]))
    whole = all(
        complete(table, champion, candidate, model.name, cases, deterministic=model.deterministic, policy=policy)
        for model in models
    )
    verdict = judge(
        table,
        champion=champion,
        candidate=candidate,
        models=models,
        cases=cases,
        policy=policy,
        asked_all=whole,
        among=Among(**suite.get("holm", {})),
        drifts={model["model"]: Drift(**model["drift"]) for model in suite["models"] if "drift" in model},
    )
    return verdict, twice


def recorded_answers(proof: Mapping[str, Json], path: str) -> Table:
    """What the candidate of a proof answered in one of its suites. Raises KeyError, TypeError or ValueError where the
    proof is of no known shape.
    """
    lines = (line for line in proof["attempts"] if line["suite"] == path and line["prompt"] == "candidate")
    return Table(_recorded(line, proof["candidate"]) for line in lines)


def _cases(suite: Mapping[str, Json], day: str) -> Iterator[CaseInfo]:
    """The cases as they were judged on a day."""
    critical = set(suite["critical"])
    tagged = {tag: set(names) for tag, names in suite.get("tags", {}).items()}
    clusters = {name: cluster for cluster, names in suite.get("clusters", {}).items() for name in names}
    quarantine = suite.get("quarantine", {})
    for name in suite["cases"]:
        review_by = quarantine.get(name, "")
        tags = tuple(tag for tag, names in tagged.items() if name in names)
        yield CaseInfo(name, name in critical, tags, clusters.get(name, ""), review_by, "" < review_by < day)


def _recorded(line: Mapping[str, Json], variant: str) -> Attempt:
    return Attempt(
        key=AttemptKey(variant, line["model"], line["case"], line["k"]),
        outcome=Outcome(line["outcome"]),
        request_hash="",
        rung=Rung(line["rung"]) if line["rung"] else None,
        answer=Answer("", "", provider_ms=line["ms"]) if "ms" in line else None,
        well_formed=line["well_formed"],
        tries=0 if line.get("cached") else 1,
        cost=line.get("cost"),
    )
