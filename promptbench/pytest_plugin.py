"""The cases of suites as tests of pytest, and the fixture `promptbench` for tests written in Python.

pytest loads this file in every project of an environment, so it imports nothing of promptbench until a suite is
collected or the fixture is used. Running a suite's tests calls models, so a suite is collected only where somebody asks
for it: see `_asked_for`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from promptbench.api import Evaluation, OpenSuite, Purse, Question

SUITE = "suite.yaml"
FOLDER = "suites"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("promptbench")
    group.addoption("--promptbench-max-cost", metavar="DOLLARS", help="ask models for no more than this, such as $2")
    group.addoption("--promptbench-max-calls", metavar="N", type=int, help="call models no more than so many times")
    parser.addini("promptbench_suites", "folders with suites that are tests wherever pytest finds them", "paths", [])
    parser.addini("promptbench_max_cost", "as --promptbench-max-cost")
    parser.addini("promptbench_max_calls", "as --promptbench-max-calls")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promptbench: a case of a suite, which asks a model")
    config.stash[_SUITES] = _Suites(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_SUITES].close()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name != SUITE or not _asked_for(file_path, parent.config):
        return None
    collector: SuiteFile = SuiteFile.from_parent(parent, path=file_path)
    return collector


def _asked_for(file: Path, config: pytest.Config) -> bool:
    """Whether somebody wants the cases of a suite to be tests.

    That is so where an argument names the suite, or a folder `suites` or one below it, or where the setting
    `promptbench_suites` has its folder. A bare `pytest`, or `pytest tests`, never costs anything by surprise.
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
    """Asks all questions of a suite together, as many at once as its models take, before the first test.

    Not where the rest may not be wanted (`-x`), and not in a worker of xdist, which has only some of the tests.
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
        file.ask([item.question for item in items])


def _say(config: pytest.Config, items: Sequence[CaseItem]) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.get_verbosity() < 0:
        return
    counts: dict[str, int] = {}
    for item in items:
        counts[item.question.model] = counts.get(item.question.model, 0) + 1
    asked = ", ".join(f"{model} {count}" for model, count in counts.items())
    reporter.write_line(f"promptbench: asking the questions of {items[0].file.nodeid}: {asked}")


class SuiteFile(pytest.File):
    """A suite, whose cases are tests."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.opened: OpenSuite | None = None
        self._failure = ""

    def collect(self) -> Iterator[pytest.Item]:
        suite = self.opened = self.config.stash[_SUITES].open(self.path)
        questions = suite.questions()
        several = len({item.prompt for item in questions if item.prompt}) > 1
        taken: dict[str, int] = {}
        for question in questions:
            where = f"{question.model}-{question.prompt}" if several and question.prompt else question.model
            name = f"{_name(question.case)}[{where}]"
            taken[name] = taken.get(name, 0) + 1
            name = name if taken[name] == 1 else f"{_name(question.case)} ({taken[name]})[{where}]"
            # As a text, so that pytest reads it as it will when it looks for the last failures.
            nodeid = f"{self.nodeid}::{name}"
            item: CaseItem = CaseItem.from_parent(self, name=name, nodeid=nodeid, question=question)
            yield item

    def ask(self, questions: Sequence[Question]) -> None:
        """Asks what was not asked yet; why that failed is kept for the tests that wanted it."""
        from promptbench.core.errors import PromptbenchError

        assert self.opened is not None
        try:
            self.opened.ask(questions)
        except PromptbenchError as error:
            self._failure = _told(error)

    @property
    def why(self) -> str:
        """Why there is no answer."""
        assert self.opened is not None
        return self._failure or self.opened.why


def _name(case: str) -> str:
    """A case's name as a part of a test's, where two colons have a meaning and each stands on one line."""
    return "".join(char if char.isprintable() else " " for char in case.replace("::", ":"))


class CaseItem(pytest.Item):
    """One case for one model, with one prompt."""

    def __init__(self, question: Question, **more: Any) -> None:
        super().__init__(**more)
        self.question = question
        self.add_marker("promptbench")
        case = self._suite.prepared.cases[question.case]
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
    def _suite(self) -> OpenSuite:
        assert self.file.opened is not None
        return self.file.opened

    def setup(self) -> None:
        """Gets the answer. What fails here is an error and not a failure: it says nothing about the prompt."""
        from promptbench.core.types import Outcome

        if self._suite.attempt(self.question) is None:
            self.file.ask([self.question])
        attempt = self._suite.attempt(self.question)
        if attempt is None:
            pytest.fail(f"no answer of {self.question.model}: {self.file.why}", pytrace=False)
        if attempt.outcome is Outcome.ERRORED:
            pytest.fail(f"no answer of {self.question.model}: {self._suite.masked(attempt.error or '')}", pytrace=False)

    def runtest(self) -> None:
        from promptbench.core.types import Outcome

        attempt = self._suite.attempt(self.question)
        assert attempt is not None
        assert attempt.answer is not None
        self.user_properties.append(("model", attempt.answer.model))
        self.user_properties.append(("provider_ms", round(attempt.answer.provider_ms)))
        if attempt.outcome is Outcome.FAILED:
            told = self._suite.explained(self.question, attempt)
            pytest.fail(f"{told}\n   or: pytest {shlex.quote(self.nodeid)}", pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        line = self._suite.location(self.question.case).line
        return self.path, max(0, line - 1), self.name


class _Suites:
    """The suites of a session that are open, and what all of them together may spend."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._open: dict[Path, OpenSuite] = {}
        self._purse: Purse | None = None

    def open(self, path: Path) -> OpenSuite:
        """Raises CollectError with everything that is wrong in the suite."""
        from promptbench import api
        from promptbench.core.errors import PromptbenchError

        path = path.resolve()
        if path not in self._open:
            try:
                self._purse = self._purse or self.filled()
                self._open[path] = api.OpenSuite(api.Project.open(path.parent), path, self._purse)
            except PromptbenchError as error:
                raise pytest.Collector.CollectError(_told(error)) from None
        return self._open[path]

    def filled(self) -> Purse:
        """Raises InputError for an amount that is none."""
        from promptbench import api
        from promptbench.core.errors import InputError

        config = self._config
        cost = config.getoption("promptbench_max_cost") or config.getini("promptbench_max_cost") or None
        calls = config.getoption("promptbench_max_calls")
        written = config.getini("promptbench_max_calls")
        if calls is None and written and not written.isdecimal():
            raise InputError(f"promptbench_max_calls: '{written}' is no number of calls")
        calls = int(written) if calls is None and written else calls
        spending = api.Spending.read(cost, calls, None)
        # Each worker of xdist counts for itself.
        workers = getattr(config, "workerinput", {}).get("workercount", 1)
        return api.Purse(
            api.Spending(
                None if spending.max_cost is None else spending.max_cost / workers,
                None if spending.max_calls is None else spending.max_calls // workers,
            )
        )

    def close(self) -> None:
        for suite in self._open.values():
            suite.close()
        self._open.clear()


_SUITES: pytest.StashKey[_Suites] = pytest.StashKey()


def _told(error: Any) -> str:
    """An error of promptbench in full."""
    from promptbench.report.diagnostics import render

    told = render(item for item in getattr(error, "diagnostics", ()))
    hint = (error.hint or "").replace("--max-c", "--promptbench-max-c")
    return "\n".join([*([told] if told else []), error.message, *([f"hint: {hint}"] if hint else [])])


class Case:
    """A case of a suite, for a test in Python."""

    def __init__(self, suite: OpenSuite, name: str) -> None:
        self._suite = suite
        self.name = name

    @property
    def vars(self) -> Mapping[str, Any]:
        """What goes in."""
        return self._suite.variables(self.name)

    @property
    def tags(self) -> tuple[str, ...]:
        return self._suite.prepared.cases[self.name].tags

    def check(self, answer: str) -> Evaluation:
        """Holds an answer, wherever it comes from, against the checks of the case and of its suite."""
        __tracebackhide__ = True
        return _held(self._suite.evaluation(self.name, answer), self.name)

    def ask(self, model: str | None = None) -> str:
        """The answer of one of the suite's models, the first one by default, to the suite's prompt.

        Where the model gives none, the test ends with an exception: that says nothing about the prompt.
        """
        from promptbench.core.errors import EnvironmentFailure, InputError

        wanted = [item for item in self._suite.questions() if item.case == self.name and model in (None, item.model)]
        if not wanted:
            raise InputError(f"the suite has no model '{model}'")
        self._suite.ask(wanted[:1])
        attempt = self._suite.attempt(wanted[0])
        if attempt is None or attempt.answer is None or attempt.fallback:
            why = attempt.error if attempt else self._suite.why
            raise EnvironmentFailure(f"no answer of {wanted[0].model}: {self._suite.masked(why or '')}")
        return attempt.answer.text

    def __repr__(self) -> str:
        return f"<case {self.name!r}>"


class Promptbench:
    """What the fixture `promptbench` gives."""

    def __init__(self, opened: Callable[[Path], OpenSuite], root: Path) -> None:
        self._opened = opened
        self._root = root

    def suite(self, path: str | Path) -> dict[str, Case]:
        """The cases of a suite by name, in order. `path`, its file or folder, is relative to pytest's root."""
        file = self._root / path
        suite = self._opened(file / SUITE if file.is_dir() else file)
        return {name: Case(suite, name) for name in suite.prepared.cases.names}

    def check(self, answer: str, checks: Iterable[Any] = (), **more: Any) -> Evaluation:
        """Holds an answer against checks, each as under `checks:` in a suite, and against `expect=`, as there.

        Also `accept`, `variables` and `threshold`. No model is asked.
        """
        from promptbench import api
        from promptbench.core.errors import InputError

        __tracebackhide__ = True
        project = api.Project.open(self._root)
        try:
            found = api.check_answer(project, answer, list(checks), **more)
        except InputError as error:
            raise InputError(_told(error)) from None
        return _held(found, "the answer")


def _held(found: Evaluation, what: str) -> Evaluation:
    __tracebackhide__ = True
    if not found.passed:
        reasons = [f"{score.check}: {score.reason}" for score in found.scores if not score.passed and score.weight]
        raise AssertionError(f"{what} fails: " + "; ".join(reasons))
    return found


@pytest.fixture(scope="session")
def promptbench(request: pytest.FixtureRequest) -> Promptbench:
    """Cases of suites, and checks on any answer: `promptbench.check(answer, expect={"team": "billing"})`."""
    return Promptbench(request.config.stash[_SUITES].open, request.config.rootpath)
