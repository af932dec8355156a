"""Read an answer as function calls, in any of the forms that models use."""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.parsing import calls, json_text
from promptbench.plugins import Json, Reading, Rung, Subject

_ARGUMENTS = ("arguments", "input", "parameters", "args")


@dataclass(frozen=True, slots=True)
class Call:
    """A function call. `positional` has the arguments without a name."""

    name: str
    arguments: dict[str, Json]
    positional: tuple[Json, ...] = ()


def calls_of(subject: Subject) -> tuple[list[Call], str | None]:
    """Return the calls of an answer, or the problem. They are in Python's syntax, or in an API's JSON of tool calls."""
    reading = calls.read(subject.text)
    if reading.rung.within(subject.accept):
        found: list[Call] | None = [
            Call(call["name"], call["arguments"], tuple(call.get("positional", ()))) for call in reading.value
        ]
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
        arguments = _arguments(next((value[key] for key in _ARGUMENTS if key in value), {}))
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
