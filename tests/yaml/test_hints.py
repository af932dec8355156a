"""Find the cause of a parser error; `golden/diagnostics` has the message for each."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from promptbench.yaml.hints import Edit, apply_edits, error_position, find_cause
from promptbench.yaml.text import quote

SIGNS = [
    "a: ",
    "b",
    "- ",
    "-",
    ":",
    "\n",
    "  ",
    "\t",
    "'",
    '"',
    "{",
    "}",
    "[",
    "]",
    "#",
    "|",
    "“",
    "”",
    "\u00a0",
    "//",
    "```",
]


@pytest.mark.parametrize(
    ("text", "line", "fixed"),
    [
        ("a:\n  -b: 1\n   c: 2\n", 1, "a:\n  - b: 1\n    c: 2\n"),
        ("a: x: y\n", 0, "a: 'x: y'\n"),
        ("a: it's: so\n", 0, 'a: "it\'s: so"\n'),
        ("a: 'it's so'\n", 0, "a: 'it''s so'\n"),
        ("a: [b]]\nc: d\n", 0, "a: [b]\nc: d\n"),
        ("a:b\nc: d\n", 0, "a: b\nc: d\n"),
        ("a:\n- b: 1\n   c: 2\n", 2, "a:\n- b: 1\n  c: 2\n"),
        ("a: 1\n\tb: 2\n", 1, "a: 1\n  b: 2\n"),
        ("a: `b`\n", 0, "a: '`b`'\n"),
        ("a: “b: c”\n", 0, "a: 'b: c'\n"),
        ("// why\na: 1\n", 0, "# why\na: 1\n"),
    ],
)
def test_the_cause_is_found_with_its_correction(text: str, line: int, fixed: str) -> None:
    stop = error_position(text)
    assert stop is not None
    cause = find_cause(text, *stop)
    assert cause is not None
    assert text.count("\n", 0, cause.start) == line
    assert apply_edits(text, cause.edits) == fixed


def test_an_unknown_mistake_has_no_cause() -> None:
    assert find_cause("a: {b: c\nd: e\n", 1, 1) is None


@given(st.lists(st.sampled_from(SIGNS), max_size=14).map("".join))
def test_no_text_raises_and_no_edit_changes_the_number_of_lines(text: str) -> None:
    stop = error_position(text)
    cause = find_cause(text, *stop) if stop else None
    if cause:
        assert 0 <= cause.start <= len(text)
        assert apply_edits(text, cause.edits).count("\n") == text.count("\n")


def test_edits_are_applied_whatever_their_order() -> None:
    assert apply_edits("abc", [Edit(2, 3, "C"), Edit(0, 0, ">")]) == ">abC"


@given(
    st.text(
        st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"), blacklist_characters="\ufeff\ufffe\uffff"),
        min_size=1,
    )
)
def test_what_is_quoted_reads_as_itself(text: str) -> None:
    import yaml

    assert yaml.safe_load(f"a: {quote(text)}")["a"] == text
