"""The cases of suites as tests of pytest, and the fixture `promptbench` for tests written in Python.

pytest loads this file in every project of an environment, so it imports nothing of promptbench until a suite is
collected or the fixture is used. A suite's tests call models, so a suite is collected only if the user names it: see
`_is_wanted`.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from promptbench.core.errors import PromptbenchError
    from promptbench.engine.prepare.evaluate import Evaluation
    from promptbench.gateway import Budget
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.judge.suite_session import CaseRequest, SuiteSession

SUITE = "suite.yaml"
FOLDER = "suites"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("promptbench")
    group.addoption("--promptbench-max-cost", metavar="DOLLARS", help="stop calling models at this cost, such as $2")
    group.addoption("--promptbench-max-calls", metavar="N", type=int, help="call models at most this many times")
    parser.addini("promptbench_suites", "folders with suites that are tests wherever pytest finds them", "paths", [])
    parser.addini("promptbench_max_cost", "as --promptbench-max-cost")
    parser.addini("promptbench_max_calls", "as --promptbench-max-calls")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promptbench: a case of a suite, which calls a model")
    config.stash[_SUITES] = _Suites(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_SUITES].close()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name != SUITE or not _is_wanted(file_path, parent.config):
        return None
    collector: SuiteCollector = SuiteCollector.from_parent(parent, path=file_path)
    return collector


def _is_wanted(file: Path, config: pytest.Config) -> bool:
    """Return True if the cases of a suite are tests.

    They are if an argument names the suite, or a folder `suites` or one below it, or if the setting
    `promptbench_suites` names its folder. A bare `pytest`, or `pytest tests`, never costs anything by surprise.
    """
    bases = (config.rootpath, config.invocation_params.dir)
    for argument in config.args:
        path = (config.invocation_params.dir / argument.partition("::")[0]).resolve()
        within = (path.relative_to(base).parts for base in bases if path.is_relative_to(base))
        named = path.name == FOLDER or any(FOLDER in parts for parts in within)
        if path == file or (named and path in file.parents):
            return True
    return any(folder == file or folder in file.parents for folder in config.getini("promptbench_suites"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Call the models for all cases of a suite concurrently, before the first test.

    Not with `-x`, which may not need the rest, and not in a worker of xdist, which has only some of the tests.
    """
    config = session.config
    stops_early = config.getoption("maxfail") or hasattr(config, "workerinput")
    if stops_early or session.testsfailed or config.getoption("collectonly"):
        return
    by_suite: dict[SuiteCollector, list[CaseItem]] = {}
    for item in session.items:
        if isinstance(item, CaseItem):
            by_suite.setdefault(item.file, []).append(item)
    for file, items in by_suite.items():
        _say(config, items)
        file.call([item.request for item in items])


def _say(config: pytest.Config, items: Sequence[CaseItem]) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.get_verbosity() < 0:
        return
    counts = Counter(item.request.model for item in items)
    calls = ", ".join(f"{model} {count}" for model, count in counts.items())
    reporter.write_line(f"promptbench: calling models for {items[0].file.nodeid}: {calls}")


class SuiteCollector(pytest.File):
    """A suite, whose cases are tests."""

    # Why calls failed, for the tests that need them.
    failure = ""

    @property
    def opened(self) -> SuiteSession:
        return self.config.stash[_SUITES].open(self.path)

    def collect(self) -> Iterator[pytest.Item]:
        requests = self.opened.requests()
        several = len({item.prompt for item in requests if item.prompt}) > 1
        taken: Counter[str] = Counter()
        for request in requests:
            # A test's name is one line, and two colons separate its parts.
            case = "".join(char if char.isprintable() else " " for char in request.case.replace("::", ":"))
            where = f"{request.model}-{request.prompt}" if several and request.prompt else request.model
            name = f"{case}[{where}]"
            taken[name] += 1
            name = name if taken[name] == 1 else f"{case} ({taken[name]})[{where}]"
            # As a text, so that pytest reads it as it will when it looks for the last failures.
            yield CaseItem.from_parent(self, name=name, nodeid=f"{self.nodeid}::{name}", request=request)
        for name, reason in self.opened.prepared.cases.skipped.items():
            case = "".join(char if char.isprintable() else " " for char in name.replace("::", ":"))
            yield SkippedItem.from_parent(self, name=case, reason=reason)

    def call(self, requests: Sequence[CaseRequest]) -> None:
        """Make the attempts that are missing. If that fails, the tests that need them report why."""
        from promptbench.core.errors import PromptbenchError

        try:
            self.opened.call(requests)
        except PromptbenchError as error:
            self.failure = _full_text(error)


class SkippedItem(pytest.Item):
    """A case whose `skip:` says why it is not called."""

    def __init__(self, reason: str, **more: Any) -> None:
        super().__init__(**more)
        self.add_marker(pytest.mark.skip(reason=reason))

    def runtest(self) -> None:
        raise AssertionError("a skipped case is not run")

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


class CaseItem(pytest.Item):
    """One case for one model, with one prompt."""

    def __init__(self, request: CaseRequest, **more: Any) -> None:
        super().__init__(**more)
        self.request = request
        self.file: SuiteCollector = more["parent"]
        self.add_marker("promptbench")
        case = self.file.opened.prepared.cases[request.case]
        # `-k critical` finds the cases with that tag.
        self.extra_keyword_matches.update(case.tags)
        if case.quarantine:
            reason = f"in quarantine: {case.quarantine.reason} ({case.quarantine.owner})"
            self.add_marker(pytest.mark.xfail(reason=reason, strict=False))

    def setup(self) -> None:
        """Get the answer. What fails here is an error, not a failure: it says nothing about the prompt."""
        from promptbench.core.types import Outcome

        suite = self.file.opened
        if suite.attempt(self.request) is None:
            self.file.call([self.request])
        attempt = suite.attempt(self.request)
        if attempt is None or attempt.outcome is Outcome.ERRORED:
            reason = suite.masked(attempt.error or "") if attempt else self.file.failure or suite.reason
            pytest.fail(f"no answer of {self.request.model}: {reason}", pytrace=False)

    def runtest(self) -> None:
        from promptbench.core.types import Outcome

        attempt = self.file.opened.attempt(self.request)
        assert attempt is not None
        assert attempt.answer is not None
        facts = (("model", attempt.answer.model), ("provider_ms", round(attempt.answer.provider_ms)))
        self.user_properties.extend(facts)
        if attempt.outcome is Outcome.FAILED:
            text = self.file.opened.explain(self.request, attempt)
            pytest.fail(f"{text}\n   or: pytest {shlex.quote(self.nodeid)}", pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, max(0, self.file.opened.location(self.request.case).line - 1), self.name


class _Suites:
    """The open suites of a test session, and their shared budget."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._open: dict[Path, SuiteSession] = {}
        self._limits: tuple[Spending, Budget] | None = None

    def open(self, path: Path) -> SuiteSession:
        """Open a suite, or return the one that is open. Raise CollectError with all of its errors."""
        from promptbench.core.errors import PromptbenchError
        from promptbench.project import Project
        from promptbench.workflows.judge.suite_session import SuiteSession

        path = path.resolve()
        if path not in self._open:
            try:
                if self._limits is None:
                    spending = _read_spending(self._config)
                    self._limits = spending, spending.budget()
                self._open[path] = SuiteSession(Project.open(path.parent), path, *self._limits)
            except PromptbenchError as error:
                raise pytest.Collector.CollectError(_full_text(error)) from None
        return self._open[path]

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()


_SUITES: pytest.StashKey[_Suites] = pytest.StashKey()


def _read_spending(config: pytest.Config) -> Spending:
    from promptbench.core.errors import InputError
    from promptbench.workflows.judge.budgets import Spending

    cost = config.getoption("promptbench_max_cost") or config.getini("promptbench_max_cost") or None
    calls = config.getoption("promptbench_max_calls")
    written = config.getini("promptbench_max_calls")
    if calls is None and written and not written.isdecimal():
        raise InputError(f"promptbench_max_calls: expected a number of calls, got '{written}'")
    calls = int(written) if calls is None and written else calls
    spending = Spending.read(cost, calls, None)
    # Each worker of xdist counts for itself.
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    return Spending(
        None if spending.max_cost is None else spending.max_cost / workers,
        None if spending.max_calls is None else spending.max_calls // workers,
    )


def _full_text(error: PromptbenchError) -> str:
    from promptbench.report.diagnostics import render

    diagnostics = render(error.diagnostics)
    hint = (error.hint or "").replace("--max-c", "--promptbench-max-c")
    return "\n".join([*([diagnostics] if diagnostics else []), error.message, *([f"hint: {hint}"] if hint else [])])


@dataclass(frozen=True)
class SuiteCase:
    """A case of a suite, for a test in Python."""

    _suite: SuiteSession
    name: str

    @property
    def vars(self) -> Mapping[str, Any]:
        """The values that the prompt is filled with."""
        return self._suite.prepared.cases[self.name].variables

    @property
    def tags(self) -> tuple[str, ...]:
        return self._suite.prepared.cases[self.name].tags

    def check(self, answer: str) -> Evaluation:
        """Check any answer with the checks of the case and of its suite."""
        __tracebackhide__ = True
        return _require_pass(self._suite.evaluation(self.name, answer), self.name)

    def ask(self, model: str | None = None) -> str:
        """Call one of the suite's models, by default the first one, with the suite's prompt, and return its answer.

        Raise EnvironmentFailure if no answer comes: that says nothing about the prompt.
        """
        from promptbench.core.errors import EnvironmentFailure, InputError

        requests = (item for item in self._suite.requests() if item.case == self.name and model in (None, item.model))
        if (request := next(requests, None)) is None:
            raise InputError(f"the suite has no model '{model}'")
        self._suite.call([request])
        attempt = self._suite.attempt(request)
        if attempt is None or attempt.answer is None or attempt.fallback:
            why = attempt.error if attempt else self._suite.reason
            raise EnvironmentFailure(f"no answer of {request.model}: {self._suite.masked(why or '')}")
        return attempt.answer.text


@dataclass(frozen=True)
class Promptbench:
    """The value of the fixture `promptbench`."""

    _open: Callable[[Path], SuiteSession]
    _root: Path

    def suite(self, path: str | Path) -> dict[str, SuiteCase]:
        """Return the cases of a suite by name, in order. `path`, its file or folder, is relative to pytest's root."""
        file = self._root / path
        suite = self._open(file / SUITE if file.is_dir() else file)
        return {name: SuiteCase(suite, name) for name in suite.prepared.cases.names}

    def check(self, answer: str, checks: Iterable[Any] = (), **more: Any) -> Evaluation:
        """Check an answer with checks, each as under `checks:` in a suite, and with `expect=`, as there.

        Also takes `accept`, `variables` and `threshold`. No model is called.
        """
        from promptbench.core.errors import InputError
        from promptbench.project import Project
        from promptbench.workflows.judge.suite_session import check_answer

        __tracebackhide__ = True
        try:
            found = check_answer(Project.open(self._root), answer, list(checks), **more)
        except InputError as error:
            raise InputError(_full_text(error)) from None
        return _require_pass(found, "the answer")


def _require_pass(found: Evaluation, what: str) -> Evaluation:
    __tracebackhide__ = True
    if not found.passed:
        from promptbench.core.types import failures

        raise AssertionError(f"{what} fails: " + "; ".join(failures(found.scores)))
    return found


@pytest.fixture(scope="session")
def promptbench(request: pytest.FixtureRequest) -> Promptbench:
    """Cases of suites, and checks on any answer: `promptbench.check(answer, expect={"team": "billing"})`."""
    return Promptbench(request.config.stash[_SUITES].open, request.config.rootpath)
