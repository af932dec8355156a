"""python: a function of yours scores the answer.

What: calls `def check(answer: str, vars: dict, argument) -> bool` from a Python file in the project, with the answer's
    text, a copy of the case's values and the argument given here. It returns True or False, a share between 0 and 1, or
    one of these with a reason: `return False, "no greeting"`. An exception is a failure that names the line. It runs in
    a process of its own and is stopped after 5 seconds; what it prints goes to standard error.
When: a rule of your own that no check says. Only files run that the project's settings list under `python`.
Options: the file, named from the suite's folder, and the function; or: `function` the same; `argument` anything it
    should know; `at least` the share that is enough, such as 80% (1 by default); `seconds` another limit, up to 60.
Example:
    checks: [{python: {function: 'rules.py:polite', argument: {name: Ada}}}]
"""

import copy
from dataclasses import dataclass, field
from pathlib import Path

from promptbench.checks import _options
from promptbench.checks._scores import graded, quoted, verdict
from promptbench.core import allowed_code
from promptbench.core.canonical import digest_text
from promptbench.core.python_process import FunctionFailure, PythonProcess, process_for
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject

_KNOWN = ("function", "argument", "at least", "seconds")
_SECONDS, _MOST_SECONDS = 5.0, 60.0


@dataclass(frozen=True, slots=True)
class Python:
    """`name` is the file, relative to the project's root, and the function."""

    name: str
    function: str
    argument: Json
    at_least: float
    seconds: float
    process: PythonProcess = field(compare=False)

    def score(self, subject: Subject) -> Score:
        try:
            result = self.process.score(
                self.function, subject.text, dict(subject.variables), self.argument, self.seconds
            )
        except FunctionFailure as failure:
            return verdict("python", f"{self.name}: {failure}")
        value, reason = float(result["value"]), " ".join(str(result["reason"]).split())
        return graded("python", value, self.at_least, reason or f"{self.name} returned {value:g}")


def build(argument: Json, context: CheckContext) -> Check:
    given = _options.value_or_options(argument, "function", _KNOWN)
    path, shown, function, source = _source(given, context)
    seconds = float(_options.decimal(given["seconds"], "seconds")) if "seconds" in given else _SECONDS
    if not 0 < seconds <= _MOST_SECONDS:
        raise ValueError(f"'seconds': expected 0 to {_MOST_SECONDS:g}, got {quoted(given['seconds'])}")
    process = process_for(path, shown, source)
    argument = copy.deepcopy(given.get("argument"))
    return Python(f"{shown}:{function}", function, argument, _options.at_least(given), seconds, process)


def fingerprint(argument: Json, context: CheckContext) -> Json:
    try:
        return digest_text(_source(_options.value_or_options(argument, "function", _KNOWN), context)[3])
    except ValueError:
        return None


def _source(given: dict[str, Json], context: CheckContext) -> tuple[Path, str, str, str]:
    name = given.get("function")
    if not isinstance(name, str):
        raise ValueError(f"name a function in a file, as in 'python: {allowed_code.SHAPE}'")
    root = context.root or context.folder
    found = allowed_code.problems(name, context.folder, root, context.allowed_code)
    if found:
        raise ValueError(f"{found[0].message}: {found[0].hint}" if found[0].hint else found[0].message)
    file, function = name.rsplit(":", 1)
    path = (context.folder / file).resolve()
    try:
        return path, allowed_code.relative(path, root), function, path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from None


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(
        {"type": "string"},
        required=["function"],
        function={"type": "string"},
        argument={},
        at_least=_options.AMOUNT,
        seconds={"type": "number", "exclusiveMinimum": 0, "maximum": _MOST_SECONDS},
    ),
    fingerprint=fingerprint,
)
