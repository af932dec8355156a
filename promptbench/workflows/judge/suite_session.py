"""Call models with a suite's cases outside of a run: for tests in other frameworks, and for programs.

Each request is made once. Nothing is recorded and there is no verdict, so nothing here proves a prompt.
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from promptbench.core.diagnostics import Diagnostics, Location
from promptbench.core.errors import InputError
from promptbench.core.protocols import CheckContext
from promptbench.core.secrets import hide
from promptbench.core.types import Answer, Attempt, AttemptKey, Json, Rung
from promptbench.engine.attempts import Attempts
from promptbench.engine.plan import Task
from promptbench.engine.prepare import checks
from promptbench.engine.prepare.cases import own_specs
from promptbench.engine.prepare.evaluate import Evaluation, Judged, evaluate
from promptbench.engine.prepare.prepared_suite import BASELINE, PreparedModel, Variant
from promptbench.engine.runner import Engine, ignore
from promptbench.parsing.json_text import read as read_json
from promptbench.parsing.ladder import Ladder
from promptbench.project import Project, Selection, mistakes
from promptbench.suite.cases import read_case
from promptbench.suite.models import Where
from promptbench.workflows.judge.budgets import Spending
from promptbench.workflows.judge.execute import gateway_of, limiters_of, prices_of
from promptbench.workflows.judge.recorded_results import expected_of
from promptbench.yaml.marked_json import parse_line


@dataclass(frozen=True, slots=True)
class CaseRequest:
    """A case for a model, with one of the suite's candidates; `prompt` is empty for a model that uses none."""

    case: str
    model: str
    prompt: str
    key: AttemptKey = field(repr=False)


class SharedBudget:
    """One budget for several suites of a test session."""

    def __init__(self, spending: Spending) -> None:
        self.spending = spending
        self.budget = spending.budget()


class SuiteSession:
    """A suite with its models ready to be called. Sessions that are opened with the same `budget` share it.

    Raises InputError with all errors if the suite is invalid.
    """

    def __init__(self, project: Project, path: Path, budget: SharedBudget | None = None) -> None:
        self._project = project
        self._stack = ExitStack()
        self._engine: Engine | None = None
        self._record = _InMemory()
        try:
            store = self._stack.enter_context(project.prompts())
            runs = self._stack.enter_context(project.recordings())
            selection = Selection((project.suite_file(path),))
            [self.prepared], _ = project.assemble(selection, store=store, runs=runs)
            budget = budget or SharedBudget(Spending())
            budget.spending.check(project, [self.prepared])
            self._budgets = budget.spending.budgets(budget.budget, self.prepared)
        except BaseException:
            self._stack.close()
            raise

    def requests(self) -> list[CaseRequest]:
        """Return every case for every model and candidate, in the order of the suite."""
        return [
            CaseRequest(name, model.name, variant.label.removesuffix(".prompt") if variant else "", task.key)
            for name in self.prepared.cases.names
            for model, variant in self._slots()
            for task in [Task(variant, model, self.prepared.cases[name], 0)]
        ]

    def _slots(self) -> Iterator[tuple[PreparedModel, Variant | None]]:
        for model in self.prepared.models:
            for variant in self.prepared.candidates if model.uses_prompt else (None,):
                yield model, variant

    def location(self, case: str) -> Location:
        """Return where a case is written; for a logged call, where the suite names its log."""
        suite = self.prepared.suite
        known = case in suite.cases.numbers
        return suite.cases[case].where.location("case") if known else suite.location(("log",))

    def call(self, wanted: Iterable[CaseRequest]) -> None:
        """Make the attempts that are not made yet. Raises KeyboardInterrupt after Ctrl-C."""
        slots = {
            (model.name, variant.hash if variant else BASELINE): (variant, model) for model, variant in self._slots()
        }
        keys = [item.key for item in wanted if item.key not in self._record.attempts]
        tasks = [Task(*slots[key.model, key.variant], self.prepared.cases[key.case], 0) for key in keys]
        if not tasks:
            return
        engine = self._engine = self._engine or self._open_engine()
        attempts = Attempts(self.prepared, engine, self._record)
        engine.run(tasks, attempts, attempts.workers)
        if engine.stopped:
            raise KeyboardInterrupt

    def _open_engine(self) -> Engine:
        project, prepared = self._project, self.prepared
        prices, limiters = prices_of(project, prepared), limiters_of(project, prepared, None)
        return Engine(gateway_of(project, prepared.reachable, prices, self._budgets, limiters, ignore))

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
        found = self.prepared.cases[case]
        own = found.checks[self.prepared.candidates[0].hash]
        return _scored(answer, own, self.prepared.accept, found.variables, found.threshold, self.prepared.ladder)

    def variables(self, case: str) -> Mapping[str, Json]:
        return self.prepared.cases[case].variables

    def explain(self, item: CaseRequest, attempt: Attempt) -> str:
        """Return why an answer fails, its difference to what was expected, and how to repeat it; without secrets."""
        answer = attempt.answer.text if attempt.answer else ""
        lines = [*attempt.reasons, "", f"case    {item.case} ({self.location(item.case)})", f"model   {item.model}"]
        lines += [f"prompt  {item.prompt}"] if item.prompt else []
        lines += ["", *_differences(expected_of(self.prepared, item.case), answer, self.prepared.accept), ""]
        folder = self._project.shown(self.prepared.suite.folder)
        command = ["promptbench", "run", folder, "--case", item.case, "--model", item.model]
        lines += [f"again: {shlex.join(command)}"]
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


class _InMemory:
    """The attempts of a session."""

    def __init__(self) -> None:
        self.attempts: dict[AttemptKey, Attempt] = {}
        self._judged: dict[str, Answer] = {}

    def add(self, attempts: Iterable[tuple[Attempt, bool]]) -> None:
        for attempt, _ in attempts:
            self.attempts[attempt.key] = attempt
            self._judged.update(
                (item.request_hash, item.answer) for item in attempt.judgings if item.verdict and item.answer
            )

    def attempt(self, key: AttemptKey) -> Attempt | None:
        return self.attempts.get(key)

    def judged(self, request_hash: str) -> Answer | None:
        return self._judged.get(request_hash)


_MOST_LINES = 60


def _differences(expected: str | None, answer: str, accept: Rung) -> Iterator[str]:
    """Yield what was expected and what the answer is; for data, the fields that were named, one per line."""
    if expected is None:
        yield from ["answer:", *_shown(answer)]
        return
    reading = read_json(answer)
    wanted = read_json(expected)
    old, new = _shown(expected), _shown(answer)
    if wanted.rung is Rung.RAW and reading.rung.within(accept):
        value = reading.value
        if isinstance(wanted.value, dict) and isinstance(value, dict):
            # Other fields are free.
            value = {key: item for key, item in value.items() if key in wanted.value}
        old, new = _as_lines(wanted.value), _as_lines(value)
    if old == new:
        yield from ["answer:", *_shown(answer)]
        return
    yield from ["- expected", "+ answer"]
    yield from (line for line in difflib.ndiff(old, new) if not line.startswith("?"))


def _as_lines(value: Json) -> list[str]:
    """Return data with one line per field or entry."""
    if isinstance(value, dict):
        return _shown("\n".join(f"{name}: {_dumped(value[name])}" for name in sorted(value)))
    return _shown("\n".join(map(_dumped, value if isinstance(value, list) else [value])))


def _dumped(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _shown(text: str) -> list[str]:
    lines = ["".join(char if char.isprintable() else "\ufffd" for char in line)[:500] for line in text.splitlines()]
    more = len(lines) - _MOST_LINES
    return lines if more <= 0 else [*lines[:_MOST_LINES], f"… {more} more lines"]


def _scored(
    answer: str,
    own: Sequence[object],
    accept: Rung,
    variables: Mapping[str, Json],
    threshold: float | None,
    ladder: Ladder,
) -> Evaluation:
    if any(isinstance(check, Judged) for check in own):
        raise InputError("a judge decides a check, and no model is called here", hint="`promptbench run` calls it")
    return evaluate(answer, own, accept, variables, None, threshold, ladder=ladder)  # type: ignore[arg-type]


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
        raise mistakes(found)
    own = [checks.with_expected(check, read.expect) if read.has_expect else check for check in built if check]
    if not own:
        raise InputError("there is nothing to check", hint="give the expected answer as expect=, or checks")
    return _scored(answer, own, Rung(accept.replace(" ", "_")), read.variables, threshold, project.ladder)
