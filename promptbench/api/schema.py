"""The JSON Schemas of suite files and of reports, in plain language, from the same models that read and write them."""

from __future__ import annotations

import ast
import inspect
from itertools import combinations, pairwise
from typing import Any

from promptbench.checks import plugins as checks
from promptbench.core.types import Json
from promptbench.report import model
from promptbench.report.formats.json import NOT_IN_JSON
from promptbench.report.model import SCHEMA_VERSION, RunReport
from promptbench.suite.models import CaseFile, GateFile, MessageFile, ModelFile, QuarantineFile, SuiteFile, TagFile

_ABOUT = {
    "suite": "The suite's name; any short text.",
    "about": "What the task is, in one sentence.",
    "prompt": "The candidate's file beside this one, for example triage.prompt; a list or a pattern for several.",
    "models": "The models to ask, as provider/name.",
    "model": "The model, as provider/name.",
    "uses_prompt": "false for a model of your own that gets the variables and no prompt.",
    "fallback": "The model to ask when this one is given up in an outage; its answers are shown and prove nothing.",
    "checks": "What must hold of every answer.",
    "log": "Logs beside this file; their failing calls are replayed as cases.",
    "accept": "How far a JSON answer may be from clean JSON and still count as readable.",
    "cases": "What goes in, and what should come back; the name of a .jsonl, .csv or .xlsx file beside this one stands for its rows.",
    "gate": "What it takes to pass.",
    "case": "The case's name: what it is about.",
    "vars": "The values that the prompt's {{names}} stand for.",
    "messages": "A conversation, placed where the prompt says {{history}}.",
    "expect": "What should come back: fields of a JSON answer, or a text.",
    "was": "The logged answer that was wrong, as text: the case must fail on it.",
    "should_be": "An answer that must pass all checks of the case.",
    "threshold": "The share of the weighted scores that is enough, for example 80%; without it every check must pass.",
    "tags": "Words to select cases by; 'critical' cases must be right.",
    "cluster": "What the case has in common with others, such as a conversation: statistics count clusters.",
    "quarantine": "Sets a case apart that cannot be relied on: it is asked and shown, and proves nothing.",
    "owner": "Who looks after the case.",
    "reason": "Why it cannot be relied on.",
    "review_by": "The last day of the quarantine, such as 2026-12-31; after it nothing passes.",
    "origin": "Where the case came from.",
    "note": "Anything worth knowing for whoever reads the case next.",
    "reading": "'loose' also takes the answer without its first or last line and without asterisks.",
    "weight": "What this check counts among the others; with 0 it is reported and decides nothing.",
    "role": "Who speaks.",
    "content": "What is said.",
    "margin": "How much of what passes now may be lost, such as 5%; 'auto' asks that nothing breaks.",
    "repeats": "How often each case is asked at first on a model that is not deterministic.",
    "fixed": "'all' when every failure must be fixed; 'any' when one is enough.",
    "format_floor": "The least share of readable answers, for example 95%.",
    "answer_floor": "The least share of right answers of a first version, for example 80%.",
    "floor": "The least share of right answers to the cases with this tag, for example 90%.",
    "cost_ratio": "How many times as much as in production a call may cost, for example 1.2.",
    "latency_ratio": "How many times as long as in production a call may take, by the median, for example 1.5.",
    "max_cost": "What a run may cost, for example $2: it stops before more is spent, without a verdict.",
    "max_age": "How old the proof of a promotion may be, for example 7 days.",
}
_SHARE: dict[str, Json] = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"}]
}
_RATIO: dict[str, Json] = {"type": "number", "exclusiveMinimum": 0}
_MARGIN: list[Json] = [
    {"type": "number", "minimum": 0.001, "exclusiveMaximum": 1},
    {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"},
]
_GATE_TAGS = "What the cases with a tag must keep besides: a 'floor', a 'margin', or both below the tag's name."
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


_SHOWN_ONLY = ("Explored", "PromptText", "CaseRow", "AttemptRow", "PastRow")
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
    }


def _object(model: type[Any], special: dict[str, Json]) -> dict[str, Json]:
    properties: dict[str, Json] = {}
    patterns: dict[str, Json] = {}
    for name in model.model_fields:
        schema = {"description": _ABOUT[name], **special.get(name, _field(name))}
        properties[name.replace("_", " ")] = schema
        if "_" in name:
            patterns[f"^{name.replace('_', '[_-]')}$"] = schema
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "required": [name for name, info in model.model_fields.items() if info.is_required()],
        "additionalProperties": False,
    }


def _field(name: str) -> dict[str, Json]:
    match name:
        case "format_floor" | "answer_floor" | "floor" | "threshold":
            return _SHARE
        case "prompt" | "tags" | "log":
            return _TEXTS
        case "checks":
            return _checks()
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
    wants = _object(TagFile, {"margin": {"anyOf": _MARGIN}})
    return {"description": _GATE_TAGS, "type": "object", "additionalProperties": {**wants, "minProperties": 1}}


def _checks() -> dict[str, Json]:
    properties: dict[str, Json] = {}
    patterns: dict[str, Json] = {}
    from jsonschema import Draft202012Validator

    alone = []
    for name in checks.names():
        module = checks.load(name)
        about = (module.__doc__ or "").split("\n\n")[0].partition(": ")[2]
        schema = {**module.argument_schema, "description": about}
        if module.argument_schema and Draft202012Validator(module.argument_schema).is_valid(None):
            alone.append(name.replace("_", " "))
        properties[name.replace("_", " ")] = schema
        if "_" in name:
            patterns[f"^{name.replace('_', '[_-]')}$"] = schema
    properties |= {name: {**schema, "description": _ABOUT[name]} for name, schema in _BESIDE_A_CHECK.items()}
    one: dict[str, Json] = {
        "anyOf": [
            {"type": "string", "enum": alone},
            {
                "type": "object",
                "properties": properties,
                "patternProperties": patterns,
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
    return {"anyOf": [one, {"type": "array", "items": one}]}
