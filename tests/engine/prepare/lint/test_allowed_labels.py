from __future__ import annotations

from typing import Any

import pytest

from promptbench.engine.prepare.lint.allowed_labels import ANY_ITEM, AllowedValues

ENUM = {"enum": ["a", "b"]}


def team(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"team": schema}, **more}


@pytest.mark.parametrize(
    ("schema", "path", "allowed"),
    [
        (ENUM, (), ("a", "b")),
        ({"const": "a"}, (), ("a",)),
        ({"const": None}, (), (None,)),
        ({"type": "boolean"}, (), (True, False)),
        ({"type": ["boolean", "null"]}, (), (True, False, None)),
        ({"type": "string"}, (), None),
        ({"type": ["string", "null"]}, (), None),
        (True, (), None),
        (None, (), None),
        (team(ENUM), ("team",), ("a", "b")),
        (team(ENUM), (), None),
        (team(ENUM), ("other",), None),
        (team(ENUM, additionalProperties=ENUM), ("other",), ("a", "b")),
        (team(ENUM, additionalProperties=ENUM, patternProperties={"^x": {}}), ("other",), None),
        (team(team(ENUM)), ("team", "team"), ("a", "b")),
        (team({"type": "array", "items": ENUM}), ("team", ANY_ITEM), ("a", "b")),
        (team({"type": "array", "items": ENUM, "prefixItems": [{}]}), ("team", ANY_ITEM), None),
        (team({"anyOf": [ENUM, {"type": "null"}]}), ("team",), ("a", "b", None)),
        (team({"oneOf": [ENUM, {"const": "c"}]}), ("team",), ("a", "b", "c")),
        (team({"anyOf": [ENUM, {"type": "string"}]}), ("team",), None),
        (team({"allOf": [ENUM, {"enum": ["b", "c"]}]}), ("team",), ("b",)),
        (team({"enum": ["a", "b"], "allOf": [{"type": "string"}]}), ("team",), ("a", "b")),
        ({"anyOf": [team(ENUM), {"type": "null"}]}, ("team",), ("a", "b")),
        ({"anyOf": [team(ENUM), {"type": "object"}]}, ("team",), None),
        (team({"$ref": "#/$defs/kind"}, **{"$defs": {"kind": ENUM}}), ("team",), ("a", "b")),
        (team({"$ref": "#/$defs/a~1b"}, **{"$defs": {"a/b": ENUM}}), ("team",), ("a", "b")),
        (team({"$ref": "#/$defs/none"}), ("team",), None),
        (team({"$ref": "https://example.com/kind"}), ("team",), None),
        (team({"$ref": "#"}, enum=["a"]), ("team",), ("a",)),
        (team({"enum": "a"}), ("team",), None),
        (team({"type": {}}), ("team",), None),
    ],
)
def test_a_closed_list_is_found_wherever_the_schema_has_it(schema: Any, path: Any, allowed: Any) -> None:
    assert AllowedValues(schema).at(path) == allowed


def test_references_in_circles_end() -> None:
    schema = team({"$ref": "#/$defs/a"}, **{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}})
    assert AllowedValues(schema).at(("team",)) is None


def test_references_that_fan_out_end() -> None:
    definitions: dict[str, Any] = {
        f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(200)
    }
    assert AllowedValues({"$ref": "#/$defs/d0", "$defs": definitions}).at(()) is None


VALUES = ["billing", "shipping", "returns", "billing dispute"]
