"""Failures of logs and runs, clustered by cause: a few rows for thousands of calls."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

from promptbench.core.call_filter import CallFilter
from promptbench.core.errors import Diagnostics, InputError, NothingSelected
from promptbench.core.protocols import Check, CheckContext
from promptbench.core.subset import EVERYTHING, Subset
from promptbench.core.types import Attempt, FailureTier, Json, LoggedCall, Outcome, StoredCall
from promptbench.core.words import number_of
from promptbench.engine.failure_signature import build_score_signature, build_signature, find_json_fault, strip_details
from promptbench.engine.prepare import checks
from promptbench.engine.prepare.evaluate import evaluate, needs_judge
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.ingest.files.log_paths import LogFiles
from promptbench.ingest.promptbench_log import build_call
from promptbench.project import Project
from promptbench.report.document import Document, Report, Section, TableBlock, TableColumn
from promptbench.store.runs import RunStore
from promptbench.suite.loader import load as load_suite
from promptbench.text.near_duplicates import NearDuplicates, SharedText
from promptbench.workflows.judge.recorded_results import failing_calls
from promptbench.workflows.judge.rejudge import prepare_again

_STATUS = re.compile(r"(?<!\d)([45]\d\d)(?!\d)")
_TRUNCATED = ("length", "max_tokens")
_MAX_SHOWN = 300
_LOOKS_LIKE_JSON = re.compile(r"[{\[]")
# Clusters that a report lists.
ROWS = 40
# Failures from which the templates of their prompts are learned.
_MOST_TO_LEARN_FROM = 1_000
# Letters of a call's id that are enough to name it.
_ID = 10


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
            "tier": example.tier.value,
            "why": example.why,
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


def find_failures(
    project: Project, suite: Path | None, call_filter: CallFilter, logs: LogFiles | None = None
) -> list[Cluster]:
    """Return the clusters of failing imported calls and of failing attempts of the newest run of each suite.

    With `logs`, only the calls of these files count. The largest cluster is first, of equal ones the newest. With a
    `suite`, its checks for all cases score the logged answers to its prompt, without calling a model, and only its own
    run counts. Raise NothingSelected if nothing fails.
    """
    with project.recordings() as runs:
        from_files = logs is not None and bool(logs.paths)
        if runs is None and not from_files:
            raise NothingSelected("no calls are imported yet", hint="run `promptbench import PATH`")
        prepared = None
        if suite:
            with project.prompts() as store:
                [prepared], _ = project.assemble(Selection(paths=(suite,)), store=store, runs=runs)
        wanted = replace(call_filter, failed=prepared is None)
        calls: Iterable[StoredCall]
        if logs is not None and from_files:
            calls = (StoredCall(call.id, file, call) for file, call in logs.read() if wanted.matches(call))
        else:
            assert runs is not None
            calls = runs.calls().find(wanted)
        attempts = () if from_files or runs is None else _find_attempts(runs, prepared, call_filter)
        found = cluster_failures(chain(_find_logged(calls, prepared, project), attempts))
    if not found:
        raise NothingSelected("no failing calls found", hint="check --since, --model and --where, if given")
    return found


def cluster_failures(found: Iterable[FailingCall]) -> list[Cluster]:
    """Cluster failures by tier and cause, and by input if the cause is not specific. The largest cluster is first."""
    inputs, shared = NearDuplicates(), SharedText()
    clusters: dict[tuple[str, str, int], Cluster] = {}
    found = iter(found)
    first = list(islice(found, _MOST_TO_LEARN_FROM))
    for failure in first:
        shared.learn(failure.input)
    for failure in chain(first, found):
        group = inputs.add(shared.remove(failure.input))
        key = (failure.tier.value, failure.why, group if failure.by_input else -1)
        if key not in clusters:
            clusters[key] = Cluster(failure)
        clusters[key].add(failure, group)
    newest = sorted(clusters.values(), key=lambda item: item.example.time, reverse=True)
    return sorted(newest, key=lambda item: -item.count)


def _find_logged(
    calls: Iterable[StoredCall], prepared: PreparedSuite | None, project: Project
) -> Iterator[FailingCall]:
    scored = _build_checks(prepared, project) if prepared else []
    for kept in calls:
        call, by_input = kept.call, False
        tier = call.tier or FailureTier.CONTENT
        if prepared and call.prompt not in (None, prepared.prompt_name):
            continue
        if tier is FailureTier.TRANSPORT:
            why = _explain_error(call.failed or call.error or "", call.error or "")
        elif tier is FailureTier.TRUNCATED:
            why = call.finish_reason or strip_details(call.failed or "") or "truncated"
        else:
            # Without a suite nothing requires JSON, so only answers that look like it are read.
            answer = call.answer or ""
            fault = find_json_fault(answer) if _LOOKS_LIKE_JSON.search(answer) and not prepared else None
            why = (_explain_answer(call, prepared, scored) if prepared else fault) or ""
            if not why and call.tier is None:
                continue
            by_input = not why
            why = why or strip_details(call.failed or "") or "marked as failed by the log"
        # Variables say more than the messages, of which the most may be the template.
        users = [message.content for message in call.messages if message.role == "user"]
        text = json.dumps(call.variables, ensure_ascii=False) if call.variables else users[-1] if users else ""
        yield FailingCall(kept.id, tier, why, by_input, kept.source, call.model, call.time or "", text, call.answer)


def _explain_error(error: str, other: str = "") -> str:
    status = _STATUS.search(error) or _STATUS.search(other)
    return f"HTTP {status[1]}" if status else strip_details(error) or "no answer"


def _build_checks(prepared: PreparedSuite, project: Project) -> list[Check]:
    """Return the checks that a suite has for all cases, without those that need a judge."""
    suite, found = prepared.suite, Diagnostics()
    schema = prepared.candidates[0].prompt.output_schema
    settings = project.settings
    context = CheckContext(suite.folder, schema, settings.root, tuple(settings.values.python), suite.at)
    built: list[Check | None] = [checks.build(spec, context, found) for spec in suite.checks]
    scored = [check for check in built if check is not None and not needs_judge(check)]
    if not scored:
        hint = "add checks that every answer must pass under 'checks:' at the top of the suite"
        raise InputError(f"the suite '{suite.name}' has no checks for all cases", hint=hint)
    return scored


def _explain_answer(call: LoggedCall, prepared: PreparedSuite, scored: Sequence[Check]) -> str | None:
    """Return why the answer of a call fails; None if it passes or is missing."""
    if call.answer is None:
        return None
    found = evaluate(call.answer, scored, prepared.accept, call.variables or {}, ladder=prepared.ladder)
    if found.passed:
        return None
    if found.rung is not None and not found.rung.within(prepared.accept):
        return find_json_fault(call.answer) or f"JSON: {found.rung.value}"
    return build_score_signature(found.scores)


def _find_attempts(runs: RunStore, prepared: PreparedSuite | None, call_filter: CallFilter) -> Iterator[FailingCall]:
    if call_filter.conditions:
        return  # conditions refer to fields of a log
    known = runs.suites()
    for suite in [prepared.suite.name] if prepared else known:
        run = runs.latest_of_suite(suite) if suite in known else None
        for attempt in runs.attempts(run, passed=False) if run else ():
            model, time = attempt.key.model, attempt.started
            as_call = LoggedCall("", None, model=model, time=time, tier=FailureTier.CONTENT)
            if attempt.outcome in (Outcome.FAILED, Outcome.ERRORED) and call_filter.matches(as_call):
                tier, why = _explain_attempt(attempt)
                yield FailingCall(
                    f"{attempt.key.case} #{attempt.key.repeat + 1}",
                    tier,
                    why,
                    False,
                    f"run {run} of {suite}",
                    model,
                    time,
                    attempt.key.case,
                    attempt.answer.text if attempt.answer else None,
                    logged=False,
                )


def _explain_attempt(attempt: Attempt) -> tuple[FailureTier, str]:
    answer = attempt.answer
    if attempt.outcome is Outcome.ERRORED or answer is None:
        return FailureTier.TRANSPORT, _explain_error(attempt.error or "")
    if answer.finish_reason in _TRUNCATED:
        return FailureTier.TRUNCATED, answer.finish_reason
    return FailureTier.CONTENT, build_signature(attempt)


def failures_report(clusters: Sequence[Cluster], *, everything: bool = False) -> Report:
    """Return the report on these clusters; by default only the first ones."""
    shown, rest = (clusters, ()) if everything else (clusters[:ROWS], clusters[ROWS:])
    columns = [
        TableColumn("calls"),
        TableColumn("inputs", drop=1),
        TableColumn("newest", numeric=False, drop=2),
        TableColumn("kind", numeric=False, wrap=True),
        TableColumn("why", numeric=False, wrap=True),
        TableColumn("example", numeric=False, wrap=True),
    ]
    note = ""
    if rest:
        calls = number_of(sum(cluster.count for cluster in rest), "call")
        note = f"and {number_of(len(rest), 'more cluster')} with {calls}: --all shows them"
    total = sum(cluster.count for cluster in clusters)
    verdict = f"{number_of(total, 'failing call')} in {number_of(len(clusters), 'cluster')}"
    rows = [
        (
            f"{cluster.count:,}",
            f"{len(cluster.inputs):,}",
            cluster.example.time[:10],
            cluster.example.tier.value,
            cluster.example.why,
            cluster.example.id[:_ID] if cluster.example.logged else cluster.example.id,
        )
        for cluster in shown
    ]
    table = TableBlock(columns, rows, "Failing calls", note=note)
    data: dict[str, Json] = {"failures": total, "clusters": len(clusters), "rows": [item.as_dict() for item in shown]}
    return Report("failures", Document("", [Section([table])] if shown else [], verdict), lambda: data)


def log_files(paths: Sequence[str] | None, columns: Mapping[str, str], model: str) -> LogFiles:
    """Return the log files of a command, with field to column, and the model of calls that name none."""
    return LogFiles(paths or (), columns, model)


def select_by_id(project: Project, ids: Sequence[str]) -> list[StoredCall]:
    """Return the imported calls with these ids. Raise InputError if one is not found."""
    if not ids:
        return []
    with project.recordings() as runs:
        if runs is None:
            raise InputError("no calls are imported yet", hint="run `promptbench import FILE`")
        return [runs.calls().get(name) for name in ids]


def select_from_run(project: Project, run: str, cases: Sequence[str]) -> list[StoredCall]:
    """Return the first failing answer of the candidate to each case of a run, or to the named cases.

    Raise InputError if the run or a case is unknown, NothingSelected if nothing failed.
    """
    with project.prompts() as store, project.runs() as runs:
        info = runs.run(run)
        prepared = prepare_again(project, store, runs, info)
        if unknown := next((name for name in cases if name not in prepared.cases), None):
            raise InputError(f"case '{unknown}' not found in run {info.id}")
        found: dict[str, StoredCall] = {}
        for line in failing_calls(prepared, info.id, runs):
            name = line["case"]
            if name not in found and (not cases or name in cases):
                found[name] = StoredCall(line["id"], f"run {info.id}", build_call(line, name))
    if not found:
        raise NothingSelected(f"no case of run {info.id} fails")
    return list(found.values())


def select_from_clusters(project: Project, path: Path, limit: int | None) -> list[StoredCall]:
    """Return the newest imported call of each failure cluster, from the largest cluster to the smallest.

    Clusters of calls without an answer are skipped. Raise NothingSelected if no cluster is left.
    """
    file = project.suite_file(path)
    suite = load_suite(file, project.shown(file), Diagnostics())
    suite_with_checks = file if suite and suite.checks else None
    answered = CallFilter(tiers=frozenset((FailureTier.CONTENT, FailureTier.TRUNCATED)))
    clusters = find_failures(project, suite_with_checks, CallFilter() if suite_with_checks else answered)
    found = [
        item.example for item in clusters if item.example.logged and item.example.tier is not FailureTier.TRANSPORT
    ]
    if not found:
        raise NothingSelected("no imported call with an answer fails", hint="`promptbench import FILE` reads a log")
    return select_by_id(project, [item.id for item in found[:limit]])


def select_from_logs(project: Project, logs: LogFiles, *, dry_run: bool = False) -> list[StoredCall]:
    """Return the calls that FILE#ID names, redacted. With `dry_run` no redaction key is written.

    The files are read together, as an import reads them. Raise InputError if a call is not found.
    """
    wanted: dict[tuple[str, str], StoredCall | None] = {}
    for written in logs.paths:
        name, hash_sign, call_id = written.rpartition("#")
        if not (name and hash_sign and call_id):
            raise InputError(f"expected FILE#ID, got '{written}'", hint="for example --log calls.jsonl#INC-2031")
        wanted[str(Path(name)), call_id] = None
    redactor = project.redactor(keep_key=not dry_run)
    for file, call in replace(logs, paths=list(dict.fromkeys(name for name, _ in wanted))).read():
        if (file, call.id) in wanted and wanted[file, call.id] is None:
            kept = StoredCall(call.id, redactor.redact_text(file), redactor.redact_call(call))
            wanted[file, call.id] = kept
            if None not in wanted.values():
                break
    for (name, call_id), found in wanted.items():
        if found is None:
            raise InputError(f"call '{call_id}' not found in {name}")
    return [found for found in wanted.values() if found]


def select_for_replay(
    project: Project, logs: LogFiles, call_filter: CallFilter, part: Subset = EVERYTHING
) -> Iterator[LoggedCall]:
    """Yield the calls of log files, or without any file the imported ones, that pass the filter, or a part of them."""
    return part.of(_select_for_replay(project, logs, call_filter), lambda call: call.id)


def _select_for_replay(project: Project, logs: LogFiles, call_filter: CallFilter) -> Iterator[LoggedCall]:
    if logs.paths:
        yield from (call for _, call in logs.read() if call_filter.matches(call))
        return
    with project.recordings() as runs:
        if runs is None:
            raise InputError("no calls are imported yet", hint="run `promptbench import FILE`, or name a log by --log")
        yield from (kept.call for kept in runs.calls().find(call_filter))
