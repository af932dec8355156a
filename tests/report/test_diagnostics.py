from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st

from promptbench.core.errors import Code, Diagnostic, Location, Severity
from promptbench.report.diagnostics import as_data, in_order, render
from promptbench.yaml.source import Source


def at(text: str, column: int, length: int = 1, *, line: int = 7, message: str = "wrong", **more: object) -> Diagnostic:
    return Diagnostic(Code.BAD_VALUE, message, Location("f.yaml", line, column, length, text), **more)  # type: ignore[arg-type]


def test_place_excerpt_carets_and_hint() -> None:
    assert render([at("a: 1 2", 4, 3, hint="write one")]) == (
        "f.yaml:7:4: error[PB206] wrong\n  |\n7 | a: 1 2\n  |    ^^^\n  hint: write one\n"
    )


def test_without_a_line_there_is_no_excerpt() -> None:
    assert render([Diagnostic(Code.EMPTY_FILE, "the file is empty", Location("f.yaml"))]) == (
        "f.yaml: error[PB102] the file is empty\n"
    )


def test_nothing_is_nothing() -> None:
    assert render([]) == ""


def test_by_file_line_and_column_and_each_once() -> None:
    items = [at("x", 2), at("x", 1), at("x", 1, line=3), at("x", 2)]
    assert [(item.location.line, item.location.column) for item in in_order(items)] == [(3, 1), (7, 1), (7, 2)]


def test_a_warning_is_called_one() -> None:
    assert "warning[PB206]" in render([at("x", 1, severity=Severity.WARNING)])


def test_colour_only_where_it_is_wanted() -> None:
    assert "\x1b" not in render([at("x", 1, hint="h")])
    assert render([at("x", 1, hint="h")], colour=True).count("\x1b[0m") == 3


def test_what_users_write_is_no_escape_and_no_markup() -> None:
    text = render([at("a: \x1b[31m[bold]\u202e", 4, 3, message="\x1b]0;x\x07 [red]\n", hint="\x9b1m")])
    assert "[bold]" in text
    assert "[red]" in text
    assert not any(unicodedata.category(char) == "Cc" and char != "\n" for char in text)
    assert "\u202e" not in text


def carets(item: Diagnostic) -> tuple[str, str]:
    lines = render([item]).split("\n")
    return lines[2].partition(" | ")[2], lines[3].partition(" | ")[2]


def columns(text: str) -> int:
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


@pytest.mark.parametrize("before", ["", "  ", "\t", "荷物: ", "e\u0301: ", "😀", "\x1b\u2028"])
def test_carets_stand_under_the_text_as_a_terminal_shows_it(before: str) -> None:
    shown, marks = carets(at(before + "wrong: x", len(before) + 1, 5))
    assert marks.count("^") == 5
    assert columns(shown[: shown.index("wrong")]) == marks.index("^")


@pytest.mark.parametrize("offset", [0, 40, 99, 150, 500, 990])
def test_a_long_line_is_cut_around_the_place(offset: int) -> None:
    text = "x" * offset + "wrong" + "y" * (1000 - offset)
    shown, marks = carets(at(text, offset + 1, 5))
    assert len(shown) <= 101
    assert shown[marks.index("^") : marks.rindex("^") + 1] == "wrong"


def test_a_long_line_of_wide_letters_is_cut_around_the_place() -> None:
    shown, marks = carets(at("荷" * 300 + "wrong" + "荷" * 300, 301, 5))
    assert columns(shown) <= 101
    assert "wrong" in shown
    assert columns(shown[: shown.index("wrong")]) == marks.index("^")


@given(st.text(), st.integers(0, 300), st.integers(0, 300))
def test_any_line_and_place_is_shown_on_four_lines(text: str, offset: int, length: int) -> None:
    source = Source("f", text)
    text = render([Diagnostic(Code.BAD_VALUE, "m", source.location_at(min(offset, len(text)), length))])
    assert text.count("\n") in (1, 4)
    assert ("^" in text) == (text.count("\n") == 4)


def test_for_programs() -> None:
    assert as_data(at("x", 2, hint="h")) == {
        "code": "PB206",
        "severity": "error",
        "path": "f.yaml",
        "line": 7,
        "column": 2,
        "length": 1,
        "message": "wrong",
        "hint": "h",
    }
