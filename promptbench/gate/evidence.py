"""The proof of a verdict: hashes of all that was judged, and one line an attempt, enough to judge again.

Plain data, so that it can be stored, committed, sent, and checked by somebody who does not trust us.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptbench.core.canonical import digest_text
from promptbench.core.types import Attempt, AttemptKey, Json, Outcome, Rung
from promptbench.gate.flips import CaseInfo
from promptbench.gate.judge import GatedModel, Mode, Result, Verdict, judge
from promptbench.gate.policy import Policy
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


def evidence(
    prompt: str, parts: Sequence[tuple[Judged, Iterable[Attempt]]], *, tool: str, made: str
) -> dict[str, Json]:
    """The proof over one or several suites, which must agree on candidate and champion."""
    first = parts[0][0].verdict
    worst = min((part.verdict for part, _ in parts), key=lambda item: 0 if item.result is not Result.PASS else 1)
    return {
        "schema_version": SCHEMA_VERSION,
        "prompt": prompt,
        "candidate": first.candidate,
        "champion": first.champion,
        "verdict": {
            "result": worst.result.value,
            "sentence": worst.sentence,
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
        "policy": part.policy.as_dict(),
        "result": part.verdict.result.value,
        "sentence": part.verdict.sentence,
        "models": [
            {
                "model": model.name,
                "deterministic": model.deterministic,
                "returned": sorted(part.returned_models.get(model.name, ())),
            }
            for model in part.models
        ],
        "critical": sorted(case.name for case in part.cases if case.critical),
    }


def _attempt(part: Judged, attempt: Attempt) -> dict[str, Json]:
    key = attempt.key
    return {
        "suite": part.suite,
        "case": key.case,
        "model": key.model,
        "prompt": "champion" if key.variant == part.verdict.champion else "candidate",
        "k": key.repeat,
        "outcome": attempt.outcome.value,
        "rung": attempt.rung.value if attempt.rung else None,
        "well_formed": attempt.well_formed,
        "answer": digest_text(attempt.answer.text) if attempt.answer else None,
    }


def rejudge(proof: Mapping[str, Json]) -> list[str]:
    """Judges the recorded attempts again: how the outcome differs from what the proof says; empty when it is the same.

    Raises ValueError when the proof is not of a known shape.
    """
    try:
        return [difference for suite in proof["suites"] for difference in _rejudge(proof, suite)]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this evidence cannot be judged again: {error!r}") from None


def _rejudge(proof: Mapping[str, Json], suite: Mapping[str, Json]) -> list[str]:
    lines = [line for line in proof["attempts"] if line["suite"] == suite["suite"]]
    champion, candidate = proof["champion"], proof["candidate"]
    table = Table(_recorded(line, candidate if line["prompt"] == "candidate" else champion) for line in lines)
    names = dict.fromkeys(line["case"] for line in lines)
    critical = set(suite["critical"])
    verdict = judge(
        table,
        champion=champion,
        candidate=candidate,
        models=[GatedModel(model["model"], model["deterministic"]) for model in suite["models"]],
        cases=[CaseInfo(name, name in critical) for name in names],
        policy=Policy(**suite["policy"]),
        asked_all=True,
    )
    if verdict.result.value == suite["result"]:
        return []
    return [f"suite {suite['suite']}: recorded {suite['result']}, judged again {verdict.result.value}"]


def _recorded(line: Mapping[str, Json], variant: str) -> Attempt:
    return Attempt(
        key=AttemptKey(variant, line["model"], line["case"], line["k"]),
        outcome=Outcome(line["outcome"]),
        request_hash="",
        rung=Rung(line["rung"]) if line["rung"] else None,
        well_formed=line["well_formed"],
    )
