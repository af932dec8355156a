"""function call: the answer calls the right functions with the right arguments.

What: reads the answer as calls and pairs them with the wanted ones. Calls are the tools that the provider reports as
    called, in all steps if the tools have results; without any the text is read, as `f(a=1)` or the JSON of a tool
    call. A call is right if it has the name and every argument by value and type; 5 is 5.0, but not "5". Calls may come
    in any order, and none may be missing or too much. An empty list wants an answer without any call. The score is the
    F1 over the calls.
When: the model chooses a tool, or several, and fills in their arguments.
Options: one call or a list of calls, each `name` with `arguments`, or as BFCL's possible answers write it: the name,
    and for each argument the list of the values that are right, with '' in it if the argument may be left out. Or:
    `is` the same; `order` free or fixed; `extra arguments` allowed or refused; `ignore` what does not count in texts.
Example:
    checks: [{function call: {name: get_weather, arguments: {city: Berlin, days: 3}}}]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from promptbench.checks import _normal, _options
from promptbench.checks._normal import Normal
from promptbench.checks._scores import first_of, graded, mismatch, quoted, verdict
from promptbench.parsing import calls, json_text
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Reading, Rung, Score, Subject


@dataclass(frozen=True, slots=True)
class Call:
    """A function call. `positional` has the arguments without a name."""

    name: str
    arguments: dict[str, Json]
    positional: tuple[Json, ...] = ()


def calls_of(subject: Subject) -> tuple[list[Call], str | None]:
    """Return the calls of an answer, or the problem.

    They are the tools that the provider reports as called; else in the text, in Python's syntax or as an API's JSON.
    """
    found: list[Call] | None
    native = subject.call.calls if subject.call else ()
    reading = Reading(Rung.RAW) if native else calls.read(subject.text)
    if native:
        found = _from_json([{"name": call.name, "arguments": call.arguments} for call in native])
        problem = None if found is not None else "the arguments of a tool call are not a JSON object"
        reading = Reading(Rung.NONE, error=problem) if found is None else reading
        found = found or [Call(call.name, {}) for call in native]
    elif reading.rung.within(subject.accept):
        found = [Call(call["name"], call["arguments"], tuple(call.get("positional", ()))) for call in reading.value]
        problem = None
    else:
        # Not `subject.read`, which would report the answer's format as JSON.
        data = json_text.read(subject.text)
        found = _from_json(data.value) if data.rung.within(subject.accept) else None
        problem = None if found is not None else _problem(reading, data, subject.accept)
        reading = reading if found is None else data
    if subject.report_reading is not None:
        subject.report_reading(reading)
    return found or [], problem


def _problem(reading: Reading, data: Reading, accept: Rung) -> str:
    if data.rung.within(accept):
        return "the answer is JSON, but not a function call"
    if reading.rung is Rung.NONE:
        return f"no function call: {reading.error}"
    repairs = ", ".join(sorted({repair.name for repair in reading.repairs}))
    return f"calls only after repair ({repairs}), and the suite accepts '{accept.value}'"


def _from_json(value: Json) -> list[Call] | None:
    if isinstance(value, dict):
        for key in ("tool_calls", "calls"):
            if isinstance(value.get(key), list):
                value = value[key]
                break
    items = value if isinstance(value, list) else [value]
    found = [_one(item) for item in items]
    return None if None in found else [call for call in found if call is not None]


def _one(value: Json) -> Call | None:
    if not isinstance(value, dict):
        return None
    value = value["function"] if isinstance(value.get("function"), dict) else value
    name = value.get("name", value.get("function"))
    if isinstance(name, str):
        arguments = _arguments(
            next((value[key] for key in ("arguments", "input", "parameters", "args") if key in value), {})
        )
        return None if arguments is None else Call(name, arguments)
    if len(value) == 1:
        [(name, inner)] = value.items()
        arguments = _arguments(inner)
        return None if arguments is None else Call(name, arguments)
    return None


def _arguments(value: Json) -> dict[str, Json] | None:
    # OpenAI sends the JSON text of an object.
    if isinstance(value, str):
        reading = json_text.read(value)
        value = reading.value if reading.rung is Rung.RAW else None
    return value if isinstance(value, dict) else None


_MOST = 100


@dataclass(frozen=True, slots=True)
class ExpectedCall:
    """One expected call, with the right values of each argument; with `alternatives` there are several inside too."""

    name: str
    arguments: dict[str, list[Json]]
    optional: frozenset[str]
    alternatives: bool


@dataclass(frozen=True, slots=True)
class FunctionCall:
    wanted: tuple[ExpectedCall, ...]
    ordered: bool
    extra: bool
    normal: Normal

    def score(self, subject: Subject) -> Score:
        # An answer that must not call anything is prose, and its format is not at fault.
        got, problem = calls_of(subject if self.wanted else replace(subject, report_reading=None))
        if not self.wanted:
            return graded(
                "function call",
                0.0 if got else 1.0,
                1.0,
                mismatch("", "no call", first_of([quoted(call.name) for call in got])),
            )
        if problem:
            return verdict("function call", problem)
        if self.ordered:
            pairs = {
                number: number
                for number, wanted in enumerate(self.wanted[: len(got)])
                if self.difference(wanted, got[number]) is None
            }
        else:
            pairs = _paired(
                len(self.wanted), len(got), lambda one, other: self.difference(self.wanted[one], got[other]) is None
            )
        return graded("function call", 2 * len(pairs) / (len(self.wanted) + len(got)), 1.0, self._reason(got, pairs))

    def _reason(self, got: Sequence[Call], pairs: dict[int, int]) -> str:
        if len(got) != len(self.wanted):
            actual = f"{len(got)} ({first_of([call.name for call in got]) or 'none'})"
            return mismatch("calls", str(len(self.wanted)), actual)
        for number, wanted in enumerate(self.wanted):
            if number not in pairs:
                left = [at for at in range(len(got)) if at not in pairs.values()]
                near = [at for at in left if got[at].name == wanted.name] or left
                call = got[number if self.ordered else near[0]]
                return f"{call.name}: {self.difference(wanted, call) or 'wrong order'}"
        return ""

    def difference(self, wanted: ExpectedCall, call: Call) -> str | None:
        """Return how a call differs from a wanted one, None if it does not."""
        if call.name != wanted.name:
            return f"expected a call of {quoted(wanted.name)}"
        if call.positional:
            return "an argument has no name"
        for name, values in wanted.arguments.items():
            if name not in call.arguments:
                if name in wanted.optional:
                    continue
                return f"the argument {quoted(name)} is missing"
            if not any(self._same(value, call.arguments[name], wanted.alternatives) for value in values):
                return mismatch(name, " or ".join(map(quoted, values[:5])), quoted(call.arguments[name]))
        for name in call.arguments if not self.extra else ():
            if name not in wanted.arguments:
                return f"unexpected argument {quoted(name)}"
        return None

    def _same(self, wanted: Json, got: Json, alternatives: bool) -> bool:
        if isinstance(wanted, dict) and isinstance(got, dict):
            if not alternatives:
                return wanted.keys() == got.keys() and all(self._same(wanted[key], got[key], False) for key in wanted)
            return all(key in wanted for key in got) and all(
                any(self._same(value, got[key], True) for value in _listed(values))
                if key in got
                else "" in _listed(values)
                for key, values in wanted.items()
            )
        if isinstance(wanted, list) and isinstance(got, list):
            return len(wanted) == len(got) and all(
                self._same(one, other, alternatives) for one, other in zip(wanted, got, strict=True)
            )
        if isinstance(wanted, bool) or isinstance(got, bool):
            return wanted is got
        if isinstance(wanted, (int, float)) and isinstance(got, (int, float)):
            return wanted == got
        if isinstance(wanted, str) and isinstance(got, str):
            return self.normal.text(wanted) == self.normal.text(got)
        return wanted is None and got is None


def _paired(wanted: int, got: int, fits: Callable[[int, int], bool]) -> dict[int, int]:
    # Return the largest pairing of expected with actual calls, by augmenting paths.
    taken: dict[int, int] = {}
    options = {one: [other for other in range(got) if fits(one, other)] for one in range(wanted)}

    def place(one: int, seen: set[int]) -> bool:
        for other in options[one]:
            if other not in seen:
                seen.add(other)
                if other not in taken or place(taken[other], seen):
                    taken[other] = one
                    return True
        return False

    for one in range(wanted):
        place(one, set())
    return {one: other for other, one in taken.items()}


def _listed(values: Json) -> list[Json]:
    return values if isinstance(values, list) else [values]


def build(argument: Json, context: CheckContext) -> Check:
    given: dict[str, Json] = {"is": argument}
    if isinstance(argument, dict) and isinstance(argument.get("is"), (dict, list)):
        given = _options.options(argument, ("is", "order", "extra arguments", "ignore"))
    items = given["is"] if isinstance(given["is"], list) else [given["is"]]
    order = _options.choice(given.get("order", "free"), "order", ("free", "fixed"))
    extra = _options.choice(given.get("extra arguments", "refused"), "extra arguments", ("allowed", "refused"))
    if len(items) > _MOST:
        raise ValueError(f"there can be {_MOST} calls at most")
    return FunctionCall(
        tuple(expected_call(item) for item in items),
        order == "fixed",
        extra == "allowed",
        _normal.normal(given.get("ignore")),
    )


def expected_call(item: Json) -> ExpectedCall:
    """Return a call as it is written. Raises ValueError."""
    if isinstance(item, dict) and isinstance(item.get("name"), str) and set(item) <= {"name", "arguments"}:
        arguments = item.get("arguments") or {}
        if isinstance(arguments, dict):
            return ExpectedCall(
                item["name"], {str(key): [value] for key, value in arguments.items()}, frozenset(), False
            )
    elif isinstance(item, dict) and len(item) == 1:
        [(name, arguments)] = item.items()
        if isinstance(arguments, dict) and all(isinstance(values, list) for values in arguments.values()):
            optional = frozenset(str(key) for key, values in arguments.items() if "" in values)
            return ExpectedCall(str(name), {str(key): values for key, values in arguments.items()}, optional, True)
    raise ValueError(f"{quoted(item)} is not a call: write 'name:' and 'arguments:' with a value for each argument")


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema={"type": ["object", "array"]})
