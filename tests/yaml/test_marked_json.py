from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from promptbench.core.errors import Code, Diagnostics
from promptbench.yaml.marked import JsonLine, parse_line


def read(text: str) -> tuple[JsonLine | None, list[tuple[Code, str]]]:
    found = Diagnostics()
    return parse_line("cases.jsonl", 7, text, found), [(item.code, str(item.location)) for item in found]


def test_a_value_with_its_places() -> None:
    line, found = read('{"case": "a", "vars": {"price": 1.50, "\\u00e9": ["x"]}}')
    assert line is not None
    assert found == []
    assert str(line.value["vars"]["price"]) == "1.50"
    assert str(line.location(("vars", "price"))) == "cases.jsonl:7:33"
    assert str(line.location(("case",), key=True)) == "cases.jsonl:7:2"
    assert line.location(("vars", "é", 0)).text.startswith('{"case"')
    assert not line.is_blank(("case",))


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ('{"case": "a",}', "cases.jsonl:7:14"),
        ("case: a", "cases.jsonl:7:1"),
        ('{"a": 1, "a": 2}', "cases.jsonl:7:1"),
        ('{"a": NaN}', "cases.jsonl:7:1"),
        ("[" * 100_000, "cases.jsonl:7:1"),
        ("[" * 300 + "]" * 300, "cases.jsonl:7:1"),
        ("", "cases.jsonl:7:1"),
    ],
)
def test_what_is_not_one_json_value(text: str, location: str) -> None:
    line, found = read(text)
    assert line is None
    assert found == [(Code.JSON_SYNTAX, location)]


def test_a_line_whose_places_cannot_be_told_is_marked_as_a_whole() -> None:
    line, _ = read('{"case": "\\ud83d\\ude00"}')
    assert line is not None
    assert line.value == {"case": "😀"}
    assert str(line.location(("case",))) == "cases.jsonl:7:10"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_reads_what_json_writes(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    line, found = read(text)
    assert line is not None
    assert (line.value, found) == (value, [])
    assert line.location(("nowhere", 3)).line == 7
