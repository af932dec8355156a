"""JSON Schemas of suite files and of reports, from the models that read and write them."""

import inspect
import json
import re
from collections.abc import Mapping
from itertools import combinations
from types import ModuleType

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from promptbench.checks import plugins as checks
from promptbench.core.errors import Diagnostics
from promptbench.core.plugins import module_name
from promptbench.core.types import Json
from promptbench.suite.file import CaseFile
from promptbench.suite.suite_file import SuiteFile
from promptbench.workflows.start.explain import check_page
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CASE_FILE: dict[str, Json] = {"type": "string", "pattern": r"\.(jsonl|csv|xlsx|yaml|yml)$"}
_USE: dict[str, Json] = {
    "use": {"description": "The name of checks in a file of 'use checks:'.", "examples": ["polite"], "type": "string"}
}
# Types that only the formats for people have.
_SHOWN_ONLY = ("Explored", "PromptText", "CaseAttempts", "AttemptRow", "PastRow")
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
    "at": {
        "description": "The path of the value in a JSON answer that this check looks at; [*] means each of several.",
        "examples": ["summary", "order.items[*].sku"],
        "type": ["string", "integer"],
    },
}


def report_schema() -> dict[str, Json]:
    """Return the JSON Schema of what `--format json` writes: `schema_version`, and a run for each suite."""
    from pydantic import TypeAdapter

    from promptbench.report import model
    from promptbench.report.model import SCHEMA_VERSION, RunReport
    from promptbench.workflows.judge.run_report import NOT_IN_JSON

    described = _field_comments(model)
    runs = TypeAdapter(list[RunReport]).json_schema(mode="serialization")
    kinds = {name: kind for name, kind in runs.pop("$defs").items() if name not in _SHOWN_ONLY}
    for name, kind in kinds.items():
        if name == "RunReport":
            kind["properties"] = {key: value for key, value in kind["properties"].items() if key not in NOT_IN_JSON}
        # A field with a default is always written.
        kind["required"] = list(kind.get("properties", ()))
        for field, schema in kind.get("properties", {}).items():
            schema.pop("title", None)
            schema.pop("default", None)
            if text := described.get((name, field)):
                schema["description"] = text
    return {
        "$schema": _DIALECT,
        "title": "promptbench runs report",
        "type": "object",
        "properties": {"schema_version": {"const": SCHEMA_VERSION}, "runs": {**runs, "title": "One for each suite"}},
        "required": ["schema_version", "runs"],
        "$defs": kinds,
    }


def _field_comments(module: ModuleType) -> dict[tuple[str, str], str]:
    """Return the comment of each field of a module's classes: above the field, or behind it on the same line."""
    found: dict[tuple[str, str], str] = {}
    kind, above = "", list[str]()
    for line in inspect.getsource(module).splitlines():
        if declared := re.match(r"class (\w+)", line):
            kind = declared[1]
        field = re.match(r" {4}(\w+): [^#]*(?:# (.*))?$", line)
        if field and (text := " ".join([*above, field[2] or ""]).strip()):
            found[kind, field[1]] = text
        above = [*above, line.strip(" #")] if line.startswith("    # ") else []
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
    if at := properties.get("expect_at"):
        of_step = {"description": at["description"], "examples": list(at["examples"][0].values())}
        schema["patternProperties"]["^expect[ _-]at[ _-].+$"] = of_step
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
                "properties": {name.replace("_", " "): ref for name, ref in named.items()} | _USE | _BESIDE_A_CHECK,
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
    page = check_page(name)
    return {
        **_with_words(page.name, checks.load(name).argument_schema),
        "description": page.summary,
        "examples": _arguments_in(page.name, page.example),
    }


def _with_words(check: str, schema: Json) -> Json:
    """Return the schema with the description of each option that has one."""
    if isinstance(schema, list):
        return [_with_words(check, item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _with_words(check, value) for key, value in schema.items() if key != "properties"}
    if isinstance(schema.get("properties"), dict):
        found["properties"] = {}
        for option, item in schema["properties"].items():
            described = _OF_ONE.get((check, option)) or _OPTIONS.get(option)
            words = {"description": described[0], "examples": [described[1]]} if described else {}
            found["properties"][option] = {**words, **_with_words(check, item)}
    return found


def _arguments_in(check: str, example: str) -> list[Json]:
    """Return the arguments of a check in an example, which is some lines of a suite."""
    document = parse(Source("example.yaml", example), Diagnostics())
    value = document.value if document else {}
    items = [{"expect": value["expect"]}] if "expect" in value else value.get("checks", [])
    named = [item if isinstance(item, dict) else {item: None} for item in items]
    arguments = [given for item in named for name, given in item.items() if module_name(name) == module_name(check)]
    # Parsed YAML has numbers that keep how they were written; JSON has plain ones.
    plain: list[Json] = json.loads(json.dumps(arguments))
    return plain


# Descriptions of the options of checks, each with an example; `_OF_ONE` has those that differ for one check.
_OPTIONS: Mapping[str, tuple[str, Json]] = {
    "is": ("The right answer; the same as writing it without options.", "billing"),
    "checks": ("The checks of the group.", [{"contains": "Paris"}, {"contains": "Seine"}]),
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
    "order": ("The order of day and month in a date.", "day first"),
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
    "decimal": ("The sign before decimals: point or comma.", "comma"),
    "separated by": ("The separator between the parts.", "***"),
    "all different": ("yes if no two parts may be the same.", "yes"),
    "function": ("The Python file and the function in it, named from the suite's folder.", "rules.py:check"),
    "argument": ("Anything that the function should know.", {"limit": 3}),
    "seconds": ("How long the function may take, up to 60.", 10),
    "judge": ("The model that judges, with its version; or a list of models.", "openai/gpt-5.5-2026-04-23"),
    "passes if": ("The criterion, as you would explain it to a colleague.", "the answer apologises and names a date"),
    "sees": ("The values of the case that the judge may see.", ["message"]),
    "reference": ("An answer that meets the criterion.", "We are sorry; your parcel comes on Friday."),
    "repeats": ("How often each judge is called.", 3),
    "scale": ("1 to 5 for a rating instead of yes or no.", "1 to 5"),
    "config": ("What is sent to the judge, as in a prompt's config.", {"temperature": 0}),
    "agreement": ("The least agreement with people with which the check counts.", 0.6),
    "to": ("The text that the answer must be like; one or a list.", "Your parcel comes on Friday."),
    "by": ("The model that embeds both texts, to compare their meaning.", "openai/text-embedding-3-small"),
    "criterion": ("What makes an answer better than another one.", "it says what happens next"),
    "over": ("The known answer, or was for the logged answer of the case.", "was"),
    "tie": ("What is without a preference: fails or passes.", "passes"),
}
_OF_ONE: Mapping[tuple[str, str], tuple[str, Json]] = {
    ("count", "at least"): ("No fewer than this.", 3),
    ("parts", "at least"): ("No fewer than this.", 2),
    ("steps", "at least"): ("No fewer than this.", 2),
    ("steps", "order"): ("Calls that must be made in this order; others may be between.", ["find_order", "refund"]),
    ("steps", "never"): ("Calls that must not be made.", ["delete_order"]),
    ("steps", "count"): ("How often each tool is called.", {"refund": 1, "find_order": {"at most": 2}}),
    ("steps", "steps"): ("How often the model is called.", {"at most": 4}),
    ("number", "at least"): ("The lowest number that is still right.", 10),
    ("citations", "at least"): ("How many different documents must be cited.", 2),
    ("rubric", "at least"): ("The rating that passes, on the scale.", 4),
    ("latency", "at most"): ("The longest time.", "2 s"),
    ("cost", "at most"): ("The highest cost of a call, in dollars.", "$0.002"),
    ("answerable", "is"): ("yes if the question can be answered.", "no"),
    ("refusal", "is"): ("yes if the answer declines.", "no"),
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
