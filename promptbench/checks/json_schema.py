"""json schema: the answer is JSON and fits a schema.

What: reads the answer as `json` does, then validates it. References to other files are not followed. If no choice of
    a `oneOf` or `anyOf` fits, the reason is that of the choice that was meant.
When: the program behind the prompt needs these fields and types.
Options: `output` for the output schema of the prompt itself, a file beside the suite, or the schema itself. Or:
    `schema` the same; `formats` ignored or checked: if checked, a `format` in the schema, such as date, must be valid.
Example:
    checks: [{json schema: output}]
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptbench.checks import _options
from promptbench.checks._files import read_beside
from promptbench.checks._scores import readable, verdict
from promptbench.core.canonical import digest
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject
from promptbench.schemas.validator import compile_schema

if TYPE_CHECKING:
    from promptbench.schemas._bounded import BoundedSchema


@dataclass(frozen=True, slots=True)
class FitsSchema:
    schema: BoundedSchema

    def score(self, subject: Subject) -> Score:
        reading, problem = readable(subject, lambda string: self.schema.problem(string) is None)
        return verdict("json schema", problem or self.schema.problem(reading.value))


def build(argument: Json, context: CheckContext) -> Check:
    schema, formats = _given(argument)
    return FitsSchema(compile_schema(_schema(schema, context), formats=formats))


def fingerprint(argument: Json, context: CheckContext) -> Json:
    schema, _ = _given(argument)
    if not isinstance(schema, str) or schema == "output":
        return None
    try:
        return digest(_schema(schema, context))
    except (ValueError, RecursionError):
        return None


def _given(argument: Json) -> tuple[Json, bool]:
    if not isinstance(argument, dict) or "schema" not in argument:
        return argument, False
    given = _options.options(argument, ("schema", "formats"))
    wanted = _options.choice(given.get("formats", "ignored"), "formats", ("ignored", "checked"))
    return given["schema"], wanted == "checked"


def _schema(argument: Json, context: CheckContext) -> Json:
    if isinstance(argument, (dict, bool)):
        return argument
    if argument == "output":
        if context.output_schema is None:
            raise ValueError("the prompt has no output schema: add 'output: {schema: …}' between its '---' lines")
        return context.output_schema
    if not isinstance(argument, str) or not argument.endswith(".json"):
        raise ValueError("write 'output', the name of a .json file beside the suite, or the schema itself")
    text = read_beside(argument, context)
    try:
        return json.loads(text, parse_constant=_options.refuse_constant)
    except ValueError as error:
        raise ValueError(f"'{argument}' is not JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"'{argument}' is nested too deeply") from None


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema={"anyOf": [{"type": "string"}, {"type": ["object", "boolean"]}]},
    fingerprint=fingerprint,
)
