"""Cases of a suite file are changed and added in place."""

from __future__ import annotations

import codecs
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from promptbench.core.errors import Diagnostics, EnvironmentFailure, InputError
from promptbench.suite.editor import Change, comments_above, edit_cases, edit_lines, write_whole
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source, read_source

NEW: list[dict[str, Any]] = [{"case": "new", "vars": {"message": "Hi\nthere"}, "was": "no"}]
BY_HAND = """\
# What a customer's message is about.
suite:   triage   # the name
models: [ openai/fake,
          openai/other ]

cases:
    # the easy ones
    -   case: "charged twice"
        vars: {message: 'I was charged, twice' }
        expect: {team: billing}   # never 'refund'


    -   case: late parcel
        vars:
            message: >-
                a long text that
                goes on
        # later: more

# the gate
gate: {repeats: 3}
"""


def with_cases(raw: bytes, shown: str, cases: list[dict[str, Any]]) -> bytes:
    return edit_cases(raw, shown, {}, [Change(case) for case in cases])


def read(raw: bytes, folder: Path) -> Any:
    path = folder / "read.yaml"
    path.write_bytes(raw)
    found = Diagnostics()
    document = parse(read_source(path, "read.yaml"), found)
    assert document is not None
    assert list(found) == []
    return document.value


def with_only_lines_added(text: str, cases: list[dict[str, Any]]) -> str:
    before, after = (text.removesuffix("\n") + "\n").splitlines(), with_cases(text.encode(), "s", cases).decode()
    lines = after.splitlines()
    same = next((i for i, pair in enumerate(zip(before, lines, strict=False)) if pair[0] != pair[1]), len(before))
    assert lines[len(lines) - len(before) + same :] == before[same:]
    return after


def test_a_case_goes_behind_the_last_one_and_its_comments_in_the_same_layout() -> None:
    after = with_cases(BY_HAND.encode(), "suite.yaml", NEW).decode()
    addition = """
    - case: new
      vars:
        message: |-
          Hi
          there
      was: 'no'
"""
    assert after == BY_HAND.replace("# later: more\n", "# later: more\n" + addition)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("suite: x\n", "suite: x\n\ncases:\n  - case: a\n"),
        ("suite: x", "suite: x\n\ncases:\n  - case: a\n"),
        ("suite: x\n...\n", "suite: x\n\ncases:\n  - case: a\n...\n"),
        ("  suite: x\n", "  suite: x\n\n  cases:\n    - case: a\n"),
        ("cases: # none yet\ngate: {}\n", "cases: # none yet\n  - case: a\ngate: {}\n"),
        ("cases: []\n", "cases: [{case: a}]\n"),
        ("cases: [{case: b}, ]\n", "cases: [{case: b}, {case: a}, ]\n"),
        ("cases:\n- case: b\n\n- case: c\n# end\n", "cases:\n- case: b\n\n- case: c\n\n- case: a\n# end\n"),
        ("cases:\n- case: b\n- case: c\n", "cases:\n- case: b\n- case: c\n- case: a\n"),
        ("cases:\n  - case: b\n  - more.jsonl # big\n", "cases:\n  - case: b\n  - more.jsonl # big\n  - case: a\n"),
        ("cases:\n- case: b\n  note: |+\n    n\n\nx: 1\n", "cases:\n- case: b\n  note: |+\n    n\n\n- case: a\nx: 1\n"),
        ("cases:\n  - case: b\n    expect:\n", "cases:\n  - case: b\n    expect:\n\n  - case: a\n"),
        ("cases:\n  - {case: b,\n   note: x}\n", "cases:\n  - {case: b,\n   note: x}\n\n  - case: a\n"),
        ("x: {cases: []}\ny:\n  cases:\n    - 1\n", "x: {cases: []}\ny:\n  cases:\n    - 1\n\ncases:\n  - case: a\n"),
    ],
)
def test_wherever_the_cases_stand(text: str, expected: str) -> None:
    assert with_cases(text.encode(), "suite.yaml", [{"case": "a"}]).decode() == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{suite: x, cases: []}\n", "the whole suite is in braces"),
        ("cases: more.jsonl\n", "its cases are in more.jsonl, and not in a list"),
        ("note: |+\n  n\n\n", "the layout is too unusual"),
        ("cases:\n  - &b {case: b}\n  - *b\nx: 1\n", "the layout is too unusual"),
    ],
)
def test_a_file_to_which_nothing_can_be_added_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match="no case can be added to suite.yaml: " + why):
        with_cases(text.encode(), "suite.yaml", NEW)


def test_what_no_yaml_can_hold_is_refused() -> None:
    with pytest.raises(InputError, match="half a character"):
        with_cases(b"suite: x\n", "suite.yaml", [{"case": "\ud83d"}])


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
@pytest.mark.parametrize("text", [BY_HAND, "suite: ä\ncases: [{case: é}]\n# ø\n"])
def test_line_ends_and_encoding_stay(text: str, mark: bytes, encoding: str, end: str, tmp_path: Path) -> None:
    raw = mark + text.replace("\n", end).encode(encoding)
    after = with_cases(raw, "suite.yaml", NEW)
    assert after.startswith(mark)
    whole = after.removeprefix(mark).decode(encoding)
    assert whole.replace(end, "") == whole.replace("\r", "").replace("\n", "")
    assert whole.replace(end, "\n") == with_cases(text.encode(), "suite.yaml", NEW).decode()
    assert read(after, tmp_path)["cases"][-1] == NEW[0]


COMMENTS = st.sampled_from(["", "", "# note", "   # deeper note", "      # deepest", "#"])
CASES = st.sampled_from(
    [
        "case: a",
        'case: "a: b"  # why',
        "case: a\n{i}vars: {{message: 'x, y' }}",
        "case: a\n{i}was: |\n{i}   one\n\n{i}   two",
        "case: a\n{i}was: >-\n{i} one\n{i}\n{i}  two\n\n",
        "case: a\n{i}was: |+\n{i} one\n\n",
        "case: a\n{i}expect:\n{i}  - 1\n{i}  -   two # 2",
        "case: a\n{i}expect:\n{i}- [1,\n2]",
        "case: 'it''s\n\n{i}  long'",
        "{{case: a, tags: [x,\n    y]}}",
        "case: a\n{i}expect: # nothing",
    ]
)


@given(
    cases=st.lists(st.tuples(COMMENTS, CASES, COMMENTS), min_size=1, max_size=4),
    indent=st.integers(0, 5),
    gap=st.integers(1, 4),
    end=st.sampled_from(["", "gate: {}\n", "# end\n", "\n\n# x\nlog: [a]\n", "..."]),
    new=st.lists(st.sampled_from([NEW[0], {"case": "z"}]), min_size=1, max_size=3),
)
def test_only_lines_are_added_and_the_rest_means_the_same(
    cases: list[tuple[str, str, str]], indent: int, gap: int, end: str, new: list[dict[str, Any]]
) -> None:
    lines = ["suite: t", "cases:"]
    for above, case, below in cases:
        inner = " " * (indent + 1 + gap)
        lines += [" " * indent + above, " " * indent + "-" + " " * gap + case.format(i=inner), " " * indent + below]
    text = "\n".join(lines) + "\n" + end
    found = Diagnostics()
    before = parse(Source("s", text), found)
    if before is None or found.errors:
        return
    after = parse(Source("s", with_only_lines_added(text, new)), found)
    assert after is not None
    assert after.value == {**before.value, "cases": [*before.value["cases"], *new]}


def test_a_file_is_replaced_whole_with_its_mode_and_through_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "suite.yaml", tmp_path / "link.yaml"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    write_whole(link, b"new")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode), link.is_symlink()) == (b"new", 0o640, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yaml", "suite.yaml"]


def test_a_file_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").mkdir()
    with pytest.raises(EnvironmentFailure, match="cannot be written"):
        write_whole(tmp_path / "suite.yaml", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["suite.yaml"]


TWICE: dict[str, Any] = {
    "case": "charged twice",
    "vars": {"message": "I was charged, twice"},
    "expect": {"team": "billing"},
}


def changed(text: str, changes: dict[int, Change | None]) -> str:
    return edit_cases(text.encode(), "suite.yaml", changes).decode()


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
        after = edit_cases(text.replace("\n", line_end).encode(), "s", changes).decode()
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


def test_an_added_case_may_have_a_comment() -> None:
    after = edit_cases(b"cases:\n  # of a\n  - case: a\n", "s", {0: None}, [Change({"case": "b"}, "of b")])
    assert after == b"cases:\n  # of b\n  - case: b\n"
    with pytest.raises(InputError, match="a comment needs a line of its own"):
        edit_cases(b"cases: [{case: a}]\n", "s", {}, [Change({"case": "b"}, "of b")])


def test_edits_at_the_same_position_keep_their_order() -> None:
    text = "cases:\n- case: a\n   # inside\n- case: b\n"
    assert changed(text, {0: Change({"case": "c"}, "above")}) == "cases:\n# above\n- case: c  # inside\n- case: b\n"
    two = "cases:\n- case: a # one\n   # two\n"
    assert changed(two, {0: Change({"case": "c"}, "zero")}) == "cases:\n# zero\n# one\n# two\n- case: c\n"


def test_lines_of_a_file_of_cases() -> None:
    raw = b'\xef\xbb\xbf{"case": "a"}\r\n\r\n{"case": "b", "n": 1.10}\r\n{"case": "c"}'
    after = edit_lines(raw, {0: Change({"case": "A"}), 3: None}, [Change({"case": "d"})])
    assert after == b'\xef\xbb\xbf{"case": "A"}\r\n\r\n{"case": "b", "n": 1.10}\r\n{"case": "d"}\r\n'
    assert edit_lines(b'{"case": "a"}', {}, [Change({"case": "b"})]) == b'{"case": "a"}\n{"case": "b"}\n'
    assert edit_lines(b"\xef\xbb\xbfx\ny\n", {0: None}, []) == b"\xef\xbb\xbfy\n"
