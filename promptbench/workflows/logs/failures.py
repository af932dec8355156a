"""Failures of logs and runs, clustered by cause: a few rows for thousands of calls."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from promptbench.core.call_filter import CallFilter
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.protocols import Check, CheckContext
from promptbench.core.types import Attempt, FailureTier, Json, LoggedCall, Outcome, StoredCall
from promptbench.engine.failure_signature import build_score_signature, build_signature, find_json_fault, strip_details
from promptbench.engine.prepare import checks
from promptbench.engine.prepare.evaluate import evaluate, needs_judge
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.project import Project
from promptbench.store.runs import RunStore
from promptbench.text.near_duplicates import NearDuplicates

_STATUS = re.compile(r"(?<!\d)([45]\d\d)(?!\d)")
_TRUNCATED = ("length", "max_tokens")
_MAX_SHOWN = 300
_LOOKS_LIKE_JSON = re.compile(r"[{\[]")


@dataclass(frozen=True, slots=True)
class FailingCall:
    """One failing call or attempt.

    Args:
        id: The id of the call on record; for an attempt, case and repeat.
        by_input: Cluster by input too, because the cause is not specific.
        logged: True for a call of an imported log, False for an attempt of a run.
    """

    id: str
    tier: FailureTier
    why: str
    by_input: bool
    source: str
    model: str
    time: str
    input: str
    answer: str | None
    logged: bool = True


@dataclass
class Cluster:
    """Failures with the same cause. `example` is the newest one."""

    tier: FailureTier
    why: str
    example: FailingCall
    count: int = 0
    inputs: set[int] = field(default_factory=set)
    models: Counter[str] = field(default_factory=Counter)
    oldest: str = ""

    def add(self, failure: FailingCall, group: int) -> None:
        self.count += 1
        self.inputs.add(group)
        self.models[failure.model] += 1
        if failure.time and (not self.oldest or failure.time < self.oldest):
            self.oldest = failure.time
        if failure.time >= self.example.time:
            self.example = failure

    def as_dict(self) -> dict[str, Json]:
        example = self.example
        return {
            "tier": self.tier.value,
            "why": self.why,
            "count": self.count,
            "inputs": len(self.inputs),
            "models": dict(self.models.most_common()),
            "oldest": self.oldest or None,
            "newest": example.time or None,
            "example": {
                "id": example.id,
                "source": example.source,
                "model": example.model,
                "input": example.input[:_MAX_SHOWN],
                "answer": example.answer[:_MAX_SHOWN] if example.answer is not None else None,
            },
        }


def find_failures(project: Project, suite: Path | None, call_filter: CallFilter) -> list[Cluster]:
    """Return the clusters of failing imported calls and of failing attempts of the newest run of each suite.

    The largest cluster is first, of equal ones the newest. With a `suite`, its checks for all cases score the logged
    answers to its prompt, without calling a model, and only its own run counts. Raise NothingSelected if nothing fails.
    """
    with project.recordings() as runs:
        if runs is None:
            raise NothingSelected("no calls are imported yet", hint="run `promptbench import PATH`")
        prepared = _prepare_suite(project, suite, runs) if suite else None
        logged = _find_logged(runs, prepared, project, call_filter)
        found = cluster_failures((*logged, *_find_attempts(runs, prepared, call_filter)))
    if not found:
        raise NothingSelected("no failing calls found", hint="check --since, --model and --where, if given")
    return found


def cluster_failures(found: Iterable[FailingCall]) -> list[Cluster]:
    """Cluster failures by tier and cause, and by input if the cause is not specific. The largest cluster is first."""
    inputs = NearDuplicates()
    clusters: dict[tuple[str, str, int], Cluster] = {}
    for failure in found:
        group = inputs.add(failure.input)
        key = (failure.tier.value, failure.why, group if failure.by_input else -1)
        if key not in clusters:
            clusters[key] = Cluster(failure.tier, failure.why, failure)
        clusters[key].add(failure, group)
    newest = sorted(clusters.values(), key=lambda item: item.example.time, reverse=True)
    return sorted(newest, key=lambda item: -item.count)


def _prepare_suite(project: Project, suite: Path, runs: RunStore) -> PreparedSuite:
    with project.prompts() as store:
        [prepared], _ = project.assemble(Selection(paths=(suite,)), store=store, runs=runs)
    return prepared


def _find_logged(
    runs: RunStore, prepared: PreparedSuite | None, project: Project, call_filter: CallFilter
) -> Iterator[FailingCall]:
    scorer = _Scorer(prepared, project) if prepared else None
    for kept in runs.calls().find(replace(call_filter, failed=scorer is None)):
        call = kept.call
        if scorer is not None and call.prompt not in (None, scorer.prompt):
            continue
        if call.tier in (FailureTier.TRANSPORT, FailureTier.TRUNCATED):
            yield _build_failure(kept, call.tier, _explain_missing_answer(call), by_input=False)
            continue
        why = scorer.explain(call) if scorer else _guess_json_fault(call.answer)
        if why:
            yield _build_failure(kept, FailureTier.CONTENT, why, by_input=False)
        elif call.tier is FailureTier.CONTENT:
            verdict = strip_details(call.failed or "") or "marked as failed by the log"
            yield _build_failure(kept, FailureTier.CONTENT, verdict, by_input=True)


def _build_failure(kept: StoredCall, tier: FailureTier, why: str, *, by_input: bool) -> FailingCall:
    call = kept.call
    return FailingCall(
        kept.id, tier, why, by_input, kept.source, call.model, call.time or "", _last_user_text(call), call.answer
    )


def _explain_missing_answer(call: LoggedCall) -> str:
    """Return the HTTP status or the finish reason, else the error without details."""
    if call.tier is FailureTier.TRUNCATED:
        return call.finish_reason or strip_details(call.failed or "") or "truncated"
    return _explain_error(call.failed or call.error or "", call.error or "")


def _explain_error(error: str, other: str = "") -> str:
    status = _STATUS.search(error) or _STATUS.search(other)
    return f"HTTP {status[1]}" if status else strip_details(error) or "no answer"


def _guess_json_fault(answer: str | None) -> str | None:
    """Return what is wrong with an answer that looks like JSON, though nothing requires it to be JSON."""
    return find_json_fault(answer) if answer and _LOOKS_LIKE_JSON.search(answer) else None


def _last_user_text(call: LoggedCall) -> str:
    texts = [message.content for message in call.messages if message.role == "user"]
    if texts:
        return texts[-1]
    return json.dumps(call.variables, ensure_ascii=False) if call.variables else ""


class _Scorer:
    """The checks that a suite has for all cases, for answers without a case. Checks with a judge are skipped."""

    def __init__(self, prepared: PreparedSuite, project: Project) -> None:
        suite, found = prepared.suite, Diagnostics()
        values = project.settings.values
        prompt = prepared.candidates[0].prompt
        context = CheckContext(suite.folder, prompt.output_schema, project.settings.root, tuple(values.python))
        built: Sequence[Check | None] = [checks.build(spec, context, found) for spec in suite.checks]
        self._checks = [check for check in built if check is not None and not needs_judge(check)]
        self._accept, self._ladder = prepared.accept, prepared.ladder
        self.prompt = prepared.prompt_name
        if not self._checks:
            hint = "add checks that every answer must pass under 'checks:' at the top of the suite"
            raise InputError(f"the suite '{suite.name}' has no checks for all cases", hint=hint)

    def explain(self, call: LoggedCall) -> str | None:
        """Return why the answer fails; None if it passes or is missing."""
        if call.answer is None:
            return None
        found = evaluate(call.answer, self._checks, self._accept, call.variables or {}, ladder=self._ladder)
        if found.passed:
            return None
        if found.rung is not None and not found.rung.within(self._accept):
            return find_json_fault(call.answer) or f"JSON: {found.rung.value}"
        return build_score_signature(found.scores)


def _find_attempts(runs: RunStore, prepared: PreparedSuite | None, call_filter: CallFilter) -> Iterator[FailingCall]:
    if call_filter.conditions:
        return  # conditions refer to fields of a log
    known = runs.suites()
    for suite in [prepared.suite.name] if prepared else known:
        if suite not in known:
            continue
        run = runs.latest_of_suite(suite)
        for attempt in runs.attempts(run):
            if attempt.outcome in (Outcome.FAILED, Outcome.ERRORED) and call_filter.matches(_as_call(attempt)):
                yield _failed_attempt(attempt, suite, run)


def _as_call(attempt: Attempt) -> LoggedCall:
    return LoggedCall("", None, model=attempt.key.model, time=attempt.started, tier=FailureTier.CONTENT)


def _failed_attempt(attempt: Attempt, suite: str, run: str) -> FailingCall:
    answer = attempt.answer
    if attempt.outcome is Outcome.ERRORED or answer is None:
        tier, why = FailureTier.TRANSPORT, _explain_error(attempt.error or "")
    elif answer.finish_reason in _TRUNCATED:
        tier, why = FailureTier.TRUNCATED, answer.finish_reason
    else:
        tier, why = FailureTier.CONTENT, build_signature(attempt)
    return FailingCall(
        f"{attempt.key.case} #{attempt.key.repeat + 1}",
        tier,
        why,
        False,
        f"run {run} of {suite}",
        attempt.key.model,
        attempt.started,
        attempt.key.case,
        answer.text if answer else None,
        logged=False,
    )
