"""Call models with a suite's cases outside of a run, for tests in other frameworks and for programs.

Each request is made once. Nothing is recorded or judged, so nothing here proves a prompt.
"""

import difflib
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from promptbench.core.errors import Diagnostics, InputError, Location
from promptbench.core.protocols import CheckContext
from promptbench.core.secrets import hide
from promptbench.core.types import Answer, Attempt, AttemptKey, Json, Rung, Step, failures
from promptbench.engine.attempts import Attempts
from promptbench.engine.plan import Estimate, Repeats, Task, estimates, judge_estimates
from promptbench.engine.prepare import checks
from promptbench.engine.prepare.cases import own_specs
from promptbench.engine.prepare.evaluate import Evaluation, evaluate, needs_judge
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedModel, Variant, slot_of
from promptbench.engine.runner import Engine, ignore
from promptbench.gateway import Budget
from promptbench.parsing.json_text import read as read_json
from promptbench.project import Project, input_error
from promptbench.suite.cases import read_case
from promptbench.suite.models import Where
from promptbench.workflows.judge.budgets import Spending
from promptbench.workflows.judge.execute import gateway_of, limiters_of, prices_of
from promptbench.workflows.judge.recorded_results import expected_of, location_of
from promptbench.yaml.marked import parse_line


@dataclass(frozen=True, slots=True)
class CaseRequest:
    """A case for a model, with one of the suite's candidates; `prompt` is empty for a model that uses none."""

    case: str
    model: str
    prompt: str
    key: AttemptKey = field(repr=False)


class SuiteSession:
    """A suite with its models, or some of them, ready to be called, within `spending`.

    Sessions with the same `budget` share it.

    Raises InputError with all errors if the suite is invalid.
    """

    def __init__(
        self,
        project: Project,
        path: Path,
        spending: Spending | None = None,
        budget: Budget | None = None,
        models: Sequence[str] = (),
    ) -> None:
        self._project = project
        self._stack = ExitStack()
        self._engine: Engine | None = None
        self._record = _InMemory()
        try:
            store = self._stack.enter_context(project.prompts())
            runs = self._stack.enter_context(project.recordings())
            selection = Selection((project.suite_file(path),), models=tuple(models))
            [self.prepared], _ = project.assemble(selection, store=store, runs=runs)
            spending = spending or Spending()
            spending.check(project, [self.prepared])
            self._budgets = spending.budgets(budget or spending.budget(), self.prepared)
            self._slots: dict[tuple[str, str], tuple[Variant | None, PreparedModel]] = {
                (slot_of(variant), model.name): (variant, model)
                for model in self.prepared.models
                for variant in (self.prepared.candidates if model.uses_prompt else (model.own_prompt,))
            }
        except BaseException:
            self._stack.close()
            raise

    def requests(self) -> list[CaseRequest]:
        """Return every case for every model and candidate, in the order of the suite."""
        return [
            CaseRequest(
                name,
                model.name,
                variant.label.removesuffix(".prompt") if variant else "",
                AttemptKey(slot_of(variant), model.name, name, 0),
            )
            for name in self.prepared.cases.names
            for variant, model in self._slots.values()
            if self.prepared.cases.terms(name).allow(model.name)
        ]

    def location(self, case: str) -> Location:
        return location_of(self.prepared, case)

    def call(self, requests: Iterable[CaseRequest]) -> None:
        """Make the attempts that are not made yet. Raises KeyboardInterrupt after Ctrl-C."""
        keys = [item.key for item in requests if item.key not in self._record.attempts]
        tasks = [Task(*self._slots[key.variant, key.model], self.prepared.cases[key.case], 0) for key in keys]
        if not tasks:
            return
        if self._engine is None:
            project, prepared = self._project, self.prepared
            prices, limiters = prices_of(project, prepared.reachable), limiters_of(project, prepared, None)
            gateway = gateway_of(project, prepared.reachable, prices, self._budgets, limiters, ignore)
            self._engine = Engine(gateway)
        attempts = Attempts(self.prepared, self._engine, self._record)
        self._engine.run(tasks, attempts, attempts.workers)
        if self._engine.stopped:
            raise KeyboardInterrupt

    def attempt(self, item: CaseRequest) -> Attempt | None:
        """Return the attempt for a request; None if it was not made."""
        return self._record.attempts.get(item.key)

    @property
    def reason(self) -> str:
        """Why attempts were not made: a used-up budget, or a disabled model."""
        if self._engine is not None and self._engine.spent:
            return f"the budget is used up: {self._engine.spent}"
        down = self._engine.down if self._engine is not None else {}
        return next(iter(down.values()), "it was not called")

    def evaluation(self, case: str, answer: str) -> Evaluation:
        """Check any answer as an answer to a case. Raises KeyError, and InputError if a judge decides a check."""
        found, prepared = self.prepared.cases[case], self.prepared
        own = found.checks[prepared.candidates[0].hash]
        if any(needs_judge(check) for check in own):
            raise _needs_judge()
        return evaluate(answer, own, prepared.accept, found.variables, None, found.threshold, ladder=prepared.ladder)

    def explain(self, item: CaseRequest, attempt: Attempt) -> str:
        """Return why an answer fails, its difference to what was expected, and how to repeat it; without secrets."""
        answer = attempt.answer.text if attempt.answer else ""
        folder = self._project.shown(self.prepared.suite.folder)
        command = ["promptbench", "run", folder, "--case", item.case, "--model", item.model]
        lines = [
            *failures(attempt.scores),
            "",
            f"case    {item.case} ({self.location(item.case)})",
            f"model   {item.model}",
            *([f"prompt  {item.prompt}"] if item.prompt else []),
            "",
            *_differences(expected_of(self.prepared, item.case), answer, self.prepared.accept),
            "",
            f"again: {shlex.join(command)}",
        ]
        return self.masked("\n".join(lines))

    def masked(self, text: str) -> str:
        """Return a text without the environment's secrets and anything else that looks like a key."""
        return hide(self._project.secrets.mask(text))

    def close(self) -> None:
        try:
            if self._engine is not None:
                self._engine.close()
        finally:
            self._stack.close()


def try_case(
    project: Project, path: Path, case: PreparedCase, model: str, spending: Spending, *, dry_run: bool = False
) -> tuple[Mapping[str, Estimate], Attempt | None, str]:
    """Try a case, in the suite or not, once on one of its models; with `dry_run` make no call.

    Return the expected calls by model, the attempt, and the reason if there is none. Raise InputError if a cost limit
    cannot be kept because a price is unknown.
    """
    session = SuiteSession(project, path, spending, models=[model])
    try:
        prepared = session.prepared
        prepared.cases.add(case, 0, held=True)
        only = prepared.cases.only([case.name])
        alone = replace(prepared, cases=only, candidates=prepared.candidates[:1], champion=None)
        cost = prices_of(project, prepared.reachable).of_tokens
        expected = estimates(alone, Repeats(1), cost) | judge_estimates(alone, Repeats(1), cost)
        found = [item for item in session.requests() if item.case == case.name][:1]
        session.call([] if dry_run else found)
        attempt = session.attempt(found[0]) if found else None
        return expected, attempt, session.reason if found else "the case is not for this model"
    finally:
        session.close()


class _InMemory:
    """The attempts of a session."""

    def __init__(self) -> None:
        self.attempts: dict[AttemptKey, Attempt] = {}
        self._judged: dict[str, Answer] = {}
        self._steps: dict[AttemptKey, list[Step]] = {}

    def add(self, attempts: Iterable[tuple[Attempt, bool]]) -> None:
        for attempt, _ in attempts:
            self.attempts[attempt.key] = attempt
            self._judged.update(
                (item.request_hash, item.answer) for item in attempt.judgings if item.verdict and item.answer
            )

    def attempt(self, key: AttemptKey) -> Attempt | None:
        return self.attempts.get(key)

    def add_step(self, key: AttemptKey, number: int, step: Step, *, same: bool) -> None:
        self._steps.setdefault(key, []).append(step)

    def steps(self, key: AttemptKey) -> list[Step]:
        return self._steps.get(key, [])

    def judged(self, request_hash: str) -> Answer | None:
        return self._judged.get(request_hash)


_MOST_LINES = 60


def _differences(expected: str | None, answer: str, accept: Rung) -> list[str]:
    """Return what was expected and what the answer is; for data, the fields that were named, one per line."""
    old, new = _lines("" if expected is None else expected), _lines(answer)
    if expected is not None:
        reading, wanted = read_json(answer), read_json(expected)
        if wanted.rung is Rung.RAW and reading.rung.within(accept):
            value = reading.value
            if isinstance(wanted.value, dict) and isinstance(value, dict):
                # Other fields are free.
                value = {key: item for key, item in value.items() if key in wanted.value}
            old, new = _data_lines(wanted.value), _data_lines(value)
    if expected is None or old == new:
        return ["answer:", *_lines(answer)]
    changes = [line for line in difflib.ndiff(old, new) if not line.startswith("?")]
    return ["- expected", "+ answer", *changes]


def _data_lines(value: Json) -> list[str]:
    """Return data with one line per field or entry."""
    dump = partial(json.dumps, ensure_ascii=False, sort_keys=True)
    if isinstance(value, dict):
        return _lines("\n".join(f"{name}: {dump(value[name])}" for name in sorted(value)))
    return _lines("\n".join(map(dump, value if isinstance(value, list) else [value])))


def _lines(text: str) -> list[str]:
    lines = ["".join(char if char.isprintable() else "\ufffd" for char in line)[:500] for line in text.splitlines()]
    more = len(lines) - _MOST_LINES
    return lines if more <= 0 else [*lines[:_MOST_LINES], f"… {more} more lines"]


def _needs_judge() -> InputError:
    return InputError("a judge decides a check, and no model is called here", hint="`promptbench run` calls it")


_NOTHING = object()


def check_answer(
    project: Project,
    answer: str,
    written: Json = (),
    *,
    expect: Json = _NOTHING,
    accept: str = "extracted",
    variables: Mapping[str, Json] | None = None,
    threshold: float | None = None,
) -> Evaluation:
    """Score an answer with checks as Python data, each as under `checks:` in a suite, and `expect` as there.

    Files that a check names are relative to the current folder. Raises InputError with every error in the checks.
    """
    case: dict[str, Json] = {"case": "answer", "vars": dict(variables or {}), "checks": written or []}
    case |= {} if expect is _NOTHING else {"expect": expect}
    found = Diagnostics()
    line = parse_line("checks", 1, json.dumps(case), found)
    read = read_case(line.value, Where(line), found) if line else None
    values = project.settings.values
    context = CheckContext(Path.cwd(), None, project.settings.root, tuple(values.python))
    built = [checks.build(spec, context, found) for spec in own_specs(read)] if read else []
    if read is None or found.errors:
        raise input_error(found)
    own = [checks.with_expected(check, read.expect) if read.has_expect else check for check in built if check]
    if not own:
        raise InputError("there is nothing to check", hint="give the expected answer as expect=, or checks")
    if any(needs_judge(check) for check in own):
        raise _needs_judge()
    rung = Rung(accept.replace(" ", "_"))
    return evaluate(answer, own, rung, read.variables, None, threshold, ladder=project.ladder)
