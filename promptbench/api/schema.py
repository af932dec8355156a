"""The JSON Schemas of suite files and of reports, in plain language, from the same models that read and write them."""

from __future__ import annotations

import ast
import inspect
import json
from contextlib import suppress
from itertools import combinations, pairwise
from typing import Any

from promptbench.api.explaining import check_page
from promptbench.api.run_report import NOT_IN_JSON
from promptbench.api.schema_words import ABOUT, EXAMPLES, GATE_TAGS, GATE_TAGS_EXAMPLES, of_option
from promptbench.checks import plugins as checks
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.plugins import module_name
from promptbench.core.types import Json
from promptbench.formats.marked_yaml import parse
from promptbench.formats.source import Source
from promptbench.report import model
from promptbench.report.model import SCHEMA_VERSION, RunReport
from promptbench.suite.models import CaseFile, GateFile, MessageFile, ModelFile, QuarantineFile, SuiteFile, TagFile

_SHARE: dict[str, Json] = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"}]
}
_RATIO: dict[str, Json] = {"type": "number", "exclusiveMinimum": 0}
_MARGIN: list[Json] = [
    {"type": "number", "minimum": 0.001, "exclusiveMaximum": 1},
    {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"},
]
_CASE_FILE: dict[str, Json] = {"type": "string", "pattern": r"\.(jsonl|csv|xlsx)$"}
_TEXT: dict[str, Json] = {"type": ["string", "number", "boolean"]}
_BESIDE_A_CHECK: dict[str, Json] = {
    "reading": {"enum": ["strict", "loose"]},
    "weight": {"type": "number", "minimum": 0, "default": 1},
}
_TEXTS: dict[str, Json] = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}


def report_schema() -> dict[str, Json]:
    """The JSON Schema of what `--format json` writes: `schema_version`, and a run for each suite."""
    from pydantic import TypeAdapter

    runs = TypeAdapter(list[RunReport]).json_schema(mode="serialization")
    kinds = {name: kind for name, kind in runs.pop("$defs").items() if name not in _SHOWN_ONLY}
    for name, kind in kinds.items():
        about = _attribute_docs(getattr(model, name, None))
        if name == "RunReport":
            kind["properties"] = {key: value for key, value in kind["properties"].items() if key not in NOT_IN_JSON}
        # What has a default inside is written all the same.
        kind["required"] = list(kind.get("properties", ()))
        for field, schema in kind.get("properties", {}).items():
            schema.pop("title", None)
            schema.pop("default", None)
            if field in about:
                schema["description"] = about[field]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "promptbench report",
        "type": "object",
        "properties": {"schema_version": {"const": SCHEMA_VERSION}, "runs": {**runs, "title": "One for each suite"}},
        "required": ["schema_version", "runs"],
        "$defs": kinds,
    }


_SHOWN_ONLY = ("Explored", "PromptText", "CaseAttempts", "AttemptRow", "PastRow")
"""What only a format for people has."""


def _attribute_docs(kind: type | None) -> dict[str, str]:
    """The text below each attribute of a class."""
    if kind is None or not hasattr(kind, "__dataclass_fields__"):
        return {}
    [body] = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for before, after in pairwise(body.body):
        if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[ast.unparse(before.target)] = inspect.cleandoc(str(after.value.value)).replace("\n", " ")
    return found


def suite_schema() -> dict[str, Json]:
    """JSON Schema, draft 2020-12. Keys with a space may be written with a dash or an underscore too."""
    case = _object(CaseFile, {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "promptbench suite",
        **_object(
            SuiteFile,
            {
                "cases": {"anyOf": [_CASE_FILE, {"type": "array", "items": {"anyOf": [_CASE_FILE, case]}}]},
                "gate": _object(GateFile, {"models": _TEXTS, "tags": _tags()}),
            },
        ),
        "$defs": _defined(),
    }


def _object(model: type[Any], special: dict[str, Json]) -> dict[str, Json]:
    properties: dict[str, Json] = {}
    patterns: dict[str, Json] = {}
    needed = [name for name, info in model.model_fields.items() if info.is_required()]
    for name in model.model_fields:
        words = {"description": ABOUT[name], "examples": list(EXAMPLES[name])}
        schema = {**words, **special.get(name, _field(name))}
        properties[name.replace("_", " ")] = schema
        if "_" in name:
            patterns[f"^{name.replace('_', '[_-]')}$"] = schema
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "required": [name for name in needed if "_" not in name],
        "additionalProperties": False,
        # A key with a space is there in one of its spellings.
        **({"allOf": [_in_one_spelling(name) for name in needed if "_" in name]} if "_" in "".join(needed) else {}),
    }


def _in_one_spelling(name: str) -> dict[str, Json]:
    return {"anyOf": [{"required": [name.replace("_", sign)]} for sign in " -_"]}


def _field(name: str) -> dict[str, Json]:
    match name:
        case "format_floor" | "answer_floor" | "floor" | "threshold":
            return _SHARE
        case "prompt" | "tags" | "log":
            return _TEXTS
        case "checks":
            return {"$ref": "#/$defs/checks"}
        case "models":
            entry = {"anyOf": [{"type": "string", "pattern": "^[^/]+/.+$"}, _object(ModelFile, {})]}
            return {"anyOf": [entry, {"type": "array", "items": entry, "minItems": 1}]}
        case "messages":
            roles: dict[str, Json] = {"role": {"enum": ["system", "user", "assistant"]}}
            return {"type": "array", "items": _object(MessageFile, roles)}
        case "quarantine":
            return _object(QuarantineFile, {"review_by": {"type": "string", "format": "date"}})
        case "vars":
            return {"type": "object"}
        case "expect" | "should_be" | "origin":
            return {}
        case "was":
            return {"type": ["string", "number", "boolean", "null"]}
        case "uses_prompt":
            return {"type": "boolean"}
        case "repeats":
            return {"type": "integer", "minimum": 1, "maximum": 100}
        case "max_age":
            days: Json = {"type": "string", "pattern": r"^\s*\d+\s*(day|hour)s?\s*$"}
            return {"anyOf": [days, {"type": "number", "exclusiveMinimum": 0}]}
        case "max_cost":
            amount: Json = {"type": "string", "pattern": r"^\s*\$?\s*\d+(\.\d+)?\s*$"}
            return {"anyOf": [amount, {"type": "number", "minimum": 0}]}
        case "accept":
            return {"enum": ["raw", "extracted", "repaired safe"], "default": "extracted"}
        case "fixed":
            return {"enum": ["any", "all"], "default": "any"}
        case "margin":
            return {"anyOf": [{"enum": ["auto"]}, *_MARGIN], "default": "auto"}
        case "cost_ratio" | "latency_ratio":
            return _RATIO
    return _TEXT


def _tags() -> dict[str, Json]:
    wants = {**_object(TagFile, {"margin": {"anyOf": _MARGIN}}), "description": GATE_TAGS, "minProperties": 1}
    words = {"description": GATE_TAGS, "examples": list(GATE_TAGS_EXAMPLES)}
    return {**words, "type": "object", "additionalProperties": wants}


def _defined() -> dict[str, Json]:
    """What is referred to more than once: every check's argument, one check, and a list of them."""
    from jsonschema import Draft202012Validator

    arguments = {f"check_{name}": _argument(name) for name in checks.names()}
    alone = [
        name.replace("_", " ")
        for name in checks.names()
        if (schema := checks.load(name).argument_schema) and Draft202012Validator(schema).is_valid(None)
    ]
    named: dict[str, Json] = {name: {"$ref": f"#/$defs/check_{name}"} for name in checks.names()}
    beside: dict[str, Json] = {
        name: {"description": ABOUT[name], "examples": list(EXAMPLES[name]), **schema}
        for name, schema in _BESIDE_A_CHECK.items()
    }
    one: dict[str, Json] = {
        "anyOf": [
            {"type": "string", "enum": alone},
            {
                "type": "object",
                "properties": {name.replace("_", " "): ref for name, ref in named.items()} | beside,
                "patternProperties": {
                    f"^{name.replace('_', '[_-]')}$": ref for name, ref in named.items() if "_" in name
                },
                "additionalProperties": False,
                # One check, and nothing beside it but what may stand beside any.
                "anyOf": [
                    {"required": list(options), "minProperties": len(options) + 1, "maxProperties": len(options) + 1}
                    for count in range(len(_BESIDE_A_CHECK) + 1)
                    for options in combinations(_BESIDE_A_CHECK, count)
                ],
            },
        ]
    }
    several = {"anyOf": [{"$ref": "#/$defs/check"}, {"type": "array", "items": {"$ref": "#/$defs/check"}}]}
    return {"checks": several, "check": one, **arguments}


def _argument(name: str) -> dict[str, Json]:
    """What a check takes, with what it is for, what its options say, and the arguments of its own example."""
    page = check_page(name)
    schema = _with_words(page.name, checks.load(name).argument_schema)
    return {**schema, "description": page.summary, "examples": _arguments_in(page.name, page.example)}


def _with_words(check: str, schema: Json) -> Json:
    """The schema with what each option says, as far as it is known."""
    if isinstance(schema, list):
        return [_with_words(check, item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _with_words(check, value) for key, value in schema.items() if key != "properties"}
    if isinstance(schema.get("properties"), dict):
        found["properties"] = {option: _option(check, option, item) for option, item in schema["properties"].items()}
    return found


def _option(check: str, option: str, schema: Json) -> Json:
    with suppress(KeyError):
        about, example = of_option(check, option)
        return {"description": about, "examples": [example], **_with_words(check, schema)}
    return _with_words(check, schema)


def _arguments_in(check: str, example: str) -> list[Json]:
    """What a check is given in an example of a suite's lines."""
    document = parse(Source("example.yaml", example), Diagnostics())
    value = document.value if document else {}
    items = [{"expect": value["expect"]}] if "expect" in value else value.get("checks", [])
    named = [item if isinstance(item, dict) else {item: None} for item in items]
    return [_plain(given) for item in named for name, given in item.items() if module_name(name) == module_name(check)]


def _plain(value: Json) -> Json:
    """Data without the text of its numbers."""
    return json.loads(json.dumps(value))
