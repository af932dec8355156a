from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, strategies as st

from promptbench.tables.delimited import (
    DelimitedReader,
    detect_delimiter,
    escape_formula,
    unescape_formula,
    write_csv,
)


@pytest.mark.parametrize(
    ("lines", "delimiter"),
    [
        (["a,b"], ","),
        (["a;b,c;d"], ";"),
        (["a\tb"], "\t"),
        (["a|b"], "|"),
        (['"a,b,c";d'], ";"),
        (["A title", "", "a;b"], ";"),
        (["a"], None),
        ([], None),
    ],
)
def test_detect_delimiter(lines: list[str], delimiter: str | None) -> None:
    assert detect_delimiter(lines) == delimiter


def test_rows_have_the_line_where_they_start() -> None:
    reader = DelimitedReader(io.StringIO('a,b\n"1\n2",3\n\n4, 5\n', newline=""), ",")
    assert list(reader) == [(1, ["a", "b"]), (2, ["1\n2", "3"]), (4, []), (5, ["4", "5"])]


def test_a_long_cell() -> None:
    [(_, [cell])] = DelimitedReader(["x" * 1_000_000], ",")
    assert len(cell) == 1_000_000


def test_reading_continues_after_a_malformed_row() -> None:
    reader = DelimitedReader(["a,b\n", '"x"y,1\n', "c,d\n"], ",", strict=True)
    assert next(reader) == (1, ["a", "b"])
    with pytest.raises(csv.Error):
        next(reader)
    assert reader.line == 2
    assert next(reader) == (3, ["c", "d"])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\tx", "\r", "\n=1", "'=1", "''=1"])
def test_formulas_are_escaped(text: str) -> None:
    assert escape_formula(text) == f"'{text}"


@given(st.text())
def test_escaping_is_reversed(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])), min_size=2)))
def test_written_cells_are_read_again(rows: list[list[str]]) -> None:
    text = write_csv(rows, delimiter=";")
    assert [cells for _, cells in DelimitedReader(io.StringIO(text, newline=""), ";", strict=True)] == rows
