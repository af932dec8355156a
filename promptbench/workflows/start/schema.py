"""JSON Schemas of suite files and of reports, from the models that read and write them."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Mapping
from itertools import combinations, pairwise

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from promptbench.checks import plugins as checks
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.plugins import module_name
from promptbench.core.types import Json
from promptbench.report import model
from promptbench.report.model import SCHEMA_VERSION, RunReport
from promptbench.suite.file import CaseFile, SuiteFile
from promptbench.workflows.judge.run_report import NOT_IN_JSON
from promptbench.workflows.start.explain import check_page
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CASE_FILE: dict[str, Json] = {"type": "string", "pattern": r"\.(jsonl|csv|xlsx)$"}
_BESIDE_A_CHECK: dict[str, Json] = {
    "reading": {
        "description": "'loose' also takes the answer without its first or last line and without asterisks.",
        "examples": ["loose"],
        "enum": ["strict", "loose"],
    },
    "weight": {
        "description": "The weight of this check among the others; with 0 it is reported and decides nothing.",
        "examples": [3, 0],
        "type": "number",
        "minimum": 0,
        "default": 1,
    },
}


def report_schema() -> dict[str, Json]:
    """Return the JSON Schema of what `--format json` writes: `schema_version`, and a run for each suite."""
    from pydantic import TypeAdapter

    runs = TypeAdapter(list[RunReport]).json_schema(mode="serialization")
    kinds = {name: kind for name, kind in runs.pop("$defs").items() if name not in _SHOWN_ONLY}
    for name, kind in kinds.items():
        about = _attribute_docs(getattr(model, name, None))
        if name == "RunReport":
            kind["properties"] = {key: value for key, value in kind["properties"].items() if key not in NOT_IN_JSON}
        # A field with a default is always written.
        kind["required"] = list(kind.get("properties", ()))
        for field, schema in kind.get("properties", {}).items():
            schema.pop("title", None)
            schema.pop("default", None)
            if field in about:
                schema["description"] = about[field]
    return {
        "$schema": _DIALECT,
        "title": "promptbench runs report",
        "type": "object",
        "properties": {"schema_version": {"const": SCHEMA_VERSION}, "runs": {**runs, "title": "One for each suite"}},
        "required": ["schema_version", "runs"],
        "$defs": kinds,
    }


# Parts that only formats for people have.
_SHOWN_ONLY = ("Explored", "PromptText", "CaseRow", "AttemptRow", "PastRow")
_SHOWN_ONLY = ("Explored", "PromptText", "CaseAttempts", "AttemptRow", "PastRow")  # What only a format for people has.


def _attribute_docs(kind: type | None) -> dict[str, str]:
    """Return the docstring below each attribute of a class."""
    if kind is None or not hasattr(kind, "__dataclass_fields__"):
        return {}
    [body] = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for before, after in pairwise(body.body):
        if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[ast.unparse(before.target)] = inspect.cleandoc(str(after.value.value)).replace("\n", " ")
    return found


class _Generator(GenerateJsonSchema):
    """Keeps the order of keys, which examples are read in, and sets no titles of fields."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def suite_schema() -> dict[str, Json]:
    """Return the JSON Schema of suite files, draft 2020-12."""
    suite, case = (kind.model_json_schema(schema_generator=_Generator) for kind in (SuiteFile, CaseFile))
    defined = {**suite.pop("$defs"), **case.pop("$defs"), "CaseFile": case}
    for schema in (suite, *defined.values()):
        _finish(schema)
    entry = {"anyOf": [_CASE_FILE, {"$ref": "#/$defs/CaseFile"}]}
    suite["properties"]["cases"] |= {"anyOf": [_CASE_FILE, {"type": "array", "items": entry}]}
    del suite["properties"]["cases"]["type"], suite["properties"]["cases"]["items"]
    return {"$schema": _DIALECT, **suite, "title": "promptbench suite", "$defs": {**defined, **_defined()}}


def _finish(schema: dict[str, Json]) -> None:
    """Write keys with a space, which may be a dash or an underscore too, and drop what editors do not need."""
    properties, needed = schema["properties"], schema.get("required", [])
    for field in properties.values():
        if field.get("default", "") is None:
            del field["default"]
    if "checks" in properties:
        properties["checks"]["$ref"] = "#/$defs/checks"
    schema.pop("title", None)
    schema["properties"] = {name.replace("_", " "): field for name, field in properties.items()}
    schema["patternProperties"] = {
        f"^{name.replace('_', '[_-]')}$": field for name, field in properties.items() if "_" in name
    }
    schema["required"] = [name for name in needed if "_" not in name]
    spelled = [[{"required": [name.replace("_", sign)]} for sign in " -_"] for name in needed if "_" in name]
    if spelled:
        schema["allOf"] = [{"anyOf": spellings} for spellings in spelled]


def _defined() -> dict[str, Json]:
    """Return the definitions of every check's argument, of one check, and of one or more checks."""
    from jsonschema import Draft202012Validator

    arguments = {f"check_{name}": _argument(name) for name in checks.names()}
    alone = [
        name.replace("_", " ")
        for name in checks.names()
        if (schema := checks.load(name).argument_schema) and Draft202012Validator(schema).is_valid(None)
    ]
    named: dict[str, Json] = {name: {"$ref": f"#/$defs/check_{name}"} for name in checks.names()}
    one: dict[str, Json] = {
        "anyOf": [
            {"type": "string", "enum": alone},
            {
                "type": "object",
                "properties": {name.replace("_", " "): ref for name, ref in named.items()} | _BESIDE_A_CHECK,
                "patternProperties": {
                    f"^{name.replace('_', '[_-]')}$": ref for name, ref in named.items() if "_" in name
                },
                "additionalProperties": False,
                # Exactly one check, next to the options that every check has.
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
    """Return the schema of a check's argument, with descriptions and the arguments of its own example."""
    page = check_page(name)
    schema = _with_words(page.name, checks.load(name).argument_schema)
    return {**schema, "description": page.summary, "examples": _arguments_in(page.name, page.example)}


def _with_words(check: str, schema: Json) -> Json:
    """Return the schema with the description of each option that has one."""
    if isinstance(schema, list):
        return [_with_words(check, item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _with_words(check, value) for key, value in schema.items() if key != "properties"}
    if isinstance(schema.get("properties"), dict):
        found["properties"] = {option: _option(check, option, item) for option, item in schema["properties"].items()}
    return found


def _option(check: str, option: str, schema: Json) -> Json:
    described = _OF_ONE.get((check, option)) or _OPTIONS.get(option)
    words = {"description": described[0], "examples": [described[1]]} if described else {}
    return {**words, **_with_words(check, schema)}


def _arguments_in(check: str, example: str) -> list[Json]:
    """Return the arguments of a check in an example, which is some lines of a suite."""
    document = parse(Source("example.yaml", example), Diagnostics())
    value = document.value if document else {}
    items = [{"expect": value["expect"]}] if "expect" in value else value.get("checks", [])
    named = [item if isinstance(item, dict) else {item: None} for item in items]
    return [_plain(given) for item in named for name, given in item.items() if module_name(name) == module_name(check)]


def _plain(value: Json) -> Json:
    """Return data with plain numbers instead of those that keep how they were written."""
    return json.loads(json.dumps(value))


# Descriptions of the options of checks, each with an example; `_OF_ONE` has those that differ for one check.
_OPTIONS: Mapping[str, tuple[str, Json]] = {
    "is": ("The right answer; the same as writing it without options.", "billing"),
    "at": ("The path in a JSON answer, with dots between the names.", "order.items[0].sku"),
    "ignore": ("What to ignore: case, white space, punctuation, accents, unicode; one or a list.", "case"),
    "at least": ("The score or share that is enough.", "80%"),
    "at most": ("The highest allowed value.", 500),
    "exactly": ("The only correct number.", 3),
    "less than": ("Fewer than this.", 100),
    "more than": ("More than this.", 2),
    "of": ("What is counted.", "words"),
    "any of": ("Texts of which one is enough.", ["refund", "money back"]),
    "all of": ("Texts that must all be there.", ["refund", "14 days"]),
    "whole words": ("yes if 'rate' must not be found in 'separate'.", "yes"),
    "phrases": ("More ways to say so, in any language.", ["das weiß ich nicht"]),
    "in": ("The name of the value, or of several, in which it must be found.", "documents"),
    "look at": ("What is looked for: numbers, names, quotations.", ["numbers", "names"]),
    "pattern": ("Another form of mark, as a regular expression with the id in its first group.", "\\((\\d+)\\)"),
    "order": ("Whether the day or the month comes first in a date.", "day first"),
    "which": ("Which one counts, where there are several: only, first, last or any.", "last"),
    "text": ("The expected text.", "Dear customer"),
    "variable": ("The name of the case's variable with the expected text.", "greeting"),
    "paragraph": ("The paragraph that is looked at: 1, 2, … or last.", "last"),
    "word": ("The first word.", "Dear"),
    "labels": ("All labels, as a list or the name of a file with one a line.", ["billing", "delivery"]),
    "out of scope": ("The label of what fits none.", "other"),
    "confidence": ("The path of a number from 0 to 1 in the answer.", "intent.confidence"),
    "within": ("How far off it may be, as a number or as a share.", "5%"),
    "unit": ("The unit that must be before or after the number; one text or a list.", ["EUR", "€"]),
    "decimal": ("Whether a point or a comma separates decimals.", "comma"),
    "separated by": ("The separator between the parts.", "***"),
    "all different": ("yes if no two parts may be the same.", "yes"),
    "function": ("The Python file and the function in it, named from the suite's folder.", "rules.py:check"),
    "argument": ("Anything that the function should know.", {"limit": 3}),
    "seconds": ("How long the function may take, up to 60.", 10),
    "judge": ("The model that judges, with its version; or a list of models.", "openai/gpt-4.1-mini-2025-04-14"),
    "passes if": ("The criterion, as you would explain it to a colleague.", "the answer apologises and names a date"),
    "sees": ("The values of the case that the judge may see.", ["message"]),
    "reference": ("An answer that meets the criterion.", "We are sorry; your parcel comes on Friday."),
    "repeats": ("How often each judge is called.", 3),
    "scale": ("1 to 5 for a rating instead of yes or no.", "1 to 5"),
    "config": ("What is sent to the judge, as in a prompt's config.", {"temperature": 0}),
    "agreement": ("The least agreement with people with which the check counts.", 0.6),
    "to": ("The text that the answer must be like; one or a list.", "Your parcel comes on Friday."),
}
_OF_ONE: Mapping[tuple[str, str], tuple[str, Json]] = {
    ("count", "at least"): ("No fewer than this.", 3),
    ("parts", "at least"): ("No fewer than this.", 2),
    ("number", "at least"): ("The lowest number that is still right.", 10),
    ("citations", "at least"): ("How many different documents must be cited.", 2),
    ("rubric", "at least"): ("The rating that passes, on the scale.", 4),
    ("latency", "at most"): ("The longest time.", "2 s"),
    ("cost", "at most"): ("The highest cost of a call, in dollars.", "$0.002"),
    ("answerable", "is"): ("Whether the question can be answered.", "no"),
    ("refusal", "is"): ("Whether the answer declines.", "no"),
    ("list", "is"): ("The entries, in their order.", ["A-17", "B-4471"]),
    ("set", "is"): ("The entries, in any order.", ["A-17", "B-4471"]),
    ("one of", "is"): ("The answers of which each is good.", ["billing", "payments"]),
    ("slots", "is"): ("The slots with their values.", {"city": "Oslo"}),
    ("number", "is"): ("The right number.", 1234.5),
    ("date", "is"): ("The right date, best as year-month-day.", "2026-03-04"),
    ("exact match", "ignore"): ("citations, when marks such as [1] do not count.", "citations"),
    ("token f1", "ignore"): ("citations, when marks such as [1] do not count.", "citations"),
    ("tokens", "of"): ("Which tokens count: answer, prompt or both.", "both"),
}
