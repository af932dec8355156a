"""Read `tool results:`, what the tools of a prompt return in a case, and return them for the calls of a model.

They are scripted, by the tool's name and optionally its arguments, or come from a Python function that the settings
allow. A call without a result of either gets an error, as an application would return it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptbench.checks._scores import same
from promptbench.core import allowed_code
from promptbench.core.canonical import digest, digest_text
from promptbench.core.errors import Code, Diagnostics, Location, suggest
from promptbench.core.python_process import PythonProcess, process_for
from promptbench.core.types import Json, ToolCall
from promptbench.engine.prepare.options import PrepareOptions
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.suite.models import Case, Suite, Where

_SECONDS = 30.0
_EXAMPLE = "write 'get_weather: 21 degrees' below it, or python/tools.py:run"


@dataclass(frozen=True, slots=True)
class ScriptedResult:
    """A tool's result for calls with these arguments, others are free."""

    tool: str
    arguments: Mapping[str, Json]
    result: Json

    def fits(self, name: str, arguments: Mapping[str, Json]) -> bool:
        return name == self.tool and all(
            key in arguments and same(value, arguments[key]) for key, value in self.arguments.items()
        )


@dataclass(frozen=True, slots=True)
class ToolFunction:
    """A Python function that gets a tool's name and arguments. `sha` is the hash of its file."""

    name: str
    sha: str
    process: PythonProcess = field(compare=False)


@dataclass(frozen=True, slots=True)
class ToolResults:
    """Where the results of a case's tools come from, and after how many calls of the model there are no more."""

    scripted: tuple[ScriptedResult, ...]
    function: ToolFunction | None
    known: frozenset[str]  # the names of the tools
    most: int

    @property
    def hash(self) -> str:
        """Return the hash of all that decides the results."""
        function = [self.function.name, self.function.sha] if self.function else None
        return digest([[[item.tool, dict(item.arguments), item.result] for item in self.scripted], function, self.most])

    async def results(self, earlier: Sequence[ToolCall], calls: Sequence[ToolCall]) -> tuple[str, ...]:
        """Return the results of `calls`, after the `earlier` ones. Raises FunctionFailure if the function fails."""
        scripted = list(self._scripted([*earlier, *calls]))[len(earlier) :]
        return tuple([await self._result(call, found) for call, found in zip(calls, scripted, strict=True)])

    def _scripted(self, calls: Sequence[ToolCall]) -> Iterator[ScriptedResult | None]:
        # Of several results for a call each is given once, in order, and the last one from then on.
        given: set[int] = set()
        for call in calls:
            arguments = call.parsed()
            fitting = [
                number
                for number, item in enumerate(self.scripted)
                if isinstance(arguments, dict) and item.fits(call.name, arguments)
            ]
            number = next((number for number in fitting if number not in given), fitting[-1] if fitting else -1)
            given.add(number)
            yield self.scripted[number] if fitting else None

    async def _result(self, call: ToolCall, scripted: ScriptedResult | None) -> str:
        arguments = call.parsed()
        if call.name not in self.known:
            return f"error: unknown tool '{call.name}', known are {', '.join(sorted(self.known))}"
        if not isinstance(arguments, dict):
            return "error: the arguments are not a JSON object"
        if scripted is not None:
            return _as_text(scripted.result)
        if self.function is None:
            return f"error: there is no result of '{call.name}' for these arguments"
        import asyncio  # A validation has no use for it.

        name = self.function.name.rpartition(":")[2]
        run = self.function.process.call
        return _as_text(await asyncio.to_thread(run, name, call.name, arguments, seconds=_SECONDS))


def _as_text(result: Json) -> str:
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)


class ToolResultsReader:
    """Reads the `tool results:` of a suite and of its cases; a case's own are looked up first."""

    def __init__(self, suite: Suite, variants: Sequence[Variant], options: PrepareOptions, found: Diagnostics) -> None:
        self._suite = suite
        self._options = options
        self._found = found
        self._known = frozenset(tool["name"] for item in variants for tool in item.prompt.tools)
        self.shared = self._read(suite.tool_results, Where(suite.document, ("tool_results",)), None)

    def of(self, case: Case) -> ToolResults | None:
        """Return the results of a case, None if there are none."""
        return self._read(case.tool_results, case.where.below("tool_results"), self.shared)

    def _read(self, written: Json, where: Where, shared: ToolResults | None) -> ToolResults | None:
        if written is None:
            return shared
        scripted: list[ScriptedResult] = []
        function = shared.function if shared else None
        if not self._known:
            message = "no prompt of the suite has tools, so nothing asks for their results"
            self._found.add(Code.BAD_VALUE, message, where.location(key=True), hint="write 'tools:' in the prompt")
        elif isinstance(written, str):
            function = self._function(written.removeprefix("python/"), where)
        elif isinstance(written, dict):
            self._check_names({name: where.location(name, key=True) for name in written})
            scripted = [ScriptedResult(name, {}, result) for name, result in written.items()]
        elif isinstance(written, list) and all(map(_is_scripted, written)):
            self._check_names({item["tool"]: where.location(n, "tool") for n, item in enumerate(written)})
            scripted = [ScriptedResult(item["tool"], item.get("arguments", {}), item["result"]) for item in written]
        else:
            message = "expected results by the names of tools, or a list of 'tool', 'arguments' and 'result'"
            self._found.add(Code.WRONG_TYPE, message, where.location(), hint=_EXAMPLE)
        scripted += shared.scripted if shared else ()
        return ToolResults(tuple(scripted), function, self._known, self._suite.max_steps)

    def _check_names(self, named: Mapping[str, Location]) -> None:
        for name, location in named.items():
            if name not in self._known:
                hint = suggest(name, self._known, f"known here: {', '.join(sorted(self._known))}")
                self._found.add(Code.BAD_VALUE, f"no prompt of the suite has a tool '{name}'", location, hint=hint)

    def _function(self, name: str, where: Where) -> ToolFunction | None:
        root, folder = self._options.root, self._suite.folder
        problems = allowed_code.problems(name, folder, root, self._options.allowed_code, prefix="python/")
        for problem in problems:
            self._found.add(Code[problem.code], problem.message, where.location(), hint=problem.hint)
        if problems:
            return None
        path = (folder / name.rpartition(":")[0]).resolve()
        source = path.read_text(encoding="utf-8-sig")
        process = process_for(path, allowed_code.relative(path, root), source)
        return ToolFunction(name, digest_text(source), process)


def _is_scripted(item: Json) -> bool:
    """Return whether an entry of a list has the keys of a scripted result."""
    return (
        isinstance(item, dict)
        and {"tool", "result"} <= item.keys() <= {"tool", "arguments", "result"}
        and isinstance(item["tool"], str)
        and isinstance(item.get("arguments", {}), dict)
    )
