"""Replay logged calls: score their answers again, or send their inputs to the production prompt and the candidate."""

import shlex
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, islice, pairwise
from pathlib import Path

from promptbench.core.errors import Diagnostics, Exit, NothingSelected
from promptbench.core.events import Listener
from promptbench.core.types import Json, LoggedCall
from promptbench.core.words import number_of
from promptbench.engine.plan import Estimate
from promptbench.engine.prepare.evaluate import Evaluation
from promptbench.engine.prepare.inputs import input_of, unusable
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gate.case_outcomes import CaseOutcome
from promptbench.gate.judge import ModelVerdict, Result
from promptbench.project import Project
from promptbench.report.document import Block, Document, Report, Section, TableBlock, TableColumn, Text
from promptbench.workflows.judge.budgets import Spending, estimate_calls
from promptbench.workflows.judge.execute import JudgedRun, execute
from promptbench.workflows.logs.valid_suite import ValidSuite, open_valid_suite

# Names that a report lists.
_MAX_NAMES = 10
_STATES = (CaseOutcome.FIXED, CaseOutcome.STILL_FAILING, CaseOutcome.NOT_REPRODUCED, CaseOutcome.NO_ANSWER)
_STATE_OF = {
    CaseOutcome.BROKEN: CaseOutcome.STILL_FAILING,
    CaseOutcome.UNSTABLE: CaseOutcome.STILL_FAILING,
    CaseOutcome.STILL_PASSING: CaseOutcome.NOT_REPRODUCED,
    CaseOutcome.FLAKY: CaseOutcome.NOT_REPRODUCED,
}


@dataclass(slots=True)
class LoggedModel:
    """The logged answers of one model: how many, how many fail now, and the format rungs of those that fail."""

    model: str
    answers: int = 0
    failing: int = 0
    rungs: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReplayedCase:
    """One logged input, sent again. `other_models` failed in the log and were not called now; `reproduced_on` is the
    number of models on which the prompt in production fails.
    """

    case: str
    calls: Sequence[str]
    state: str
    by_model: Mapping[str, str]
    other_models: Sequence[str]
    reproduced_on: int


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Logged failures, sent again to production and candidate. `passing_now` counts calls that now pass all checks."""

    path: str
    run: str
    candidate: str
    champion: str | None
    models: Sequence[str]
    cases: Sequence[ReplayedCase]
    passing_now: int
    left_out: Mapping[str, int]
    no_verdict: str | None

    @property
    def exit(self) -> Exit:
        if self.no_verdict:
            return Exit.ENVIRONMENT
        return Exit.NO if self.count(CaseOutcome.STILL_FAILING) or self.count(CaseOutcome.NO_ANSWER) else Exit.YES

    def count(self, state: str) -> int:
        """Return the number of logged failures (not inputs) in a state."""
        return sum(len(item.calls) for item in self.cases if item.state == state)

    def as_dict(self) -> dict[str, Json]:
        counts = {state.replace(" ", "_"): self.count(state) for state in _STATES}
        return {"asked": True, "counts": counts, "sentence": self.sentence, **asdict(self)}

    @property
    def sentence(self) -> str:
        if self.no_verdict:
            return self.no_verdict
        failures = f"of {number_of(sum(len(item.calls) for item in self.cases), 'logged failure')}"
        fixed, failing, passing, unanswered = map(self.count, _STATES)
        if self.champion is None:
            parts = [f"{failures} {self.candidate} passes {fixed}", f"fails {failing}"]
        else:
            verb = "is" if fixed == 1 else "are"
            parts = [f"{failures} {fixed} {verb} fixed by {self.candidate}", f"{failing} still failing"]
            parts.append(f"{passing} not reproduced by {self.champion}")
        return ", ".join([*parts, *([f"{unanswered} without an answer"] if unanswered else [])])


def replay_answers(
    project: Project, path: Path, calls: Iterable[LoggedCall], bad: Mapping[str, int] | None = None
) -> Report:
    """Score the logged answers with the current checks of the suite, without calling a model. Return the report.

    `bad` counts unreadable records by cause, once all calls are read. Raise InputError if the suite has errors,
    NothingSelected if no call is left.
    """
    with open_valid_suite(project, path) as opened:
        models: dict[str, LoggedModel] = {}
        checks: Counter[str] = Counter()
        passing = _PackedTexts()
        usable = UsableCalls(calls, opened, bad)
        for call, found, passes in usable:
            model = models.setdefault(call.model, LoggedModel(call.model))
            model.answers += 1
            if passes:
                passing.append(call.id)
                continue
            # If only a judge can decide, the call counts as a failure, because the log marked it as one.
            model.failing += 1
            if found.rung:
                model.rungs[found.rung.value] = model.rungs.get(found.rung.value, 0) + 1
            # In the order of the suite, which decides between equal counts.
            failed = (score.check for score in found.scores if not (score.passed or score.errored))
            checks.update(dict.fromkeys(failed, 1))
    usable.raise_if_none()
    return rescore_report(opened.shown, list(models.values()), checks, passing, usable.left_out)


def replay(
    project: Project,
    selection: Selection,
    calls: Iterable[LoggedCall],
    *,
    command: Sequence[str],
    spending: Spending,
    announce: Callable[[int, Mapping[str, Estimate]], object],
    listen: Listener,
    dry_run: bool = False,
    bad: Mapping[str, int] | None = None,
) -> ReplayReport | None:
    """Send the logged inputs to champion and candidate on every model.

    Only failures are replayed: calls whose logged answers fail the current checks.

    Args:
        project: the project of the suite.
        selection: the suite.
        calls: the logged calls.
        command: the command that repeats this replay.
        spending: the limits on cost, calls and time.
        announce: called before the first call with the number of failures, and for each model the estimated calls,
            tokens and cost.
        listen: called with each event of the run.
        dry_run: True to stop after `announce`.
        bad: counts unreadable records by cause, once all calls are read.

    Returns:
        The report; None for a dry run.

    Raises:
        NothingSelected: if no failure is left. Also raises what `run` raises.
    """
    with (
        open_valid_suite(project, selection.paths[0], selection) as opened,
        project.recordings() if dry_run else project.runs() as runs,
    ):
        usable = UsableCalls(calls, opened, bad)
        failing = [call for call, _, passes in usable if not passes]
        usable.raise_if_none()
        [prepared], _ = project.assemble(selection, store=opened.store, runs=runs, calls=failing)
        spending.check(project, [prepared])
        failures = sum(map(len, prepared.calls.values()))
        announce(failures, estimate_calls(project, prepared))
        if dry_run or runs is None:
            return None
        chosen = {"prompt": [], "model": [], "case": [], "tag": [], "replayed": list(prepared.calls)}
        finished = execute(
            project,
            prepared,
            runs,
            listen,
            command=shlex.join(command),
            selection=chosen,
            budgets=spending.budgets(spending.budget(), prepared),
        )
    verdict = finished.verdict
    labels = {variant.hash: variant.label for variant in (*prepared.variants, *prepared.candidates)}
    return ReplayReport(
        path=project.shown(prepared.suite.path),
        run=finished.info.id,
        candidate=labels[verdict.candidate],
        champion=labels[verdict.champion] if verdict.champion else None,
        models=[model.model for model in verdict.models],
        cases=list(_build_cases(prepared, finished)),
        passing_now=usable.count - failures,
        left_out=usable.left_out,
        no_verdict=verdict.sentence if verdict.result is Result.NO_VERDICT else None,
    )


class UsableCalls:
    """The calls that the prompts of a suite can replay, scored one at a time. After the iteration, `count` is their
    number, and `left_out` has the reasons why others cannot be replayed, with counts.
    """

    def __init__(self, calls: Iterable[LoggedCall], suite: ValidSuite, bad: Mapping[str, int] | None) -> None:
        self._calls, self._bad = calls, bad
        self._prompts = [item.prompt for item in suite.prompts]
        self._builder = suite.builder(Diagnostics())
        self._defaults = suite.suite.common.variables
        self._reasons: Counter[str] = Counter()
        self.count = 0

    def __iter__(self) -> Iterator[tuple[LoggedCall, Evaluation, bool]]:
        """Yield each call with its scores, and True if it passes."""
        find_case = self._builder.case_finder()
        for call in self._calls:
            given = input_of(call, self._prompts[::-1], self._prompts, self._defaults)
            reason = "it has no answer" if call.answer is None else unusable(given, self._prompts)
            if call.prompt is not None and call.prompt != self._prompts[0].name:
                reason = "it used another prompt"
            case = find_case(call, given) if reason is None and not isinstance(given, str) else None
            if case is None:
                self._reasons[reason or "its expected answer or its checks are invalid"] += 1
                continue
            self.count += 1
            found = self._builder.evaluation(call.answer or "", case)
            yield call, found, self._builder.is_passing(found, case) is True

    @property
    def left_out(self) -> dict[str, int]:
        return dict(self._reasons + Counter(self._bad or {}))

    def raise_if_none(self) -> None:
        """Raise NothingSelected if no call can be replayed."""
        if not self.count:
            reasons = "; ".join(f"{count} × {reason}" for reason, count in Counter(self.left_out).most_common(3))
            raise NothingSelected("no logged call can be replayed" + (f": {reasons}" if reasons else ""))


class _PackedTexts:
    """A list of texts in a tenth of the memory."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q")

    def append(self, text: str) -> None:
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[str]:
        for start, end in pairwise(chain((0,), self._ends)):
            yield self._bytes[start:end].decode("utf-8", "surrogatepass")


def _build_cases(prepared: PreparedSuite, finished: JudgedRun) -> Iterator[ReplayedCase]:
    """Yield the state of each logged input over all models."""
    verdict = finished.verdict
    suite_models = {model.model.rpartition("/")[2] for model in verdict.models}
    for name, calls in prepared.calls.items():
        if name not in prepared.cases:
            continue
        states = {model.model: _find_state(finished, model, name) for model in verdict.models}
        known = set(states.values()) - {CaseOutcome.NO_ANSWER}
        otherwise = CaseOutcome.NOT_REPRODUCED if known else CaseOutcome.NO_ANSWER
        worst = (state for state in (CaseOutcome.STILL_FAILING, CaseOutcome.FIXED) if state in known)
        yield ReplayedCase(
            case=name,
            calls=[call.id for call in calls],
            state=next(worst, otherwise),
            by_model=states,
            other_models=sorted(
                {call.model for call in calls if call.model and call.model.rpartition("/")[2] not in suite_models}
            ),
            # Without a prompt in production, the candidate's failures count.
            reproduced_on=sum(
                bool(_fails(finished, verdict.champion or verdict.candidate, model, name)) for model in states
            ),
        )


def _find_state(finished: JudgedRun, model: ModelVerdict, name: str) -> CaseOutcome:
    """Return the state of a logged failure on one model: one of `_STATES`, or quarantined."""
    outcome = next((item.outcome for item in model.cases if item.case.name == name), None)
    if outcome is not None:
        return _STATE_OF.get(outcome, outcome)
    fails = _fails(finished, finished.verdict.candidate, model.model, name)
    if fails is None:
        return CaseOutcome.NO_ANSWER
    return CaseOutcome.STILL_FAILING if fails else CaseOutcome.FIXED


def _fails(finished: JudgedRun, version: str, model: str, name: str) -> bool | None:
    cell = finished.table.cell(version, model, name)
    return cell.failures * 2 >= cell.total if cell.total else None


def rescore_report(
    path: str,
    models: Sequence[LoggedModel],
    checks: Counter[str],
    passing: Sequence[str] | _PackedTexts,
    left_out: Mapping[str, int],
) -> Report:
    """Return the report on logged answers under today's checks.

    Args:
        path: the suite.
        models: the answers of each model.
        checks: the number of failing answers of each check.
        passing: the ids of the calls that pass.
        left_out: the number of calls that cannot be replayed, by the reason.
    """
    rows = []
    for item in sorted(models, key=lambda item: -item.failing):
        rungs = Counter(item.rungs).most_common()
        formats = ", ".join(f"{count} {rung.replace('_', ' ')}" for rung, count in rungs)
        rows.append((item.model or "?", str(item.answers), str(item.failing), formats or "–"))
    columns = [TableColumn("model", numeric=False), TableColumn("answers"), TableColumn("failing now")]
    blocks: list[Block] = [TableBlock([*columns, TableColumn("format of these", numeric=False, wrap=True)], rows)]
    if checks:
        failing = ", ".join(f"{name} {count}" for name, count in checks.most_common())
        blocks.append(Text(f"failing checks: {failing}"))
    if passing:
        blocks.append(Text(f"passing all checks now: {_named(passing)}"))
    answers, failing_now = sum(item.answers for item in models), sum(item.failing for item in models)
    verb = "fails" if failing_now == 1 else "fail"
    verdict = f"{failing_now} of {answers} logged answers {verb} the checks of {path}; no model was called"
    document = Document("", [Section([*blocks, *_left_out(left_out)])], verdict)

    def data() -> dict[str, Json]:
        counts = {"models": list(map(asdict, models)), "checks": dict(checks.most_common())}
        return {"asked": False, "path": path, **counts, "left_out": left_out, "passing": list(passing)}

    return Report("replay", document, data, path=path)


def replay_report(found: ReplayReport) -> Report:
    """Return the report on logged inputs that were sent again."""
    lines = []
    for model in found.models:
        counts = Counter(item.by_model[model] for item in found.cases).most_common()
        lines.append(f"{model}: " + ", ".join(f"{count} {state}" for state, count in counts))
    for state in _STATES[1:]:
        if names := [item.case for item in found.cases if item.state == state]:
            lines.append(f"{state}: {_named(names)}")
    for item in found.cases:
        if item.other_models:
            models = f"{item.reproduced_on} of {number_of(len(found.models), 'model')}"
            text = f"failed on {', '.join(item.other_models)}, which is not called here: reproduced on {models}"
            lines.append(f"'{item.case}' {text}")
    if found.passing_now:
        verb = "passes" if found.passing_now == 1 else "pass"
        lines.append(f"{number_of(found.passing_now, 'logged answer')} {verb} all checks now")
    note = Text("this is not the whole suite, so it cannot be promoted")
    document = Document("", [Section([*map(Text, lines), *_left_out(found.left_out), note])], found.sentence)
    return Report("replay", document, found.as_dict, exit=found.exit, run=found.run, path=found.path)


def _left_out(reasons: Mapping[str, int]) -> list[Text]:
    return [Text(f"left out: {number_of(count, 'call')}: {reason}") for reason, count in reasons.items()]


def _named(names: Sequence[str] | _PackedTexts) -> str:
    rest = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(f"'{name}'" for name in islice(names, _MAX_NAMES)) + rest
