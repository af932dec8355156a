"""A suite's cases asked apart from any run: for tests in other frameworks, and for programs.

Each question is asked once. Nothing is put on record and nothing is judged, so nothing here proves a prompt.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from promptbench.api.results import expected_of
from promptbench.api.running import first_error, gateway_of, pacers_of, prices_of
from promptbench.api.spending import Spending
from promptbench.api.workspace import Project, input_error
from promptbench.core.diagnostics import Diagnostics, Location
from promptbench.core.errors import InputError
from promptbench.core.events import Event
from promptbench.core.protocols import CheckContext
from promptbench.core.secrets import hide
from promptbench.core.types import Answer, Attempt, AttemptKey, Json, Rung
from promptbench.engine import leaving
from promptbench.engine.plan import Task
from promptbench.engine.runner import Runner
from promptbench.formats.json_text import read as read_json
from promptbench.formats.marked_json import parse_line
from promptbench.gateway import Gateway
from promptbench.project import checks
from promptbench.project.bench import BASELINE, PreparedModel, Variant
from promptbench.project.cases import own_specs
from promptbench.project.evaluate import Evaluation, evaluate, needs_judge
from promptbench.project.options import Selection
from promptbench.suite.cases import read_case
from promptbench.suite.models import Where


@dataclass(frozen=True, slots=True)
class Question:
    """A case for a model, with a candidate of the suite's; `prompt` is empty for a model that uses none."""

    case: str
    model: str
    prompt: str
    key: AttemptKey = field(repr=False)


class Purse:
    """What all suites that share it may spend together."""

    def __init__(self, spending: Spending) -> None:
        self.spending = spending
        self.budget = spending.budget()


class OpenSuite:
    """A suite with its models ready to be asked. Suites that are opened with the same `purse` share its budget.

    Raises InputError, with all that is wrong, when it is not sound.
    """

    def __init__(self, project: Project, path: Path, purse: Purse | None = None) -> None:
        self._project = project
        self._stack = ExitStack()
        self._loop: asyncio.Runner | None = None
        self._gateway: Gateway | None = None
        self._record = _InMemory()
        self._spent = self._down = ""
        try:
            store = self._stack.enter_context(project.prompts())
            runs = self._stack.enter_context(project.recordings())
            selection = Selection((project.suite_file(path),))
            [self.prepared], _ = project.assemble(selection, store=store, runs=runs)
            purse = purse or Purse(Spending())
            purse.spending.check(project, [self.prepared])
            self._budgets = purse.spending.budgets(purse.budget, self.prepared)
        except BaseException:
            self._stack.close()
            raise

    def questions(self) -> list[Question]:
        """Every case for every model and candidate, in the order of the suite."""
        return [
            Question(
                name, model.name, variant.label.removesuffix(".prompt") if variant else "", _key(name, model, variant)
            )
            for name in self.prepared.cases.names
            for model, variant in self._slots()
        ]

    def _slots(self) -> Iterator[tuple[PreparedModel, Variant | None]]:
        for model in self.prepared.models:
            for variant in self.prepared.candidates if model.uses_prompt else (None,):
                yield model, variant

    def location(self, case: str) -> Location:
        """Where a case is written; of a logged call, where the suite names its log."""
        suite = self.prepared.suite
        known = case in suite.cases.numbers
        return suite.cases[case].where.location("case") if known else suite.location(("log",))

    def ask(self, wanted: Iterable[Question]) -> None:
        """Asks what has not been asked, as many at once as the models take."""
        slots = {
            (model.name, variant.hash if variant else BASELINE): (model, variant) for model, variant in self._slots()
        }
        open_keys = [item.key for item in wanted if item.key not in self._record.attempts]
        tasks = [Task(*slots[key.model, key.variant][::-1], self.prepared.cases[key.case], 0) for key in open_keys]
        if not tasks or self._spent:
            return
        try:
            self._run(tasks)
        except BaseExceptionGroup as group:
            raise first_error(group) from group

    def _run(self, tasks: Sequence[Task]) -> None:
        if self._loop is None:
            self._loop = asyncio.Runner()
        self._loop.run(self._work(tasks))

    async def _work(self, tasks: Sequence[Task]) -> None:
        if self._gateway is None:
            asyncio.get_running_loop().set_default_executor(leaving.DaemonThreads())
            prices, pacers = prices_of(self._project, self.prepared), pacers_of(self._project, self.prepared, None)
            self._gateway = gateway_of(self._project, self.prepared.reachable, prices, self._budgets, pacers, _silent)
        runner = Runner(self.prepared, self._gateway, self._record, _silent)
        await runner.work(tasks, lambda key: False)
        if runner.spent:
            self._spent = f"the budget is used up: {runner.spent}"
        self._down = next(iter(runner.down.values()), self._down)

    def attempt(self, item: Question) -> Attempt | None:
        """What came of a question; None where it was not asked."""
        return self._record.attempts.get(item.key)

    @property
    def why(self) -> str:
        """Why questions were not asked: the budget's end, or a model that was given up."""
        return self._spent or self._down or "it was not asked"

    def evaluation(self, case: str, answer: str) -> Evaluation:
        """What the checks of a case say of any answer. Raises KeyError, and InputError where a model decides one."""
        found = self.prepared.cases[case]
        own = found.checks[self.prepared.candidates[0].hash]
        return _scored(answer, own, self.prepared.accept, found.variables, found.threshold)

    def variables(self, case: str) -> Mapping[str, Json]:
        return self.prepared.cases[case].variables

    def explained(self, item: Question, attempt: Attempt) -> str:
        """Why an answer fails, what it is beside what was expected, and how to see it again; without secrets."""
        answer = attempt.answer.text if attempt.answer else ""
        lines = [*attempt.reasons, "", f"case    {item.case} ({self.location(item.case)})", f"model   {item.model}"]
        lines += [f"prompt  {item.prompt}"] if item.prompt else []
        lines += ["", *_differences(expected_of(self.prepared, item.case), answer, self.prepared.accept), ""]
        folder = self._project.shown(self.prepared.suite.folder)
        command = ["promptbench", "run", folder, "--case", item.case, "--model", item.model]
        lines += [f"again: {shlex.join(command)}"]
        return self.masked("\n".join(lines))

    def masked(self, text: str) -> str:
        """A text without the environment's secrets, and what else looks like a key."""
        return hide(self._project.secrets.mask(text))

    def close(self) -> None:
        try:
            if self._loop is not None and self._gateway is not None:
                self._loop.run(self._gateway.close(leaving.SECONDS))
        finally:
            if self._loop is not None:
                self._loop.close()
            self._stack.close()


def _key(case: str, model: PreparedModel, variant: Variant | None) -> AttemptKey:
    return AttemptKey(variant.hash if variant else BASELINE, model.name, case, 0)


def _silent(event: Event) -> None:
    return None


class _InMemory:
    """The attempts of an open suite."""

    def __init__(self) -> None:
        self.attempts: dict[AttemptKey, Attempt] = {}
        self._judged: dict[str, Answer] = {}

    def add(self, attempts: Iterable[tuple[Attempt, bool]]) -> None:
        for attempt, _ in attempts:
            self.attempts[attempt.key] = attempt
            said = {item.request_hash: item.answer for item in attempt.judgings if item.verdict and item.answer}
            self._judged.update(said)

    def attempt(self, key: AttemptKey) -> Attempt | None:
        return self.attempts.get(key)

    def judged(self, request_hash: str) -> Answer | None:
        return self._judged.get(request_hash)


_MOST_LINES = 60


def _differences(expected: str | None, answer: str, accept: Rung) -> Iterator[str]:
    """What was expected and what came; of data the fields that were named, a line each."""
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
    """Data with a line for each field or entry."""
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
    answer: str, own: Sequence[object], accept: Rung, variables: Mapping[str, Json], threshold: float | None
) -> Evaluation:
    if any(needs_judge(check) for check in own):
        raise InputError("a model decides a check, and no model is asked here", hint="`promptbench run` asks it")
    return evaluate(answer, own, accept, variables, None, threshold)  # type: ignore[arg-type]


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
    """Scores an answer with checks as Python data, each as under `checks:` in a suite; `expect` is as there too.

    Files that a check names are looked for in the current folder. Raises InputError with every mistake in them.
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
    own = [checks.informed(check, read.expect) if read.has_expect else check for check in built if check]
    if not own:
        raise InputError("nothing is checked", hint="say what should come back with expect=, or name checks")
    return _scored(answer, own, Rung(accept.replace(" ", "_")), read.variables, threshold)
