"""The looks of a run at fixes: counted, limited by level, and continued instead of started again."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from promptbench.core.types import AttemptKey, Json, Side
from promptbench.engine.plan import in_random_order
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.candidates import smallest_level
from promptbench.gate.case_outcomes import CaseInfo, CaseOutcome, PromptPair
from promptbench.gate.judge import GatedModel, Result, Verdict
from promptbench.gate.policy import Policy
from promptbench.gate.trial import LookRecord, Trial, level
from promptbench.project import PRODUCTION
from promptbench.store.prompts import Store
from promptbench.store.runs import RunInfo, RunStore

# The results with which the same command continues a candidate.
OPEN = (Result.FAIL.value, Result.INCONCLUSIVE.value)


def record_of(runs: RunStore, info: RunInfo) -> LookRecord:
    """Return what the verdict on a run depends on besides its attempts. Older runs are judged by the first rule."""
    facts = info.facts
    return LookRecord(runs.looks().numbers(info.id), facts.get("watched", {}), facts.get("rule", 1), "shard" in facts)


def champions_since_fix(store: Store, prepared: PreparedSuite) -> list[str]:
    """Return the production versions since the last one that was promoted with a proven fix, with the present one.

    Looks at candidates against any of them are counted together: a promotion that proves no fix starts no new count.
    """
    if prepared.champion is None:
        return []
    found = [prepared.champion.hash]
    history = store.history(prepared.prompt_name)
    events = [event for event in history if event.label == PRODUCTION and event.to_hash]
    for event in reversed(events):
        found.append(str(event.to_hash))
        if event.kind == "promoted" and event.evidence and _proves_fix(store.evidence(event.evidence)):
            break
    return list(dict.fromkeys(found))


def _proves_fix(proof: Mapping[str, Json]) -> bool:
    try:
        figures = [model["flips"] for suite in proof["suites"] for model in suite["models"]]
        return any(CaseOutcome.FIXED.value in flips for flips in figures)
    except (AttributeError, KeyError, TypeError):
        return False


@dataclass(slots=True)
class RunLooks:
    """The looks of a run at fixes: all candidates on all models that are not deterministic.

    A look is counted when the first fresh tries of a target are planned, and the cases in doubt are stored then.
    """

    runs: RunStore
    run: str
    prepared: PreparedSuite
    models: Sequence[GatedModel]
    cases: Sequence[CaseInfo]
    policy: Policy
    champions: Collection[str]
    record: LookRecord

    def wanted(self, table: AttemptMatrix) -> list[AttemptKey]:
        """Return the attempts that the verdicts still need; the champion's are made once for all candidates."""
        keys: list[AttemptKey] = []
        for (model, case), tries in self._needed(table).items():
            for repeat in range(max(tries.values())):
                prompts = [name for name, count in tries.items() if repeat < count]
                for name in in_random_order(prompts, self.run, case, repeat):
                    if not table.cell(name, model, case).made(repeat):
                        keys.append(AttemptKey(name, model, case, repeat))
        return keys

    def _needed(self, table: AttemptMatrix) -> dict[tuple[str, str], dict[str, int]]:
        """Return, by model and case, how many tries each prompt needs; count a look before its tries are made."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        champion = self.prepared.champion
        if champion is None:
            return found
        for model in self.models:
            doubtful: set[str] = set()
            for candidate in self.prepared.candidates:
                trial, needed = self._trial(table, candidate.hash, model.name, self.record)
                if any(case.name in needed for case in trial.targets) and model.name not in self.record.looks:
                    self._take(model.name)
                doubtful |= {case.name for case in trial.cases if case.doubtful}
                for case, tries in needed.items():
                    each = found.setdefault((model.name, case), {})
                    each[candidate.hash] = tries
                    each[champion.hash] = max(tries, each.get(champion.hash, 0))
            if doubtful and any(name == model.name for name, _ in found):
                self._watch(model.name, doubtful)
        return found

    def count(self, table: AttemptMatrix) -> None:
        """Count a look on each model where targets were tried again, for a run that was put together from others."""
        for model in self.models:
            for candidate in self.prepared.candidates if self.prepared.champion else ():
                trial, _ = self._trial(table, candidate.hash, model.name, self.record)
                if trial.targets and model.name not in self.record.looks:
                    self._take(model.name)

    def finish(self, verdicts: Sequence[Verdict]) -> None:
        """Keep the cases that are broken or unstable for any candidate, and clear the others of doubt."""
        for model in self.models:
            found = [item for verdict in verdicts for item in verdict.models if item.model == model.name]
            if self.prepared.champion and all(item.trial is not None for item in found):
                self._watch(model.name, {it.case.name for item in found for it in item.cases if it.worse})

    def next_look(self) -> LookRecord:
        """Return the record with one more look on every model."""
        looks, suite = self.runs.looks(), self.prepared.suite.name
        numbers = {
            model.name: (*self.record.looks_of(model.name), looks.next_number(suite, model.name, self.champions))
            for model in self.models
        }
        return replace(self.record, looks=numbers)

    def continuation(self, table: AttemptMatrix) -> dict[str, int]:
        """Return, by model, how many calls a continuation would start with; models that need none are left out."""
        record, calls = self.next_look(), dict[str, int]()
        for model in self.models if self.prepared.champion else ():
            for candidate in self.prepared.candidates:
                _, needed = self._trial(table, candidate.hash, model.name, record)
                for case, tries in needed.items():
                    made = len(table.cell(candidate.hash, model.name, case).codes)
                    calls[model.name] = calls.get(model.name, 0) + 2 * max(0, tries - made)
        return calls

    def resume(self, models: Collection[str]) -> None:
        """Count one more look on the models that are continued."""
        for model in models:
            self._take(model)

    def _trial(
        self, table: AttemptMatrix, candidate: str, model: str, record: LookRecord
    ) -> tuple[Trial, dict[str, int]]:
        assert self.prepared.champion is not None
        holm = smallest_level(sum(item.hash != self.prepared.champion.hash for item in self.prepared.candidates))
        what = (table, self.prepared.champion.hash, candidate, model, self.cases, self.policy)
        pair = PromptPair(*what, record=record, holm=holm)
        assert pair.trial is not None
        return pair.trial, pair.needed_tries()

    def _take(self, model: str) -> None:
        if self.record.part or self.prepared.champion is None:
            return
        looks, champion = self.runs.looks(), self.prepared.champion.hash
        looks.take(self.run, self.prepared.suite.name, model, champion, self.champions)
        self.record = replace(self.record, looks=looks.numbers(self.run))

    def _watch(self, model: str, cases: Collection[str]) -> None:
        assert self.prepared.champion is not None
        self.runs.looks().watch(self.run, self.prepared.suite.name, model, self.prepared.champion.hash, cases)


def run_to_continue(runs: RunStore, plan: str, policy: Policy) -> RunInfo | None:
    """Return the run that the same command continues, if it is new enough to prove anything."""
    since = datetime.now(UTC) - timedelta(days=policy.max_age)
    info = runs.finished_with(plan, OPEN, since.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    return info if info and info.facts.get("rule", 1) == LookRecord().rule else None


def look_notes(looks: RunLooks) -> Iterator[str]:
    """Yield which look this is against the production version, and which level that leaves."""
    champion = looks.prepared.champion
    if champion is None:
        return
    for model, numbers in looks.record.looks.items():
        on = f" on {model}" if len(looks.models) > 1 else ""
        several = sum(variant.side is Side.CANDIDATE for variant in looks.prepared.variants)
        among = f", divided among {several} candidates" if several > 1 else ""
        yield (
            f"look {numbers[-1]} against {champion.label}{on} on this machine: a fix needs "
            f"p ≤ {level(numbers[-1]) * 100:.2g} %{among}"
        )
