"""Read a model's answer inside an application, on the same ladder as in a suite.

from promptbench import read_answer

answer = read_answer(text, schema={"type": "object", "required": ["team"]})
if answer.valid:
    route(answer.value["team"])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptbench.core.types import Json, Reading, Repair, Rung
from promptbench.parsing.ladder import Ladder, Rule

if TYPE_CHECKING:
    from promptbench.plugins import RepairSpec


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """A model's text, read as data.

    Args:
        value: the data; None on rung `none`.
        rung: how far the text was from JSON: `raw`, `extracted`, `repaired_safe`, `repaired_risky` (a guess) or `none`.
        repairs: what was needed to read it, with the offset in characters where each step was applied.
        error: why the text cannot be read, in one sentence; None if it can.
        schema_error: the most telling reason why the value does not match the schema; None if it does, if there is no
            schema, or if the text cannot be read.
    """

    value: Json
    rung: Rung
    repairs: tuple[Repair, ...] = ()
    error: str | None = None
    schema_error: str | None = None

    @property
    def valid(self) -> bool:
        """True if the text could be read and matches the schema. A guess may be valid; see `rung`."""
        return self.error is None and self.schema_error is None


def read_answer(text: str, schema: Any = None, *, rules: Sequence[RepairSpec] = ()) -> ParsedAnswer:
    """Return a model's answer as data, with its rung, repairs and schema error.

    Args:
        text: the whole answer. No text raises, and the time is linear in its length.
        schema: a JSON Schema, or a class with `model_json_schema()` such as a pydantic model.
        rules: repair rules of your own, tried after the built-in ones. They run in this process without a time limit;
            a rule that raises is skipped.

    Returns:
        The parsed answer.

    Raises:
        ValueError: if the schema is not a valid JSON Schema.
    """
    # Built first, so that an invalid schema is found whatever the text is.
    schema_error = _schema_reader(schema) if schema is not None else None
    own = sorted((_as_rule(spec) for spec in rules), key=lambda rule: rule.rung.depth)
    reading = Ladder(tuple(own)).read(text)
    if reading.string is not None and schema_error is not None and schema_error(reading.string) is None:
        reading = Reading(Rung.RAW, reading.string)
    unreadable = reading.rung is Rung.NONE
    return ParsedAnswer(
        reading.value,
        reading.rung,
        reading.repairs,
        (reading.error or "The answer cannot be read") if unreadable else None,
        None if unreadable or schema_error is None else schema_error(reading.value),
    )


def _as_rule(spec: RepairSpec) -> Rule:
    def apply(text: str) -> str | None:
        try:
            return spec.apply(text)
        except Exception:  # noqa: BLE001 - a broken rule must not break the application
            return None

    return Rule(spec.name, spec.trust, apply)


def _schema_reader(schema: Any) -> Callable[[Json], str | None]:
    """Return a function from a value to the reason why it does not match. Raises ValueError."""
    # Imported here: an application that gives no schema does not pay for jsonschema.
    from promptbench.schemas.validator import compile_schema

    return compile_schema(schema.model_json_schema() if hasattr(schema, "model_json_schema") else schema).problem
