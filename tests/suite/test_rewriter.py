"""Cases of a suite file changed in place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError
from promptbench.formats.marked_yaml import parse
from promptbench.formats.source import Source
from promptbench.suite.rewriter import Change, comments_above, with_changes, with_lines
from tests.suite.test_writer import BY_HAND, CASES, COMMENTS

TWICE: dict[str, Any] = {
    "case": "charged twice",
    "vars": {"message": "I was charged, twice"},
    "expect": {"team": "billing"},
}


def changed(text: str, changes: dict[int, Change | None]) -> str:
    return with_changes(text.encode(), "suite.yaml", changes).decode()


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        (
            Change({**TWICE, "expect": {"team": "refund"}}),
            "expect: {team: billing}   # never 'refund'",
            "expect: {team: refund}  # never 'refund'",
        ),
        (
            Change({**TWICE, "tags": ["new"]}),
            "# never 'refund'\n",
            "# never 'refund'\n        tags: [new]\n",
        ),
        (Change({**TWICE, "case": "again"}), '"charged twice"', "again"),
        (
            Change({key: TWICE[key] for key in ("case", "expect")}),
            "        vars: {message: 'I was charged, twice' }\n",
            "",
        ),
        (Change(TWICE, "one\ntwo"), "    # the easy ones\n", "    # one\n    # two\n"),
        (Change(TWICE, ""), "    # the easy ones\n", ""),
        (
            Change({**TWICE, "expect": "a\nb"}),
            "        expect: {team: billing}   # never 'refund'\n",
            "        # never 'refund'\n        expect: |-\n          a\n          b\n",
        ),
    ],
)
def test_only_what_is_different_is_written_anew(change: Change, old: str, new: str) -> None:
    assert BY_HAND.count(old) == 1
    assert changed(BY_HAND, {0: change}) == BY_HAND.replace(old, new)


def test_a_deeper_comment_does_not_become_text() -> None:
    text = "cases:\n- case: a\n  was: x\n     # deep\n  # less\n"
    new = {"case": "a", "was": "y\nz", "tags": ["t"]}
    wanted = "cases:\n- case: a\n  # deep\n  was: |-\n    y\n    z\n  tags: [t]\n  # less\n"
    assert changed(text, {0: Change(new)}) == wanted
    added = changed("cases:\n- case: a\n     # deep\n", {0: Change({"case": "a", "was": "y\nz"})})
    assert added == "cases:\n- case: a\n     # deep\n  was: |-\n    y\n    z\n"


def test_the_last_case_may_go() -> None:
    assert changed("cases:\n  # of a\n  - case: a\ngate: {}\n", {0: None}) == "cases:\ngate: {}\n"


def test_a_case_goes_with_its_comments_and_one_empty_line() -> None:
    text = "cases:\n  - case: a\n\n  # of b\n  - case: b\n    was: x  # inside\n\n  # of c\n  - case: c\n"
    assert changed(text, {1: None}) == "cases:\n  - case: a\n\n  # of c\n  - case: c\n"


def test_comments_of_cases() -> None:
    a, b = "  # of a\n  #\n  - case: a\n    # inside\n    # below\n", "  #of b\n  - case: b\n"
    text = f"cases:  # all\n{a}{b}\n  # apart\n\n  - c.csv\n"
    assert comments_above(text) == ["of a\n", "of b", ""]
    assert comments_above("suite: x\n") == []


@pytest.mark.parametrize(
    ("text", "change", "after"),
    [
        ("cases: [{case: a}, {case: b}]\n", Change({"case": "c"}), "cases: [{case: c}, {case: b}]\n"),
        ("cases:\n- {case: a} # x\n", Change({"case": "c", "was": "d"}), "cases:\n- {case: c, was: d} # x\n"),
        ("cases:\n- was: x\n  case: a", Change({"case": "a", "was": "y"}), "cases:\n- was: 'y'\n  case: a"),
        ("cases:\n- was: x # w\n  case: a\n", Change({"case": "a"}), "cases:\n# w\n- case: a\n"),
    ],
)
def test_wherever_a_case_stands(text: str, change: Change, after: str) -> None:
    assert changed(text, {0: change}) == after


@pytest.mark.parametrize(
    ("text", "change", "why"),
    [
        ("cases: [{case: a}, {case: b}]\n", None, "one of them does not start a line"),
        ("cases: [{case: a}]\n", Change({"case": "a"}, "x"), "one of them does not start a line"),
        ("cases:\n- &a {case: a}\n- *a\n", Change({"case": "b"}), "layout is too unusual"),
        ("cases:\n- case: a\n", Change({"case": "\ud83d"}), "half a character"),
    ],
)
def test_what_cannot_be_changed_is_refused(text: str, change: Change | None, why: str) -> None:
    with pytest.raises(InputError, match=why):
        changed(text, {0: change})


@given(
    cases=st.lists(st.tuples(COMMENTS, CASES, COMMENTS), min_size=1, max_size=4),
    indent=st.integers(0, 5),
    gap=st.integers(1, 4),
    end=st.sampled_from(["", "gate: {}\n", "# end\n", "\n\n# x\nlog: [a]\n", "..."]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    changes=st.dictionaries(
        st.integers(0, 3),
        st.one_of(
            st.none(),
            st.builds(
                Change,
                st.sampled_from([{"case": "a"}, {"case": "b", "vars": {"x": "y"}}, {"case": "a", "was": "o\np"}]),
                st.sampled_from([None, "", "new", "of two\nlines"]),
            ),
        ),
        min_size=1,
    ),
)
def test_a_changed_file_means_what_it_should(
    cases: list[tuple[str, str, str]],
    indent: int,
    gap: int,
    end: str,
    line_end: str,
    changes: dict[int, Change | None],
) -> None:
    lines = ["suite: t", "cases:"]
    for above, case, below in cases:
        inner = " " * (indent + 1 + gap)
        lines += [" " * indent + above, " " * indent + "-" + " " * gap + case.format(i=inner), " " * indent + below]
    text = "\n".join(lines) + "\n" + end
    changes = {index: change for index, change in changes.items() if index < len(cases)}
    found = Diagnostics()
    before = parse(Source("s", text), found)
    if before is None or found.errors:
        return
    try:
        after = with_changes(text.replace("\n", line_end).encode(), "s", changes).decode()
    except InputError:
        # A block that keeps the empty lines behind it means something else without what stood there.
        if None in changes.values() and ("|+" in text or len(changes) == len(cases)):
            return
        raise
    assert after.count("\n") == after.count(line_end)
    document = parse(Source("s", after.replace(line_end, "\n")), found)
    assert document is not None
    kept = [(index, changes.get(index)) for index in range(len(cases)) if changes.get(index, True)]
    wanted = [dict(change.data) if change else before.value["cases"][index] for index, change in kept]
    assert document.value == {**before.value, "cases": wanted or None}
    comments = comments_above(after.replace(line_end, "\n"))
    for (_, change), comment in zip(kept, comments, strict=True):
        assert not (change and change.comment) or comment.startswith(change.comment)


def test_lines_of_a_file_of_cases() -> None:
    raw = b'\xef\xbb\xbf{"case": "a"}\r\n\r\n{"case": "b", "n": 1.10}\r\n{"case": "c"}'
    after = with_lines(raw, {0: {"case": "A"}, 3: None}, [{"case": "d"}])
    assert after == b'\xef\xbb\xbf{"case": "A"}\r\n\r\n{"case": "b", "n": 1.10}\r\n{"case": "d"}\r\n'
    assert with_lines(b'{"case": "a"}', {}, [{"case": "b"}]) == b'{"case": "a"}\n{"case": "b"}\n'
    assert with_lines(b"\xef\xbb\xbfx\ny\n", {0: None}, []) == b"\xef\xbb\xbfy\n"
