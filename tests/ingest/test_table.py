from __future__ import annotations

import pytest

from promptbench.core.types import BadRecord
from promptbench.ingest._table import columns, first, records, rows
from tests.helpers.logs import log


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str) -> None:
    file = log(delimiter.join(["a", "b,c" if delimiter != "," else "b", "d"]) + "\n" + delimiter.join("123") + "\n")
    assert list(rows(file)) == [("line 2", dict(zip(columns(file), "123", strict=True)))]


def test_a_cell_of_many_lines_and_its_place() -> None:
    file = log('a,b\r\n"1\n2\n""3""",x\n\n4,y\n')
    assert list(rows(file)) == [("line 2", {"a": '1\n2\n"3"', "b": "x"}), ("line 6", {"a": "4", "b": "y"})]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings(encoding: str) -> None:
    assert list(rows(log("a;b\né;2\n".encode(encoding)))) == [("line 2", {"a": "é", "b": "2"})]


def test_a_row_that_is_too_long_is_named() -> None:
    assert list(rows(log("a,b\n1,2,3\n4,5\n"))) == [
        BadRecord("line 2", "expected 2 cells as in the header, got 3"),
        ("line 3", {"a": "4", "b": "5"}),
    ]


def test_empty_cells_are_not_there() -> None:
    assert list(rows(log("a,b,c\n1,,\n,,\n"))) == [("line 2", {"a": "1"})]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "word\nword\n",
        '{"a": 1, "b": 2}\n',
        "[1,\n2]",
        b"PK\x03\x04a,b",
        b"PAR1,b",
        b"SQLite format 3\x00,",
        "prompt, " + "word " * 30 + ", response\n",
    ],
)
def test_what_is_no_table(content: str | bytes) -> None:
    file = log(content)
    assert columns(file) == ()
    assert list(rows(file)) == []


def test_a_quote_that_is_never_closed_ends_with_the_file() -> None:
    assert list(rows(log('a,b\n1,"2\n3,4\n'))) == [("line 2", {"a": "1", "b": "2\n3,4\n"})]


def test_first_and_records_of_either() -> None:
    assert first(log('{"a": 1}\n')) == {"a": 1}
    assert first(log("a,b\n1,2\n")).keys() == {"a", "b"}
    assert list(records(log('{"a": 1}\n{"a": 2}\n'))) == [("line 1", {"a": 1}), ("line 2", {"a": 2})]
    assert list(records(log("a,b\n1,2\n"))) == [("line 2", {"a": "1", "b": "2"})]
