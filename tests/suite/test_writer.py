from __future__ import annotations

import codecs
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.formats.marked_yaml import parse
from promptbench.formats.source import Source, read_source
from promptbench.suite.writer import with_cases, write_whole

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
        ("cases:\n  - &b {case: b}\n  - *b\nx: 1\n", "cases:\n  - &b {case: b}\n  - *b\n  - case: a\nx: 1\n"),
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
        ("{suite: x, cases: []}\n", "the whole suite stands in braces"),
        ("cases: more.jsonl\n", "'cases:' is no list; start its lines with '- '"),
        ("note: |+\n  n\n\n", "its layout is too unusual"),
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
