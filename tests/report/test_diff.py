from __future__ import annotations

import time

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.report.diff import comparable, word_diff
from promptbench.report.words import clean


def shown(before: str, after: str) -> str | None:
    pieces = word_diff(before, after)
    return None if pieces is None else "".join(map(str, pieces))


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ('{"team": "billing"}', '{"team": "delivery"}', '{"team": "[-billing-]{+delivery+}"}'),
        ("order S-2291, please", "order f-2291, please", "order [-S-2291-]{+f-2291+}, please"),
        ("write to jo@x.org today", "write to jb@x.org today", "write to [-jo@x.org-]{+jb@x.org+} today"),
        ("one two three", "one two", "one two [-three-]"),
        ('{"a":1,"b":2}', '{"a": 1, "b": 3}', '{"a": 1, "b": [-2-]{+3+}}'),
    ],
)
def test_what_differs_is_marked(before: str, after: str, wanted: str) -> None:
    assert shown(before, after) == wanted


def test_texts_without_much_in_common_are_no_diff() -> None:
    assert shown("yes", "no") is None
    assert shown("", "a text") is None
    assert shown("same words", "same  words ") is None


def test_long_parts_that_are_the_same_are_left_out() -> None:
    long = " ".join(f"word{n}" for n in range(60))
    found = shown(f"{long} old {long}", f"{long} new {long}")
    assert found == " … word56 word57 word58 word59 [-old-]{+new+} word0 word1 word2 word3 …"


def test_a_large_answer_takes_no_longer() -> None:
    began = time.perf_counter()
    word_diff("ab " * 10_000_000, "ab c " * 10_000)
    assert time.perf_counter() - began < 2


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_both_texts_can_be_read_back(before: str, after: str) -> None:
    """Nothing is lost or made up, and nothing reaches a terminal raw."""
    pieces = word_diff(before, after)
    if pieces is None:
        return
    assert all(piece.text.isprintable() for piece in pieces)
    for kind, text in (("removed", before), ("added", after)):
        kept = "".join(piece.text for piece in pieces if piece.kind in ("same", kind))
        if "…" not in kept:
            assert "".join(kept.split()) == "".join(clean(text).split())


def test_only_the_expected_fields_are_compared() -> None:
    assert comparable('{"team": "a"}', '{"why":"because","team":"b"}') == ('{"team": "a"}', '{"team": "b"}')
    assert comparable('{"team": "a"}', "no JSON") == ('{"team": "a"}', "no JSON")
    assert comparable("[" * 20_000, "[" * 20_000)[0][0] == "["
