"""What a file looks like, for people whose file is of no known log format. Nothing of its content is told."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

from promptbench.core.protocols import Log

_MAGIC = (
    (b"PAR1", "is a Parquet file, which is not read; export it as JSON Lines"),
    (b"PK\x03\x04", "is a ZIP archive, which is no spreadsheet; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd, which is not read; unpack it first"),
    (b"BZh", "is compressed with bzip2, which is not read; unpack it first"),
    (b"\xfd7zXZ", "is compressed with xz, which is not read; unpack it first"),
    (b"\xd0\xcf\x11\xe0", "is a workbook of an old Excel, which is not read; save it as .xlsx or CSV"),
    (b"%PDF", "is a PDF, not a log"),
)
_EVAL = re.compile(rb"PK\x03\x04.{26}(?:_journal/|header\.json|samples/)", re.DOTALL)
_CASSETTE = re.compile(rb"(?:\A|\n)interactions:\s*\n\s*- request:")
_SQLITE = b"SQLite format 3\0"
_MOST = 8


def describe_unsupported(file: Log) -> str | None:
    """What is said of a log whose format is known and not read, in such a phrase; None for all else."""
    if _EVAL.match(file.head) or file.keys() >= {"eval", "status", "version"}:
        return "is a log of inspect_ai, which is not read; write its samples as JSON Lines: input, answer, expected"
    if _CASSETTE.search(file.head):
        return "is a cassette of vcrpy, which is not read; write request and response of each interaction as JSON Lines"
    if file.keys() & {"resourceLogs", "resourceMetrics"}:
        return "is OTLP without a call of a model, which is not read; export the traces, which hold the calls"
    return None


def describe_unknown(file: Log) -> str:
    """A phrase that follows the file's name: `is a Parquet file, which is not read`."""
    if words := describe_unsupported(file):
        return words
    for magic, words in _MAGIC:
        if file.head.startswith(magic):
            return words
    if file.head.startswith(_SQLITE):
        return f"is a SQLite database of another program{_tables(file)}"
    sample = file.sample()
    if sample is not None:
        return f"is JSON, but no log that is known: its records have the keys {_list_names(sorted(map(str, sample)))}"
    text = file.head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] in (b"{", b"["):
        return "begins like JSON, but none of its first records can be read"
    if b"\0" in file.head and not file.head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is no text, and no kind of file that is known"
    return "is text, but neither JSON nor a table with columns that are known"


def _tables(file: Log) -> str:
    if file.path is None:
        return ""
    try:
        with closing(sqlite3.connect(f"{file.path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    except sqlite3.Error:
        return ", and damaged"
    return f", with the tables {_list_names([row[0] for row in rows])}" if rows else ", without any table"


def _list_names(names: list[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:_MOST])
    return shown + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")
