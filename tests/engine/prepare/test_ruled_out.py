"""What the schemas of a prompt rule out in its cases, and what they do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptbench.core.errors import Code, Severity
from promptbench.core.types import Json
from tests.helpers.suites import HEAD, joined

STRICT = "checks: [{json schema: output}]\n"
TICKET: Json = {
    "type": "object",
    "properties": {
        "ref": {"type": "string", "pattern": "^T-"},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "count": {"type": "integer"},
        "ok": {"type": "boolean"},
        "team": {"enum": ["billing", "shipping"]},
        "to": {"$ref": "#/$defs/person"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/person"}, "maxItems": 2},
        "codes": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["ref", "score"],
    "additionalProperties": False,
    "$defs": {
        "person": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        }
    },
}
SHAPES: Json = {
    "oneOf": [
        {"properties": {"kind": {"const": "circle"}, "r": {"type": "number"}}, "required": ["kind", "r"]},
        {"properties": {"kind": {"const": "dot"}}, "required": ["kind"], "additionalProperties": False},
    ]
}


def ruled_out(folder: Path, schema: Json, case: str, *, head: str = STRICT, inputs: str = "") -> list[str]:
    """Return the messages and columns of PB512 for one case, whose lines are `case`."""
    prompt = f"---\n{inputs}output: {{schema: {json.dumps(schema)}}}\n---\nWhich team is this for? {{{{message}}}}\n"
    text = f"{HEAD}{head}cases:\n  - case: one\n    {case}\n"
    _, found = joined(
        folder, text if "vars:" in case else f"{text}    vars: {{message: hi}}\n", {"triage.prompt": prompt}
    )
    assert [item.code for item in found if item.code not in (Code.RULED_OUT, Code.LABEL_NOT_OFFERED)] == []
    errors = [item for item in found if item.code is Code.RULED_OUT]
    assert {item.severity for item in errors} <= {Severity.ERROR if head else Severity.WARNING}
    return [
        f"{item.location.text[item.location.column - 1 :][: item.location.length]}: "
        + item.message.partition(": ")[2].removesuffix(", by the output schema of triage.prompt")
        + (f"; {item.hint}" if item.hint != "fix the case, or the schema" else "")
        for item in errors
    ]


@pytest.mark.parametrize(
    ("expect", "reported"),
    [
        ("{refs: T-1}", ["refs: unknown field 'refs'; did you mean 'ref'?"]),
        ("{score: high}", ["high: score: expected number, got 'high'; write it in digits, such as 3"]),
        ("{count: yes}", ["yes: count: expected integer, got 'yes'; write it in digits, such as 3"]),
        ("{count: '12'}", ["'12': count: expected integer, got '12'; write 12, without quotation marks"]),
        ("{count: 1.5}", ["1.5: count: expected integer, got 1.5"]),
        ("{ok: yes}", ["yes: ok: expected boolean, got 'yes'; 'yes' is text in this file: write true"]),
        ("{team: biling}", [
            "biling: team: expected one of [\"billing\",\"shipping\"], got 'biling'; did you mean 'billing'?"
        ]),
        ("{ref: X-1}", ["X-1: ref: expected a match of '^T-', got 'X-1'"]),
        ("{score: 2}", ["2: score: expected at most 1, got 2"]),
        ("{to: {nam: Ada}}", ["nam: to: unknown field 'nam'; did you mean 'name'?"]),
        ("{to: {age: old}}", ["old: to.age: expected integer, got 'old'; write it in digits, such as 3"]),
        ("{to: [Ada]}", ['[Ada]: to: expected object, got ["Ada"]']),
        ("{items: [{name: Ada}]}", ["{name: Ada}: items.0: missing 'age'"]),
        ("{items: [1, 2, 3]}", [
            "[1, 2, 3]: items: expected at most 2 items, got 3",
            *(f"{n}: items.{n - 1}: expected object, got {n}" for n in (1, 2, 3)),
        ]),
        ("{any of: [{score: 2}, {score: 3}]}", [
            "{any of: [{score: 2}, {score: 3}]}: score: expected at most 1, got 2"
        ]),
        ("billing", [
            "billing: expected JSON, got 'billing'; write the fields that should come back, such as 'expect: {ref: …}'"
        ]),
        ("[billing]", ['[billing]: expected object, got ["billing"]']),
        # Nothing that can pass is reported.
        ("{ref: T-1}", []),
        ("{to: {name: Ada}}", []),
        ("{score: 1, count: 2.0, codes: [1, 2.50]}", []),
        ("{any of: [{score: 2}, {score: 1}]}", []),
        ("{is: {team: Billing}, ignore: case}", []),
        ("{is: {a.b: 1}, fields: paths}", []),
        ("""'{"ref": "T-1", "score": 1}'""", []),
        ("'see {ref}: T-1'", []),
    ],
)  # fmt: skip
def test_an_expected_value_that_no_answer_can_have(expect: str, reported: list[str], tmp_path: Path) -> None:
    assert sorted(ruled_out(tmp_path, TICKET, f"expect: {expect}")) == sorted(reported)


@pytest.mark.parametrize(
    ("schema", "expect", "count"),
    [
        ({"type": "object", "properties": {"ref": {"type": "string"}}}, "{refs: x}", 0),
        (SHAPES, "{kind: circle}", 0),
        (SHAPES, "{kind: dot}", 0),
        (SHAPES, "{r: 1}", 0),
        (SHAPES, "{kind: dot, r: 1}", 1),
        ({"anyOf": [{"type": "integer"}, {"type": "object"}]}, "{a: 1}", 0),
        ({"type": "object", "not": {"required": ["a"]}}, "{b: 1}", 0),
        ({"type": "object", "if": {"required": ["a"]}, "then": {"properties": {"b": {"const": 1}}}, "else": False},
         "{b: 2}", 0),
        ({"type": "object", "minProperties": 2, "unevaluatedProperties": False, "anyOf": [
            {"properties": {"a": {}}, "required": ["b"]}]}, "{a: 1}", 0),
        ({"type": "object", "patternProperties": {"^x-": {}}, "additionalProperties": False}, "{x-a: 1}", 0),
        ({"type": "object", "patternProperties": {"^x-": {}}, "additionalProperties": False}, "{y-a: 1}", 1),
        ({"$ref": "#/$defs/node", "$defs": {"node": {"properties": {
            "next": {"$ref": "#/$defs/node"}, "v": {"type": "integer"}}}}},
         "{next: {next: {v: x}}}", 1),
    ],
)  # fmt: skip
def test_only_what_can_never_pass_is_reported(schema: Json, expect: str, count: int, tmp_path: Path) -> None:
    assert len(ruled_out(tmp_path, schema, f"expect: {expect}")) == count


def test_without_a_check_of_the_schema_it_is_a_warning(tmp_path: Path) -> None:
    assert ruled_out(tmp_path, TICKET, "expect: {refs: x}", head="") == [
        "refs: unknown field 'refs'; did you mean 'ref'?"
    ]
    wish = "checks: [contains: T]\n    should be: {ref: T-1}"
    assert ruled_out(tmp_path, TICKET, wish, head="") == ["{ref: T-1}: missing 'score'"]


TEAM: Json = {"type": "object", "properties": {"team": {"enum": ["billing", "shipping"]}}}
ROOT: Json = {"enum": ["billing", "shipping", 3]}
PHASE: Json = {"type": "object", "properties": {"intent": {"properties": {"name": {"enum": ["open", "shut"]}}}}}


@pytest.mark.parametrize(
    ("schema", "case", "problem"),
    [
        (TEAM, "expect: {team: refund}", "team: expected one of"),
        (TEAM, "checks: [equals: {team: refund}]", "team: expected one of"),
        (TEAM, "checks: [equals: {team: billing}]", ""),
        (TEAM, "expect: {is: {team: Billing}, ignore: case}", ""),
        (TEAM, "expect: {team: null}", "team: expected one of"),
        (TEAM, "expect: {why: refund}", ""),
        (TEAM, "expect: refund", ""),
        (TEAM, 'checks: [contains: refund]\n    should be: \'{"team": "refund"}\'', "team: expected one of"),
        (TEAM, "checks: [contains: refund]\n    should be: '{broken refund'", ""),
        (ROOT, "expect: refund", "expected one of"),
        (ROOT, "expect: ' billing '", ""),
        (ROOT, "expect: 3", ""),
        (ROOT, "expect: true", "expected one of"),
        (ROOT, "checks: [one of: [refund, billing]]", ""),
        (ROOT, "checks: [one of: [refund, return]]", "expected one of"),
        (ROOT, "checks: [intent: refund]", "expected one of"),
        (PHASE, "checks: [intent: {is: opened, at: intent.name}]", "intent.name: expected one of"),
        (PHASE, "checks: [intent: {is: open, at: intent.name}]", ""),
    ],
)
def test_a_label_that_the_schema_does_not_list(schema: Json, case: str, problem: str, tmp_path: Path) -> None:
    prompt = f"---\noutput: {{schema: {json.dumps(schema)}}}\n---\nWhich? {{{{message}}}}\n"
    _, found = joined(
        tmp_path, f"{HEAD}cases:\n  - case: one\n    vars: {{message: hi}}\n    {case}\n", {"triage.prompt": prompt}
    )
    listed = [item for item in found if item.code is Code.LABEL_NOT_OFFERED]
    assert [item.severity for item in listed] == ([Severity.WARNING] if problem else [])
    assert all(item.message.partition(": ")[2].startswith(problem) for item in listed)
    assert [item for item in found if item.code is Code.RULED_OUT] == []


def test_cases_with_the_same_wrong_label_are_one_warning(tmp_path: Path) -> None:
    prompt = f"---\noutput: {{schema: {json.dumps(TEAM)}}}\n---\nOne of billing, shipping: {{{{message}}}}\n"
    teams = ["billing", "refund", "refund", "Shipping", "refund"]
    lines = [json.dumps({"case": team + str(n), "vars": {"message": "hi"}, "expect": {"team": team}})
             for n, team in enumerate(teams)]  # fmt: skip
    files = {"triage.prompt": prompt, "cases.jsonl": "\n".join(lines)}
    _, found = joined(tmp_path, f"{HEAD}cases: cases.jsonl\n", files)
    assert [(item.message.partition(" expects ")[0], item.hint) for item in found] == [
        ("what the case 'refund1' (and 2 more)", "fix the case, or the schema"),
        ("what the case 'Shipping3'", "did you mean 'shipping'?"),
    ]


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("string", "[a, b]", False),
        ("string", "{a: b}", False),
        ("string", "4711", True),
        ("string", "true", True),
        ("integer", "yes", False),
        ("integer", "'12'", True),
        ("boolean", "yes", False),
        ("{type: array, items: {type: string}}", "[1, a]", True),
        ("{type: array, items: {type: string}}", "a", False),
    ],
)
def test_a_variable_of_another_type_than_the_prompt_says(kind: str, value: str, fits: bool, tmp_path: Path) -> None:
    schema = kind if "{" in kind else f"{{type: {kind}}}"
    inputs = f"input: {{schema: {{type: object, properties: {{message: {schema}}}}}}}\n"
    case = f"vars: {{message: {value}}}\n    expect: {{ref: T-1}}"
    assert bool(ruled_out(tmp_path, TICKET, case, inputs=inputs)) is not fits


def test_of_many_misfits_of_one_kind_the_first_are_reported(tmp_path: Path) -> None:
    lines = [json.dumps({"case": f"c{n}", "vars": {"message": "hi"}, "expect": {"teams": n}}) for n in range(500)]
    files = {"cases.jsonl": "\n".join(lines)}
    _, found = joined(tmp_path, f"{HEAD}{STRICT}cases: cases.jsonl\n", files)
    assert len(found) == 20
    assert "the case 'c19' (and 480 more) can never pass: unknown field 'teams'" in [*found][-1].message


def test_the_prompt_in_production_and_one_of_several_candidates_may_rule_a_case_out(tmp_path: Path) -> None:
    old = "---\noutput: {schema: {team(enum): [billing]}}\n---\n{{message}}\n"
    new = old.replace("billing", "shipping")
    text = HEAD.replace("triage.prompt", "[triage.a.prompt, triage.b.prompt]") + STRICT
    text += "cases:\n  - case: one\n    vars: {message: hi}\n    expect: {teem: billing}\n"
    _, found = joined(tmp_path, text, {"triage.a.prompt": new, "triage.b.prompt": new.replace("team(", "teem(")})
    assert [item.code for item in found.errors] == [Code.RULED_OUT, Code.RULED_OUT]
    _, found = joined(tmp_path, text.replace("teem: billing", "team: shipping"), {}, champion=old)
    assert [item.severity for item in found if item.code is Code.RULED_OUT] == [Severity.WARNING]
