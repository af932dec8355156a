"""What the version in production answered before: when it was promoted, or in its first run on record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptbench.core.types import Json
from promptbench.gate.drift import Drift, drift
from promptbench.gate.evidence import recorded_answers
from promptbench.gate.flips import CaseInfo
from promptbench.gate.policy import Policy
from promptbench.gate.table import Table
from promptbench.project.bench import PreparedSuite
from promptbench.store.prompts import Store
from promptbench.store.runs import RunStore


@dataclass(frozen=True, slots=True)
class Earlier:
    """Answers of one version to a suite that has not changed since. `since` says of when, as in `Drift`.

    `returned` has by model the names by which it answered then.
    """

    since: str
    version: str
    table: Table
    returned: Mapping[str, Sequence[str]]

    def drifts(
        self, table: Table, models: Sequence[str], cases: Sequence[CaseInfo], policy: Policy
    ) -> dict[str, Drift]:
        """By model what has changed since."""
        found = {
            model: drift(table, self.table, self.version, model, cases, policy.repeats, self.since) for model in models
        }
        return {model: change for model, change in found.items() if change is not None}

    def renamed(self, now: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """Models whose provider returns another name than then: most likely they are other models."""
        for model, names in now.items():
            before = self.returned.get(model)
            if before and set(names) != set(before):
                yield f"{model} answers as {', '.join(names)}, and as {', '.join(before)} when {self.since}"


def earlier_answers(prepared: PreparedSuite, path: str, store: Store, runs: RunStore, before: str) -> Earlier | None:
    """What is in production, as it answered when it was promoted; else in its first run on record `before` a time.

    `path` is the suite's from the project's root. None where the suite or its checks have changed since.
    """
    if prepared.champion is None:
        return None
    version = prepared.champion.hash
    for event in reversed(store.history(prepared.prompt_name)):
        if event.to_hash != version or event.evidence is None or event.at >= before:
            continue
        found = _as_promoted(prepared, path, store.evidence(event.evidence), f"promoted on {event.at[:10]}")
        if found is not None:
            return found
    first = runs.returned().first_run(prepared.suite.name, version, prepared.suite_hash, prepared.checks_hash, before)
    if first is None:
        return None
    run, day = first
    return Earlier(f"first run on {day}", version, Table(runs.outcomes(run)), runs.returned().names(run))


def _as_promoted(prepared: PreparedSuite, path: str, proof: Mapping[str, Json], since: str) -> Earlier | None:
    try:
        for suite in proof["suites"]:
            same = (suite["suite_hash"], suite["checks_hash"]) == (prepared.suite_hash, prepared.checks_hash)
            if suite["path"] == path and same:
                returned = {model["model"]: model["returned"] for model in suite["models"]}
                return Earlier(since, proof["candidate"], recorded_answers(proof, path), returned)
    except (AttributeError, KeyError, TypeError, ValueError):
        # Of an unknown shape: `prompts show --evidence` says so; here it is as good as none.
        return None
    return None
