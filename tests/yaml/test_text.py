from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from promptbench.core.errors import Diagnostics
from promptbench.yaml.marked import WrittenNumber, parse
from promptbench.yaml.source import Source
from promptbench.yaml.text import in_braces, item_lines, mapping_lines


def read(text: str) -> Any:
    found = Diagnostics()
    document = parse(Source("x.yaml", text), found)
    assert document is not None, (text, [item.message for item in found])
    assert [item.message for item in found] == [], text
    return document.value


def test_data_is_written_as_a_person_would() -> None:
    data = {
        "case": "charged twice",
        "vars": {"message": "I was charged twice, please help"},
        "was": '{"team": "billing",}',
        "should be": "It's for billing.",
        "expect": {"team": "billing", "order": "0123", "size": 1.5, "sure": True, "why": None},
        "checks": ["json", {"json schema": "output"}, {"contains": ["a", "b: c"]}],
        "note": "Two\n\nlines\n",
        "deep": {"a": {"b": []}},
        "tags": ["captured", "critical"],
    }
    assert item_lines(data, 2) == [
        "  - case: charged twice",
        "    vars: {message: 'I was charged twice, please help'}",
        """    was: '{"team": "billing",}'""",
        "    should be: It's for billing.",
        "    expect: {team: billing, order: '0123', size: 1.5, sure: true, why: null}",
        "    checks:",
        "      - json",
        "      - json schema: output",
        "      - contains: [a, 'b: c']",
        "    note: |",
        "      Two",
        "",
        "      lines",
        "    deep:",
        "      a:",
        "        b: []",
        "    tags: [captured, critical]",
    ]
    assert read("\n".join(item_lines(data, 2)) + "\n") == [data]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("no", "'no'"),
        ("Yes", "'Yes'"),
        ("12:30", "'12:30'"),
        ("010", "'010'"),
        ("1e3", "'1e3'"),
        ("", "''"),
        (" x", "' x'"),
        ("x:", "'x:'"),
        ("a: b", "'a: b'"),
        ("a #b", "'a #b'"),
        ("don't", "don't"),
        ("- x", "'- x'"),
        ("@x", "'@x'"),
        ("{{name}}", "'{{name}}'"),
        ("a\x00b", '"a\\u0000b"'),
        ("a\r\nb", '"a\\r\\nb"'),
        ("a\n", '"a\\n"'),
        ("a\u2028b", '"a\\u2028b"'),
    ],
)
def test_a_text_that_could_be_misread_is_quoted(text: str, written: str) -> None:
    assert mapping_lines({"k": text}, 0) == [f"k: {written}"]
    assert read(f"k: {written}") == {"k": text}


def test_a_number_keeps_its_text() -> None:
    assert in_braces([WrittenNumber("1.10"), 2, 1e30, -0.5]) == "[1.10, 2, 1e+30, -0.5]"


def test_half_a_character_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="half a character"):
        mapping_lines({"k": "\ud83d"}, 0)


_TEXT = st.one_of(
    st.text(alphabet="ab:#-'\"\\ \t\n\r,[]{}&*!|>%@`?0.y\u00a0é\u2028\x07", max_size=12),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
_DATA = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), _TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXT, inner, max_size=3)),
    max_leaves=8,
)
_MAPPING = st.dictionaries(_TEXT.filter(lambda key: key != "<<"), _DATA, min_size=1, max_size=4)


@given(_MAPPING)
def test_everything_is_read_back_as_it_was(data: dict[str, Any]) -> None:
    assert read("\n".join(mapping_lines(data, 0)) + "\n") == data
    assert read("x:\n" + "\n".join(item_lines(data, 4)) + "\ny: 1\n") == {"x": [data], "y": 1}
    assert read(in_braces(data)) == data


@given(_TEXT)
def test_a_text_is_a_text_to_other_readers_too(text: str) -> None:
    assert yaml.safe_load("\n".join(mapping_lines({"k": text}, 0)) + "\n") == {"k": text}
