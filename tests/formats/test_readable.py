from __future__ import annotations

from promptbench.formats.readable import readable

TEXT = """\
suite: a
models: [x, {model: y, uses prompt: 'no'}]
cases:
  - case: b
    vars:
      m: |
        one
        two
"""


def told(text: str) -> list[tuple[int, str, bool, str]]:
    return [(leaf.line, leaf.value, leaf.quoted, "/".join(step.name for step in leaf.above)) for leaf in readable(text)]


def test_every_text_with_its_line_and_the_names_above_it() -> None:
    assert told(TEXT) == [
        (0, "a", False, "suite"),
        (1, "x", False, "models/[]"),
        (1, "y", False, "models/[]/model"),
        (1, "no", True, "models/[]/uses prompt"),
        (3, "b", False, "cases/[]/case"),
        (5, "one\ntwo\n", True, "cases/[]/vars/m"),
    ]


def test_up_to_the_line_where_a_parser_gives_up() -> None:
    assert told("a: 1\nb: 2\nc: x: y\nd: 3\n") == [(0, "1", False, "a"), (1, "2", False, "b")]
    assert told("a: one\n two: three\n") == []


def test_a_name_ends_with_its_value() -> None:
    assert told("a: {b: 1}\nc:\n- 2\n- d: 3\ne: *x\n")[-1] == (4, "*x", False, "e")
    assert [item[3] for item in told("a: {b: 1}\nc:\n- 2\n- d: 3\n")] == ["a/b", "c/[]", "c/[]/d"]
