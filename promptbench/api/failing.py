"""What fails, put together by its cause, so that a person looks at forty rows and not at four thousand calls."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from promptbench.api.causes import cause_of, cause_of_scores, json_fault, without_details
from promptbench.api.workspace import Project
from promptbench.core.call_filter import CallFilter
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.protocols import Check, CheckContext
from promptbench.core.types import Attempt, FailureTier, Json, LoggedCall, Outcome
from promptbench.project import checks
from promptbench.project.bench import PreparedSuite
from promptbench.project.evaluate import evaluate, needs_judge
from promptbench.project.options import Selection
from promptbench.store.calls import KeptCall
from promptbench.store.runs import RunStore
from promptbench.text.near_duplicates import NearDuplicates

_STATUS = re.compile(r"(?<!\d)([45]\d\d)(?!\d)")
_CUT = ("length", "max_tokens")
_SHOWN = 300
_DATA = re.compile(r"[{\[]")


@dataclass(frozen=True, slots=True)
class Failure:
    """One failing call or attempt. `by_input` tells whether its input, too, decides where it belongs."""

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
    """Whether it is from an imported log; `id` is then that of the call in the record, else says case and repeat."""


@dataclass
class Cluster:
    """Failures with one cause. `example` is the newest of them."""

    tier: FailureTier
    why: str
    example: Failure
    count: int = 0
    inputs: set[int] = field(default_factory=set)
    models: Counter[str] = field(default_factory=Counter)
    oldest: str = ""

    def add(self, failure: Failure, group: int) -> None:
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
                "input": example.input[:_SHOWN],
                "answer": example.answer[:_SHOWN] if example.answer is not None else None,
            },
        }


def failures(project: Project, suite: Path | None, wanted: CallFilter) -> list[Cluster]:
    """Failing imported calls, and failing attempts of the newest run of each suite; the largest cluster first.

    Of equal ones the newest is first. With a `suite` its checks of every case are run over the logged answers to its
    prompt, without asking any model, and of the runs only its own are looked at. Raises NothingSelected when nothing
    fails.
    """
    with project.recordings() as runs:
        if runs is None:
            raise NothingSelected("nothing is on record", hint="`promptbench import PATH` reads a production log")
        prepared = _prepared(project, suite, runs) if suite else None
        found = clustered((*_logged(runs, prepared, project, wanted), *_attempted(runs, prepared, wanted)))
    if not found:
        raise NothingSelected("nothing on record fails", hint="look at --since, --model and --where, if you gave them")
    return found


def clustered(found: Iterable[Failure]) -> list[Cluster]:
    """Put together by tier and cause, and by input where the cause says nothing of its own."""
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


def _prepared(project: Project, suite: Path, runs: RunStore) -> PreparedSuite:
    with project.prompts() as store:
        [prepared], _ = project.assemble(Selection(paths=(suite,)), store=store, runs=runs)
    return prepared


def _logged(runs: RunStore, prepared: PreparedSuite | None, project: Project, wanted: CallFilter) -> Iterator[Failure]:
    scorer = _Scorer(prepared, project) if prepared else None
    for kept in runs.calls().find(replace(wanted, failed=scorer is None)):
        call = kept.call
        if scorer is not None and call.prompt not in (None, scorer.prompt):
            continue
        if call.tier in (FailureTier.TRANSPORT, FailureTier.CUT):
            yield _failure(kept, call.tier, _why_no_answer(call), by_input=False)
            continue
        why = scorer.why(call) if scorer else _tried_json(call.answer)
        if why:
            yield _failure(kept, FailureTier.CONTENT, why, by_input=False)
        elif call.tier is FailureTier.CONTENT:
            verdict = without_details(call.failed or "") or "the log says so"
            yield _failure(kept, FailureTier.CONTENT, verdict, by_input=True)


def _failure(kept: KeptCall, tier: FailureTier, why: str, *, by_input: bool) -> Failure:
    call = kept.call
    return Failure(kept.id, tier, why, by_input, kept.source, call.model, call.time or "", _input(call), call.answer)


def _why_no_answer(call: LoggedCall) -> str:
    """The HTTP status or the finish reason; else the error without what differs from call to call."""
    if call.tier is FailureTier.CUT:
        return call.finish_reason or without_details(call.failed or "") or "cut short"
    said = call.failed or call.error or ""
    status = _STATUS.search(said) or _STATUS.search(call.error or "")
    return f"HTTP {status[1]}" if status else without_details(said) or "no answer"


def _tried_json(answer: str | None) -> str | None:
    """What is wrong with an answer as JSON, where nobody says that it should be some, but it looks like it."""
    return json_fault(answer) if answer and _DATA.search(answer) else None


def _input(call: LoggedCall) -> str:
    asked = [message.content for message in call.messages if message.role == "user"]
    if asked:
        return asked[-1]
    return json.dumps(call.variables, ensure_ascii=False) if call.variables else ""


class _Scorer:
    """The checks of every case of a suite, for answers that belong to no case. What asks a judge is left out."""

    def __init__(self, prepared: PreparedSuite, project: Project) -> None:
        suite, found = prepared.suite, Diagnostics()
        values = project.settings.values
        prompt = prepared.candidates[0].prompt
        context = CheckContext(suite.folder, prompt.output_schema, project.settings.root, tuple(values.python))
        built: Sequence[Check | None] = [checks.build(spec, context, found) for spec in suite.checks]
        self._checks = [check for check in built if check is not None and not needs_judge(check)]
        self._accept = prepared.accept
        self.prompt = prepared.prompt_name
        if not self._checks:
            hint = "write what every answer must fulfil under 'checks:' at the top of the suite"
            raise InputError(f"the suite '{suite.name}' has no checks for every case", hint=hint)

    def why(self, call: LoggedCall) -> str | None:
        """By what the answer fails; None for one that passes, or is not there."""
        if call.answer is None:
            return None
        found = evaluate(call.answer, self._checks, self._accept, call.variables or {})
        if found.passed:
            return None
        if found.rung is not None and not found.rung.within(self._accept):
            return json_fault(call.answer) or f"JSON: {found.rung.value}"
        return cause_of_scores(found.scores)


def _attempted(runs: RunStore, prepared: PreparedSuite | None, wanted: CallFilter) -> Iterator[Failure]:
    if wanted.conditions:
        return  # they are about fields of a log
    known = runs.suites()
    for suite in [prepared.suite.name] if prepared else known:
        if suite not in known:
            continue
        run = runs.latest_of_suite(suite)
        for attempt in runs.attempts(run):
            if attempt.outcome in (Outcome.FAILED, Outcome.ERRORED) and wanted.matches(_as_call(attempt)):
                yield _failed_attempt(attempt, suite, run)


def _as_call(attempt: Attempt) -> LoggedCall:
    return LoggedCall("", None, model=attempt.key.model, time=attempt.started, tier=FailureTier.CONTENT)


def _failed_attempt(attempt: Attempt, suite: str, run: str) -> Failure:
    answer = attempt.answer
    if attempt.outcome is Outcome.ERRORED or answer is None:
        tier, error = FailureTier.TRANSPORT, attempt.error or ""
        status = _STATUS.search(error)
        why = f"HTTP {status[1]}" if status else without_details(error) or "no answer"
    elif answer.finish_reason in _CUT:
        tier, why = FailureTier.CUT, answer.finish_reason
    else:
        tier, why = FailureTier.CONTENT, cause_of(attempt)
    return Failure(
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
