"""The baseline of the production version: its attempts when it was promoted, or in its first run on record."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from promptbench.core.types import Json
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.drift import Drift, drift
from promptbench.gate.evidence import recorded_answers
from promptbench.gate.policy import Policy
from promptbench.store.prompts import Store
from promptbench.store.runs import RunStore


@dataclass(frozen=True, slots=True)
class ProductionBaseline:
    """Attempts of one version at a suite that has not changed since. `since` names the run, as in `Drift`.

    `models` are those whose calls have the same parameters now, `returned` has, by model, the names that its provider
    returned then.
    """

    since: str
    version: str
    table: AttemptMatrix
    models: Collection[str]
    returned: Mapping[str, Sequence[str]]

    def drifts(
        self, table: AttemptMatrix, models: Sequence[str], cases: Sequence[CaseInfo], policy: Policy
    ) -> dict[str, Drift]:
        """Return the drift of each model that both runs have answers of."""
        found = {
            model: drift(table, self.table, self.version, model, cases, policy.repeats, self.since)
            for model in models
            if model in self.models
        }
        return {model: change for model, change in found.items() if change is not None}

    def renamed(self, now: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """Yield a note for each model whose provider now returns another name: most likely it is another model."""
        for model, names in now.items():
            before = self.returned.get(model) if model in self.models else None
            if before and set(names) != set(before):
                yield f"{model} answers as {', '.join(names)}, and as {', '.join(before)} when {self.since}"


def production_baseline(
    prepared: PreparedSuite, path: str, store: Store, runs: RunStore, before: str
) -> ProductionBaseline | None:
    """Return the baseline from the evidence of the promotion, else from the first run on record `before` a time.

    `path` is the suite's path from the project's root. None if the suite or its checks have changed since.
    """
    if prepared.champion is None:
        return None
    version = prepared.champion.hash
    for event in reversed(store.history(prepared.prompt_name)):
        if event.to_hash != version or event.evidence is None or event.at >= before:
            continue
        proof = store.evidence(event.evidence)
        # Evidence of an unknown shape is not a baseline; `prompts show --evidence` reports it.
        with suppress(AttributeError, KeyError, TypeError, ValueError):
            for suite in proof["suites"]:
                same = (suite["suite_hash"], suite["checks_hash"]) == (prepared.suite_hash, prepared.checks_hash)
                if suite["path"] == path and same:
                    returned = {model["model"]: model["returned"] for model in suite["models"]}
                    since, table = f"promoted on {event.at[:10]}", recorded_answers(proof, path)
                    models = _unchanged(prepared, suite["models"])
                    return ProductionBaseline(since, proof["candidate"], table, models, returned)
    aliases = runs.model_aliases()
    first = aliases.first_run(prepared.suite.name, version, prepared.suite_hash, prepared.checks_hash, before)
    if first is None:
        return None
    run, day = first
    table, models = AttemptMatrix.of(runs.outcomes(run), {}), _unchanged(prepared, runs.run(run).facts["models"])
    return ProductionBaseline(f"first run on {day}", version, table, models, aliases.names(run))


def _unchanged(prepared: PreparedSuite, recorded: Iterable[Mapping[str, Json]]) -> set[str]:
    """Return the recorded models that have the same parameters now, and the same model behind the same name."""
    now = {model.name: model.facts for model in prepared.models}
    facts = {item["model"]: {key: item[key] for key in ("of", "config") if key in item} for item in recorded}
    return {name for name, found in facts.items() if now.get(name) == found}
