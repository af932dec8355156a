from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from promptbench.core.types import BadRecord
from promptbench.ingest import detect_format, generic
from promptbench.ingest._sheets import is_workbook, read_sheets
from promptbench.ingest.files.log_file import LogFile
from tests.helpers.log_formats import workbook
from tests.helpers.logs import calls, log, read, reasons


def test_rows_with_their_places_and_kinds() -> None:
    content = workbook(
        [
            [None, None, None, None],
            ["a", "b", "when", None],
            [1, True, datetime(2026, 11, 1, 10), None],
            [None, None, None, None],
            ["x\ny", 0.5, date(2026, 11, 1), "beyond"],
        ]
    )
    [(columns, rows)] = [(columns, list(rows)) for columns, rows in read_sheets(log(content))]
    assert columns == ("a", "b", "when")
    assert rows == [
        ("S1, row 3", {"a": 1, "b": True, "when": "2026-11-01T10:00:00Z"}),
        ("S1, row 5", {"a": "x\ny", "b": 0.5, "when": "2026-11-01T00:00:00Z"}),
    ]


def test_the_sheets_that_have_calls_are_read() -> None:
    content = workbook(
        [["notes"], ["nothing here"]],
        [["prompt", "response"], ["hi", "yes"], ["TOTAL", None]],
        [["question", "answer"], ["ho", "no"]],
    )
    found = read(log(content), "generic")
    assert reasons(found) == [("S2, row 3", "it is a row of totals")]
    assert [call.answer for call in found if not isinstance(call, BadRecord)] == ["yes", "no"]


def test_a_hidden_sheet_is_not_read() -> None:
    book = openpyxl.Workbook()
    book.active.append(["prompt", "response"])
    book.active.append(["hi", "yes"])
    hidden = book.create_sheet("hidden")
    hidden.append(["prompt", "response"])
    hidden.append(["secret", "x"])
    hidden.sheet_state = "hidden"
    content = io.BytesIO()
    book.save(content)
    assert [call.answer for call in calls(log(content.getvalue()))] == ["yes"]


def test_columns_that_nobody_knows_are_told_once() -> None:
    content = workbook([["alpha", "beta"], [1, 2], [3, 4]])
    assert reasons(read(log(content))) == [
        (
            "the columns",
            "no column for the input and no column for the answer among alpha, beta: map one, such as input=alpha",
        )
    ]
    (first, second) = calls(log(content, input="alpha", answer="beta"))
    assert (first.messages[0].content, first.answer, second.answer) == ("1", "2", "4")


def test_on_the_disk_and_compressed(tmp_path: Path) -> None:
    import gzip

    content = workbook([["prompt", "response"], ["hi", "yes"]])
    (tmp_path / "log.xlsx").write_bytes(content)
    (tmp_path / "log.xlsx.gz").write_bytes(gzip.compress(content))
    for name in ("log.xlsx", "log.xlsx.gz"):
        assert [call.answer for call in calls(LogFile.from_path(tmp_path / name))] == ["yes"]


def archive(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return content.getvalue()


def test_an_archive_is_no_workbook() -> None:
    assert not is_workbook(log(archive(**{"a.txt": b"x"})))
    assert detect_format(log(archive(**{"a.txt": b"x"}))) is None


@pytest.mark.parametrize("book", [b"", b"<workbook", b"not xml"])
def test_a_damaged_workbook_is_named(book: bytes) -> None:
    with pytest.raises(ValueError, match="the workbook cannot be read"):
        list(generic.read(log(archive(**{"xl/workbook.xml": book}))))


def test_an_archive_that_unpacks_to_more_than_anybody_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptbench.tables.workbook._MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(ValueError, match="larger than 1 GB"):
        list(generic.read(log(workbook([["prompt", "response"], ["hi", "yes"]]))))
