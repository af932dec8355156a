"""The cases of suites as tests of pytest, and the fixture `promptbench` for tests written in Python.

pytest loads this file in every project of an environment, so it imports nothing of promptbench until a suite is
collected or the fixture is used. A suite's tests call models, so a suite is collected only if the user names it: see
`_is_wanted`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
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
    collector: SuiteFile = SuiteFile.from_parent(parent, path=file_path)
    return collector


def _is_wanted(file: Path, config: pytest.Config) -> bool:
    """Return whether the cases of a suite are to be tests.

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

    Not with `-x`, when the rest may not be wanted, and not in a worker of xdist, which has only some of the tests.
    """
    config = session.config
    if config.getoption("maxfail") or hasattr(config, "workerinput"):
        return
    if session.testsfailed or config.getoption("collectonly"):
        return
    by_suite: dict[SuiteFile, list[CaseItem]] = {}
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
    counts: dict[str, int] = {}
    for item in items:
        counts[item.request.model] = counts.get(item.request.model, 0) + 1
    calls = ", ".join(f"{model} {count}" for model, count in counts.items())
    reporter.write_line(f"promptbench: calling models for {items[0].file.nodeid}: {calls}")


class SuiteFile(pytest.File):
    """A suite, whose cases are tests."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.opened: SuiteSession | None = None
        self._failure = ""

    def collect(self) -> Iterator[pytest.Item]:
        suite = self.opened = self.config.stash[_SUITES].open(self.path)
        requests = suite.requests()
        several = len({item.prompt for item in requests if item.prompt}) > 1
        taken: dict[str, int] = {}
        for request in requests:
            where = f"{request.model}-{request.prompt}" if several and request.prompt else request.model
            name = f"{_name(request.case)}[{where}]"
            taken[name] = taken.get(name, 0) + 1
            name = name if taken[name] == 1 else f"{_name(request.case)} ({taken[name]})[{where}]"
            # As a text, so that pytest reads it as it will when it looks for the last failures.
            nodeid = f"{self.nodeid}::{name}"
            item: CaseItem = CaseItem.from_parent(self, name=name, nodeid=nodeid, request=request)
            yield item

    def call(self, requests: Sequence[CaseRequest]) -> None:
        """Make the attempts that are missing. If that fails, the tests that need them report why."""
        from promptbench.core.errors import PromptbenchError

        assert self.opened is not None
        try:
            self.opened.call(requests)
        except PromptbenchError as error:
            self._failure = _full_text(error)

    @property
    def reason(self) -> str:
        """Why there is no answer."""
        assert self.opened is not None
        return self._failure or self.opened.reason


def _name(case: str) -> str:
    """Return a case's name as part of a test's name, which is one line and in which two colons have a meaning."""
    return "".join(char if char.isprintable() else " " for char in case.replace("::", ":"))


class CaseItem(pytest.Item):
    """One case for one model, with one prompt."""

    def __init__(self, request: CaseRequest, **more: Any) -> None:
        super().__init__(**more)
        self.request = request
        self.add_marker("promptbench")
        case = self._suite.prepared.cases[request.case]
        # `-k critical` finds the cases with that tag.
        self.extra_keyword_matches.update(case.tags)
        if case.quarantine:
            reason = f"in quarantine: {case.quarantine.reason} ({case.quarantine.owner})"
            self.add_marker(pytest.mark.xfail(reason=reason, strict=False))

    @property
    def file(self) -> SuiteFile:
        assert isinstance(self.parent, SuiteFile)
        return self.parent

    @property
    def _suite(self) -> SuiteSession:
        assert self.file.opened is not None
        return self.file.opened

    def setup(self) -> None:
        """Get the answer. What fails here is an error, not a failure: it says nothing about the prompt."""
        from promptbench.core.types import Outcome

        if self._suite.attempt(self.request) is None:
            self.file.call([self.request])
        attempt = self._suite.attempt(self.request)
        if attempt is None:
            pytest.fail(f"no answer of {self.request.model}: {self.file.reason}", pytrace=False)
        if attempt.outcome is Outcome.ERRORED:
            pytest.fail(f"no answer of {self.request.model}: {self._suite.masked(attempt.error or '')}", pytrace=False)

    def runtest(self) -> None:
        from promptbench.core.types import Outcome

        attempt = self._suite.attempt(self.request)
        assert attempt is not None
        assert attempt.answer is not None
        self.user_properties.append(("model", attempt.answer.model))
        self.user_properties.append(("provider_ms", round(attempt.answer.provider_ms)))
        if attempt.outcome is Outcome.FAILED:
            text = self._suite.explain(self.request, attempt)
            pytest.fail(f"{text}\n   or: pytest {shlex.quote(self.nodeid)}", pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        line = self._suite.location(self.request.case).line
        return self.path, max(0, line - 1), self.name


class _Suites:
    """The open suites of a test session, and their shared budget."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._open: dict[Path, SuiteSession] = {}
        self._limits: tuple[Spending, Budget] | None = None

    def open(self, path: Path) -> SuiteSession:
        """Open a suite. Raises CollectError with all of its errors."""
        from promptbench.core.errors import PromptbenchError
        from promptbench.project import Project
        from promptbench.workflows.judge.suite_session import SuiteSession

        path = path.resolve()
        if path not in self._open:
            try:
                if self._limits is None:
                    spending = self.spending()
                    self._limits = spending, spending.budget()
                self._open[path] = SuiteSession(Project.open(path.parent), path, *self._limits)
            except PromptbenchError as error:
                raise pytest.Collector.CollectError(_full_text(error)) from None
        return self._open[path]

    def spending(self) -> Spending:
        """Return what the session may spend. Raises InputError for an invalid amount."""
        from promptbench.core.errors import InputError
        from promptbench.workflows.judge.budgets import Spending

        config = self._config
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

    def close(self) -> None:
        for suite in self._open.values():
            suite.close()
        self._open.clear()


_SUITES: pytest.StashKey[_Suites] = pytest.StashKey()


def _full_text(error: Any) -> str:
    """Return an error of promptbench with its diagnostics and hint."""
    from promptbench.report.diagnostics import render

    diagnostics = render(item for item in getattr(error, "diagnostics", ()))
    hint = (error.hint or "").replace("--max-c", "--promptbench-max-c")
    return "\n".join([*([diagnostics] if diagnostics else []), error.message, *([f"hint: {hint}"] if hint else [])])


class Case:
    """A case of a suite, for a test in Python."""

    def __init__(self, suite: SuiteSession, name: str) -> None:
        self._suite = suite
        self.name = name

    @property
    def vars(self) -> Mapping[str, Any]:
        """What goes in."""
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

        Raises EnvironmentFailure if there is no answer: that says nothing about the prompt.
        """
        from promptbench.core.errors import EnvironmentFailure, InputError

        wanted = [item for item in self._suite.requests() if item.case == self.name and model in (None, item.model)]
        if not wanted:
            raise InputError(f"the suite has no model '{model}'")
        self._suite.call(wanted[:1])
        attempt = self._suite.attempt(wanted[0])
        if attempt is None or attempt.answer is None or attempt.fallback:
            why = attempt.error if attempt else self._suite.reason
            raise EnvironmentFailure(f"no answer of {wanted[0].model}: {self._suite.masked(why or '')}")
        return attempt.answer.text

    def __repr__(self) -> str:
        return f"<case {self.name!r}>"


class Promptbench:
    """The value of the fixture `promptbench`."""

    def __init__(self, opened: Callable[[Path], SuiteSession], root: Path) -> None:
        self._opened = opened
        self._root = root

    def suite(self, path: str | Path) -> dict[str, Case]:
        """Return the cases of a suite by name, in order. `path`, its file or folder, is relative to pytest's root."""
        file = self._root / path
        suite = self._opened(file / SUITE if file.is_dir() else file)
        return {name: Case(suite, name) for name in suite.prepared.cases.names}

    def check(self, answer: str, checks: Iterable[Any] = (), **more: Any) -> Evaluation:
        """Check an answer with checks, each as under `checks:` in a suite, and with `expect=`, as there.

        Also takes `accept`, `variables` and `threshold`. No model is called.
        """
        from promptbench.core.errors import InputError
        from promptbench.project import Project
        from promptbench.workflows.judge.suite_session import check_answer

        __tracebackhide__ = True
        project = Project.open(self._root)
        try:
            found = check_answer(project, answer, list(checks), **more)
        except InputError as error:
            raise InputError(_full_text(error)) from None
        return _require_pass(found, "the answer")


def _require_pass(found: Evaluation, what: str) -> Evaluation:
    __tracebackhide__ = True
    if not found.passed:
        reasons = [f"{score.check}: {score.reason}" for score in found.scores if not score.passed and score.weight]
        raise AssertionError(f"{what} fails: " + "; ".join(reasons))
    return found


@pytest.fixture(scope="session")
def promptbench(request: pytest.FixtureRequest) -> Promptbench:
    """Cases of suites, and checks on any answer: `promptbench.check(answer, expect={"team": "billing"})`."""
    return Promptbench(request.config.stash[_SUITES].open, request.config.rootpath)
