"""The evidence of a verdict: hashes of everything that was judged, and one line an attempt, enough to judge it again.

Plain data, so that it can be stored, committed, sent, and checked by somebody who does not trust us. Its hash covers
the keys, so they must not change.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from promptbench.core.canonical import digest_text
from promptbench.core.types import Answer, Attempt, AttemptKey, FailedTry, FailureKind, Json, Outcome, Rung
from promptbench.gate import first_rule
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo, CaseOutcome
from promptbench.gate.drift import Drift
from promptbench.gate.judge import (
    WORST_FIRST,
    GatedModel,
    Mode,
    ModelVerdict,
    Result,
    Shares,
    Verdict,
    judge,
)
from promptbench.gate.policy import NO_CORRECTION, HolmCorrection, Policy
from promptbench.gate.trial import NO_RECORD, LookRecord

SCHEMA_VERSION = 1
_REJECTED = FailedTry(FailureKind.REJECTED, "", None, 0.0)


@dataclass(frozen=True, slots=True)
class SuiteProof:
    """One suite's part of the evidence.

    Attributes:
        returned_models: by model, the names that its provider returned.
        judges: what the judged checks depend on, and the names that their judges returned; empty without judged checks.
        ladder: the version of the format ladder that parsed the answers.
        repairs: trust and hash of each of the team's own repair rules, by its name.
        prices: the versions and hashes of the price lists.
        record: the numbers of the looks, the watched cases, and the version of the rule.
        skipped: cases that were left out of the run, with the reason.
    """

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
    ladder: str = ""
    repairs: Mapping[str, Json] = field(default_factory=dict)
    prices: Mapping[str, Json] = field(default_factory=dict)
    record: LookRecord = NO_RECORD
    skipped: Mapping[str, str] = field(default_factory=dict)


def evidence(
    prompt: str, parts: Sequence[tuple[SuiteProof, Iterable[Attempt]]], *, tool: str, made: str
) -> dict[str, Json]:
    """Return the evidence of one or several suites. Raise ValueError if they judged different prompts."""
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


def _suite(part: SuiteProof) -> dict[str, Json]:
    tags = part.policy.tags
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
        **({"rule": part.record.rule} if part.record.rule >= first_rule.NEXT else {}),
        "result": part.verdict.result.value,
        "sentence": part.verdict.sentence,
        "models": [
            {
                "model": model.name,
                **model.facts,
                "deterministic": model.deterministic,
                **({"confirmed": True} if model.confirmed else {}),
                "returned": sorted(part.returned_models.get(model.name, ())),
                **_figures(judged),
                **_looks(part.record, judged),
                **({"drift": asdict(judged.drift)} if judged.drift else {}),
            }
            for model, judged in zip(part.models, part.verdict.models, strict=True)
        ],
        "cases": [case.name for case in part.cases],
        **_groups(part.cases),
        **({"skipped": dict(part.skipped)} if part.skipped else {}),
        "critical": sorted(case.name for case in part.cases if case.critical),
        **(
            {"tags": {tag: sorted(case.name for case in part.cases if tag in case.tags) for tag in tags}}
            if tags
            else {}
        ),
        **({"holm": asdict(part.verdict.holm)} if part.verdict.holm != NO_CORRECTION else {}),
        **({"judges": dict(part.judges)} if part.judges else {}),
    }


def _groups(cases: Sequence[CaseInfo]) -> dict[str, Json]:
    together: dict[str, list[str]] = {}
    for case in cases:
        if case.cluster:
            together.setdefault(case.cluster, []).append(case.name)
    quarantine = {case.name: case.review_by for case in cases if case.review_by}
    groups: dict[str, Json] = {
        "clusters": together,
        "quarantine": quarantine,
        "repeats": {case.name: case.repeats for case in cases if case.repeats},
        "only_models": {case.name: list(case.models) for case in cases if case.models},
    }
    return {name: found for name, found in groups.items() if found}


def _looks(record: LookRecord, judged: ModelVerdict) -> dict[str, Json]:
    if judged.trial is None:
        return {}
    watched = sorted(record.watched.get(judged.model, ()))
    return {"looks": list(record.looks_of(judged.model)), **({"watched": watched} if watched else {})}


def _figures(judged: ModelVerdict) -> dict[str, Json]:
    # Rejudging compares these and not the sentence, whose wording may change between versions.
    return {
        "flips": {outcome.value: count for outcome in CaseOutcome if (count := judged.count(outcome))},
        "answers": judged.candidate.answers,
        "format": judged.candidate.format,
        "attempts": {"candidate": _counted(judged.candidate), "champion": _counted(judged.champion)},
        "bounds": [asdict(bound) for bound in judged.bounds],
        **{ratio.name: {"candidate": ratio.candidate, "champion": ratio.champion} for ratio in judged.ratios},
    }


def _counted(side: Shares | None) -> dict[str, int]:
    return {"answered": side.attempts, "errored": side.errored} if side else {}


def _attempt(part: SuiteProof, attempt: Attempt) -> dict[str, Json]:
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
        **({"missing": "rejected" if attempt.rejected else "unanswered"} if attempt.missing else {}),
        **(
            {"ms": attempt.answer.provider_ms, "cost": attempt.cost}
            if attempt.answer and key.repeat < part.policy.measured
            else {}
        ),
    }


def rejudge(proof: Mapping[str, Json]) -> list[str]:
    """Judge the recorded attempts again. Return how the verdict differs from the recorded one; empty if it is the same.

    Evidence without a verdict claims nothing, so nothing is judged again.

    Raises:
        ValueError: the evidence does not have a known shape.
    """
    try:
        if proof["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version {proof['schema_version']!r}")
        return list(_differences(proof))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this evidence cannot be judged again: {error!r}") from None


def _differences(proof: Mapping[str, Json]) -> Iterator[str]:
    recorded, suites = proof["verdict"], proof["suites"]
    # Not the suites' results: they may have been changed together with the verdict.
    if recorded["result"] != Result.NO_VERDICT:
        for suite in suites:
            yield from _rejudge(proof, suite)
    together = min((Result(suite["result"]) for suite in suites), key=WORST_FIRST.index, default=Result.NO_VERDICT)
    if recorded["result"] != together:
        yield f"the verdict is {recorded['result']}, that of its suites {together.value}"
    if recorded["initial"] is not (proof["champion"] is None):
        yield "verdict and hashes disagree on whether there was a version to compare with"


def fixed_cases(proof: Mapping[str, Json]) -> list[str]:
    """Return the names of the cases that the candidate fixed on any model: undoing its promotion brings them back.

    Raises:
        ValueError: the evidence does not have a known shape.
    """
    try:
        verdicts = [_judge_again(proof, suite)[0] for suite in proof["suites"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this evidence cannot be judged again: {error!r}") from None
    states = (item for verdict in verdicts for model in verdict.models for item in model.cases)
    return list(dict.fromkeys(item.case.name for item in states if item.outcome is CaseOutcome.FIXED))


def _rejudge(proof: Mapping[str, Json], suite: Mapping[str, Json]) -> Iterator[str]:
    verdict, duplicates = _judge_again(proof, suite)
    where = f"suite {suite['suite']}"
    for line in duplicates:
        yield f"{where}: duplicate attempt {line['k']} of {line['prompt']} at '{line['case']}'"
    if verdict.result != suite["result"]:
        yield f"{where}: recorded {suite['result']}, judged again {verdict.result.value}"
    for model, judged in zip(suite["models"], verdict.models, strict=True):
        if model["deterministic"] and not _repeats(proof, suite, model):
            yield f"{where}: a repeated request to {judged.model} does not confirm that it is deterministic"
        for name, value in _figures(judged).items():
            if model[name] != value:
                yield f"{where}: {name} on {judged.model} recorded {model[name]}, judged again {value}"


def _repeats(proof: Mapping[str, Json], suite: Mapping[str, Json], model: Mapping[str, Json]) -> bool:
    """Return True if repeated requests got the same answers; evidence that claims no such request needs none."""
    tries: dict[tuple[str, str], list[Json]] = {}
    for line in proof["attempts"]:
        if (line["suite"], line["model"]) == (suite["path"], model["model"]) and line["answer"] is not None:
            tries.setdefault((line["prompt"], line["case"]), []).append(line["answer"])
    repeated = [answers for answers in tries.values() if len(answers) > 1]
    return bool(repeated or not model.get("confirmed")) and all(len(set(answers)) == 1 for answers in repeated)


def _judge_again(proof: Mapping[str, Json], suite: Mapping[str, Json]) -> tuple[Verdict, list[Mapping[str, Json]]]:
    """Return the verdict over the recorded attempts, and the duplicate lines."""
    champion, candidate = proof["champion"], proof["candidate"]
    policy = Policy.of(suite["policy"])
    table, duplicates, seen = AttemptMatrix(measured=policy.measured), [], set()
    for line in proof["attempts"]:
        if line["suite"] != suite["path"]:
            continue
        attempt = _recorded(line, {"candidate": candidate, "champion": champion}[line["prompt"]])
        if attempt.key in seen:
            duplicates.append(line)
        seen.add(attempt.key)
        table.add(attempt)
    models = [GatedModel(model["model"], model["deterministic"]) for model in suite["models"]]
    cases = list(_cases(suite, str(proof["made"])[:10]))
    record, holm = _record(suite), HolmCorrection(**suite.get("holm", {}))
    verdict = judge(
        table,
        champion=champion,
        candidate=candidate,
        models=models,
        cases=cases,
        policy=policy,
        asked_all=None,
        holm=holm,
        record=record,
        drifts={model["model"]: Drift(**model["drift"]) for model in suite["models"] if "drift" in model},
    )
    return verdict, duplicates


def _record(suite: Mapping[str, Json]) -> LookRecord:
    rule = suite.get("rule", 1)
    if rule not in (1, first_rule.NEXT):
        raise ValueError(f"rule {rule!r}")
    models = suite["models"]
    looks = {model["model"]: tuple(model["looks"]) for model in models if "looks" in model}
    # Each look has a smaller level than the one before; a number that comes twice would be a level too many.
    if any(list(numbers) != sorted({n for n in numbers if n >= 1}) or not numbers for numbers in looks.values()):
        raise ValueError(f"looks {looks!r}")
    return LookRecord(looks, {model["model"]: model["watched"] for model in models if "watched" in model}, rule)


def recorded_answers(proof: Mapping[str, Json], path: str) -> AttemptMatrix:
    """Return the candidate's attempts in one suite of the evidence.

    Raises:
        KeyError, TypeError, ValueError: the evidence does not have a known shape.
    """
    lines = (line for line in proof["attempts"] if line["suite"] == path and line["prompt"] == "candidate")
    return AttemptMatrix(_recorded(line, proof["candidate"]) for line in lines)


def _cases(suite: Mapping[str, Json], day: str) -> Iterator[CaseInfo]:
    critical = set(suite["critical"])
    tagged = {tag: set(names) for tag, names in suite.get("tags", {}).items()}
    clusters = {name: cluster for cluster, names in suite.get("clusters", {}).items() for name in names}
    quarantine, repeats, only = (suite.get(key, {}) for key in ("quarantine", "repeats", "only_models"))
    for name in suite["cases"]:
        review_by = quarantine.get(name, "")
        tags = tuple(tag for tag, names in tagged.items() if name in names)
        until, terms = (review_by, "" < review_by < day), (repeats.get(name, 0), tuple(only.get(name, ())))
        yield CaseInfo(name, name in critical, tags, clusters.get(name, ""), *until, *terms)


def _recorded(line: Mapping[str, Json], variant: str) -> Attempt:
    return Attempt(
        key=AttemptKey(variant, line["model"], line["case"], line["k"]),
        outcome=Outcome(line["outcome"]),
        request_hash="",
        rung=Rung(line["rung"]) if line["rung"] else None,
        answer=None if "missing" in line else Answer("", "", provider_ms=line.get("ms", 0.0)),
        well_formed=line["well_formed"],
        tries=0 if line.get("cached") else 1,
        cost=line.get("cost"),
        failed_tries=(_REJECTED,) if line.get("missing") == "rejected" else (),
    )
