"""An answer as function calls, in any of the forms that models give them."""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.core.protocols import Subject
from promptbench.core.types import Json, Reading, Rung
from promptbench.formats import calls, json_text

_ARGUMENTS = ("arguments", "input", "parameters", "args")


@dataclass(frozen=True, slots=True)
class Call:
    """`positional` are arguments without a name."""

    name: str
    arguments: dict[str, Json]
    positional: tuple[Json, ...] = ()


def calls_of(subject: Subject) -> tuple[list[Call], str | None]:
    """The calls of an answer, and why it is none: in Python's syntax, or as JSON in the form of an API's tool calls."""
    reading = calls.read(subject.text)
    if reading.rung.within(subject.accept):
        found: list[Call] | None = [
            Call(call["name"], call["arguments"], tuple(call.get("positional", ()))) for call in reading.value
        ]
        problem = None
    else:
        # Not `subject.read`: that JSON was tried says nothing about the format.
        data = json_text.read(subject.text)
        found = _from_json(data.value) if data.rung.within(subject.accept) else None
        problem = None if found is not None else _problem(reading, data, subject.accept)
        reading = reading if found is None else data
    if subject.tell is not None:
        subject.tell(reading)
    return found or [], problem


def _problem(reading: Reading, data: Reading, accept: Rung) -> str:
    if data.rung.within(accept):
        return "the answer is data, but no call of a function"
    if reading.rung is Rung.NONE:
        return f"no calls: {reading.error}"
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
    """An object, or the JSON text of one, as OpenAI sends it."""
    if isinstance(value, str):
        reading = json_text.read(value)
        value = reading.value if reading.rung is Rung.RAW else None
    return value if isinstance(value, dict) else None
