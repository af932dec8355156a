"""Which slip a parser's complaint comes from; what people are told of each is in `golden/diagnostics`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptbench.formats.yaml_slips import Edit, applied, cause, gives_up_at, quoted

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
    ("text", "line", "mended"),
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
def test_the_cause_is_told_where_it_is_with_what_mends_it(text: str, line: int, mended: str) -> None:
    stop = gives_up_at(text)
    assert stop is not None
    slip = cause(text, *stop)
    assert slip is not None
    assert text.count("\n", 0, slip.start) == line
    assert applied(text, slip.edits) == mended


@pytest.mark.parametrize("text", ['a: "b\nc: d\n', "a: {b: c\nd: e\n", 'a: "b" c\n'])
def test_what_nothing_known_explains_has_no_cause(text: str) -> None:
    stop = gives_up_at(text)
    assert stop is not None
    slip = cause(text, *stop)
    assert slip is None or not slip.sure


@given(st.lists(st.sampled_from(SIGNS), max_size=14).map("".join))
def test_no_text_raises_and_no_mend_changes_the_number_of_lines(text: str) -> None:
    stop = gives_up_at(text)
    slip = cause(text, *stop) if stop else None
    if slip:
        assert 0 <= slip.start <= len(text)
        assert applied(text, slip.edits).count("\n") == text.count("\n")


def test_edits_are_applied_whatever_their_order() -> None:
    assert applied("abc", [Edit(2, 3, "C"), Edit(0, 0, ">")]) == ">abC"


@given(
    st.text(
        st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"), blacklist_characters="\ufeff\ufffe\uffff"),
        min_size=1,
    )
)
def test_what_is_quoted_reads_as_itself(text: str) -> None:
    import yaml

    assert yaml.safe_load(f"a: {quoted(text)}")["a"] == text
