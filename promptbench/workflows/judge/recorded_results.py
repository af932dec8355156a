"""The cases, attempts and failing calls of a run, read from the record on iteration, because there may be many."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Generic, TypeVar

from promptbench.core.errors import Location
from promptbench.core.protocols import PastRow
from promptbench.core.types import Attempt, Json, ModelRef, Outcome, Side, failures
from promptbench.engine.prepare.cases import as_answer
from promptbench.engine.prepare.inputs import expectations_in_log
from promptbench.engine.prepare.prepared_suite import PreparedModel, PreparedSuite, Variant, slot_of
from promptbench.gate.case_outcomes import CaseOutcome
from promptbench.prompts.chain import Chain
from promptbench.prompts.prompt import Prompt
from promptbench.report.model import (
    AttemptRow,
    CalledTool,
    CaseAttempts,
    CaseResult,
    Explored,
    PromptText,
    TurnAnswer,
)
from promptbench.stats.exact import clopper_pearson
from promptbench.store.runs import RunStore
from promptbench.workflows.judge.execute import JudgedRun

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FromRecord(Generic[T]):
    """An iterable that reads the record in `folder` anew each time, so that a report holds nothing in memory."""

    folder: Path
    read: Callable[[RunStore], Iterator[T]]

    def __iter__(self) -> Iterator[T]:
        with RunStore(self.folder) as runs:
            yield from self.read(runs)


def expected_of(prepared: PreparedSuite, name: str) -> str | None:
    """Return the value of a case's `expect:` as an answer; None without one."""
    cases = prepared.suite.cases
    return as_answer(cases[name].expect) if name in cases.numbers and cases[name].has_expect else None


def location_of(prepared: PreparedSuite, name: str) -> Location:
    """Return where a case is written; for a logged call, where the suite names its log."""
    suite = prepared.suite
    return suite.cases[name].where.location("case") if name in suite.cases.numbers else suite.location(("log",))


def interval_of(passed: int, attempts: int) -> tuple[float, float] | None:
    """Return the exact 95 % interval of a pass rate (Clopper and Pearson 1934); None for a single attempt."""
    return clopper_pearson(passed, attempts) if attempts > 1 else None


def called_tools(attempt: Attempt | None) -> Sequence[CalledTool | TurnAnswer]:
    """Return the tools that led to an answer, or the answers in all turns or all steps of a chain.

    Tools without results are themselves the answer.
    """
    steps = attempt.steps if attempt else ()
    if any(step.name for step in steps) or (len(steps) > 1 and not any(step.results for step in steps)):
        return [TurnAnswer(number, step.answer.text, step.name) for number, step in enumerate(steps, 1)]
    return [
        CalledTool(number, call.name, call.arguments, result)
        for number, step in enumerate(steps, 1)
        for call, result in zip_longest(step.answer.calls, step.results)
    ]


def case_results(judged: JudgedRun, runs: RunStore) -> Iterator[CaseResult]:
    """Yield each case with every prompt: by model, then in the suite's order, then by prompt."""
    prepared = judged.prepared
    for model in prepared.models:
        states = dict.fromkeys(prepared.cases.quarantined, CaseOutcome.QUARANTINED.value)
        for verdict in judged.verdict.models:
            if verdict.model == model.name:
                states |= {item.case.name: item.outcome.value for item in verdict.cases}
        variants = prepared.prompts_of(model)
        for name in prepared.cases.on(model.name):
            for variant in variants:
                tagged = slot_of(variant)
                # The state is the gate's, empty if it has none; None for a prompt that the verdict is not about.
                state = states.get(name, "") if tagged == judged.verdict.candidate else None
                attempts = runs.attempts_at(judged.info.id, tagged, model.name, name)
                yield _case_result(prepared, name, model, variant, attempts, state)


def _case_result(
    prepared: PreparedSuite,
    name: str,
    model: PreparedModel,
    variant: Variant | None,
    attempts: Sequence[Attempt],
    state: str | None,
) -> CaseResult:
    case = prepared.suite.cases[name] if name in prepared.suite.cases.numbers else prepared.cases[name]
    location = location_of(prepared, name)
    answered = [item for item in attempts if item.outcome in (Outcome.PASSED, Outcome.FAILED)]
    failed = [item for item in answered if item.outcome is Outcome.FAILED]
    shown = next(iter(failed or answered or attempts), None)
    costs = [item.cost for item in attempts if item.answer is not None]
    return CaseResult(
        case=name,
        model=model.name,
        gated=model.gated,
        prompt=variant.label.removesuffix(".prompt") if variant else "",
        side=variant.side.value if variant else Side.BASELINE.value,
        judged=state is not None,
        state=state or _state(attempts),
        critical=name in prepared.cases.critical,
        logged=name in prepared.cases.with_log,
        tags=case.tags,
        file=location.path,
        line=location.line,
        expected=expected_of(prepared, name),
        attempts=len(answered),
        passed=len(answered) - len(failed),
        errored=sum(item.outcome is Outcome.ERRORED for item in attempts),
        answer=shown.answer.text if shown and shown.answer and shown.fallback is None else None,
        reasons=failures(shown.scores) if shown else (),
        error=next((item.error for item in attempts if item.error), None),
        rung=shown.rung.value if shown and shown.rung else None,
        provider_ms=sum(item.answer.provider_ms for item in attempts if item.answer and not item.cached),
        cost=None if None in costs else sum(cost for cost in costs if cost is not None),
        interval=interval_of(len(answered) - len(failed), len(answered)),
        cluster=case.cluster,
        called=called_tools(shown),
    )


def failing_calls(prepared: PreparedSuite, run: str, runs: RunStore) -> Iterator[dict[str, Json]]:
    """Yield the failing calls of the candidates in a run as lines of a log, with all that the cases expect.

    Conversations in turns are left out.
    """
    candidates = {item.hash: item.prompt for item in prepared.candidates}
    for attempt in runs.attempts(run):
        key = attempt.key
        if attempt.outcome is not Outcome.FAILED or key.variant not in candidates or key.case not in prepared.cases:
            continue
        # A line of a log is one call with its answer.
        if not prepared.cases[key.case].turns:
            yield {**_line(prepared, attempt, candidates[key.variant]), **_own_checks(prepared, key.case)}


def recorded_calls(prepared: PreparedSuite, run: str, runs: RunStore) -> Iterator[tuple[dict[str, Json], Attempt]]:
    """Yield all attempts of a run, each with a line as of `failing_calls`.

    Its `models` are the references of the attempt's model, under an empty name, and of steps that have a model.
    """
    models = {model.name: model.ref for model in prepared.models}
    for attempt in runs.attempts(run):
        key = attempt.key
        if key.case in prepared.cases:
            found, chain = prepared.by_hash.get(key.variant), prepared.chain_of(key.variant)
            own = {step.name: ModelRef.parse(step.model) for step in (chain.steps if chain else ()) if step.model}
            own[""] = models.get(key.model, ModelRef("", key.model))
            yield {**_line(prepared, attempt, found.prompt if found else None), "models": own}, attempt


def _line(prepared: PreparedSuite, attempt: Attempt, prompt: Prompt | None) -> dict[str, Json]:
    key, answer, case = attempt.key, attempt.answer, prepared.cases[attempt.key.case]
    usage = answer.usage if answer else None
    return {
        "promptbench": "call/1",
        "id": attempt.request_hash.removeprefix("sha256:")[:12],
        "case": key.case,
        "time": attempt.started,
        "prompt": prepared.prompt_name,
        "prompt_version": key.variant,
        "vars": dict(case.variables),
        "messages": []
        if prompt is None or isinstance(prompt, Chain)
        else [item.as_dict() for item in prompt.render(case.variables, case.history)],
        "model": key.model,
        "params": dict(answer.params) if answer else {},
        "answer": answer.text if answer else None,
        "finish_reason": answer.finish_reason if answer else None,
        "usage": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens} if usage else None,
        "latency_ms": None if not answer or attempt.cached or answer.by_batch else round(answer.provider_ms, 1),
        "failed": "; ".join(failures(attempt.scores)),
        "tags": list(case.tags),
    }


def _own_checks(prepared: PreparedSuite, name: str) -> dict[str, Json]:
    """Return what a case expects of an answer besides the checks of the whole suite."""
    if name in prepared.suite.cases.numbers:
        case = prepared.suite.cases[name]
        checks: list[Json] = [check.as_entry() for check in case.checks]
        if case.has_expect and case.expect is None:
            checks.append({"expect": None})
        found: dict[str, Json] = {"expected": case.expect, "checks": checks, "threshold": case.threshold}
    else:
        expected, checks = expectations_in_log(prepared.calls[name][0])
        found = {"expected": next(iter(expected), None), "checks": checks}
    return {key: value for key, value in found.items() if value not in (None, [])}


def explore(judged: JudgedRun, folder: Path, screen: Mapping[str, int]) -> Explored:
    """Return the prompts, cases and history of a run. `screen` is the number of first-round tries by model."""
    prepared = judged.prepared

    def history(runs: RunStore) -> Iterator[PastRow]:
        for item in runs.history(prepared.suite.name, prepared.prompt_name):
            yield replace(item, prompt=item.prompt.removesuffix(".prompt"))

    return Explored(
        prompts=[
            PromptText(item.label.removesuffix(".prompt"), item.side.value, item.hash, item.prompt.source)
            for item in prepared.by_hash.values()
        ],
        cases=FromRecord(folder, partial(_case_attempts, judged, screen)),
        history=FromRecord(folder, history),
    )


def _case_attempts(judged: JudgedRun, screen: Mapping[str, int], runs: RunStore) -> Iterator[CaseAttempts]:
    prepared, written = judged.prepared, judged.prepared.suite.cases
    states = {
        (model.model, item.case.name): item.outcome.value for model in judged.verdict.models for item in model.cases
    }
    slots = [(slot_of(variant), model.name) for model in prepared.models for variant in prepared.prompts_of(model)]
    own = {slot_of(model.own_prompt) for model in prepared.models if not model.uses_prompt}
    judged_by = {judged.verdict.candidate, *own}
    for name in prepared.cases.names:
        case = prepared.cases[name]
        attempts = [item for slot in slots for item in runs.attempts_at(judged.info.id, *slot, name)]
        yield CaseAttempts(
            case=name,
            number=prepared.cases.numbers[name],
            tags=case.tags,
            critical=case.critical,
            states={
                model.name: states.get((model.name, name))
                or _state([item for item in attempts if item.key.model == model.name and item.key.variant in judged_by])
                for model in prepared.models
                if prepared.cases.terms(name).allow(model.name)
            },
            variables=case.variables,
            expected=[written[name].expect] if name in written.numbers and written[name].has_expect else [],
            was=case.was,
            asked={
                variant.hash: [
                    (message.role, message.content) for message in variant.prompt.render(case.variables, case.history)
                ]
                for variant in prepared.by_hash.values()
            },
            attempts=[attempt_row(item, screen) for item in attempts],
        )


def _state(attempts: Sequence[Attempt]) -> str:
    """Return the state of a case that the gate did not compare."""
    outcomes = {item.outcome for item in attempts}
    if Outcome.FAILED in outcomes:
        return CaseOutcome.FAILING.value
    return "passing" if Outcome.PASSED in outcomes else CaseOutcome.NO_ANSWER.value


def attempt_row(attempt: Attempt, screen: Mapping[str, int]) -> AttemptRow:
    """Return an attempt as pages show it. `screen` is the number of first-round tries by model."""
    key, answer = attempt.key, attempt.answer
    usage = answer.usage if answer else None
    is_timed = answer is not None and not (answer.recorded or answer.by_batch or attempt.cached)
    return AttemptRow(
        prompt=key.variant,
        model=key.model,
        repeat=key.repeat,
        counted=key.repeat < screen.get(key.model, 1),
        outcome=attempt.outcome.value,
        answer=answer.text if answer else None,
        rung=attempt.rung.value if attempt.rung else None,
        repairs=list(dict.fromkeys(repair.name for repair in attempt.repairs)),
        reasons=failures(attempt.scores),
        error=attempt.error,
        fallback=attempt.fallback,
        tries=attempt.tries,
        cached=attempt.cached,
        provider_ms=answer.provider_ms if answer and is_timed else None,
        queue_ms=attempt.queue_ms,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        cost=attempt.cost,
        started=attempt.started,
        called=called_tools(attempt),
        scores=attempt.scores,
    )
