"""Descriptions of files in an unknown log format. They quote nothing but names, because nothing is redacted yet."""

import re
import sqlite3
from contextlib import closing

from promptbench.core.protocols import Log

_SIGNATURES = (
    (b"PAR1", "is a Parquet file, which is not supported; export it as JSON Lines"),
    (b"PK\x03\x04", "is a ZIP archive without a workbook; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd, which is not supported; unpack it first"),
    (b"BZh", "is compressed with bzip2, which is not supported; unpack it first"),
    (b"\xfd7zXZ", "is compressed with xz, which is not supported; unpack it first"),
    (b"\xd0\xcf\x11\xe0", "is a workbook of an old Excel (.xls), which is not supported; save it as .xlsx or CSV"),
    (b"%PDF", "is a PDF, not a log"),
)
_CASSETTE = re.compile(rb"(?:\A|\n)interactions:\s*\n\s*- request:")
_SQLITE = b"SQLite format 3\0"
_MAX_NAMES = 8


# Logs of tools whose records would look like a table: keys that only they combine.
_TOOLS = (
    ({"op_name", "inputs", "started_at"}, "is an export of Weave, which is not supported"),
    ({"ai_org", "ai_model", "request", "response"}, "is an export of Portkey, which is not supported"),
    ({"span_id", "root_span_id", "span_attributes"}, "is an export of Braintrust, which is not supported"),
)


def describe_unsupported(file: Log) -> str | None:
    """Return what a log of a known but unsupported format is, in a phrase; None for any other file."""
    if _CASSETTE.search(file.head):
        return "is a cassette of vcrpy, which is not supported; write each request and response as JSON Lines"
    if file.document_keys & {"resourceLogs", "resourceMetrics"}:
        return "is OTLP without a model call; export the traces, which contain the calls"
    keys = (file.first_record or {}).keys()
    hint = "; write its calls as JSON Lines: input, answer, model"
    return next((words + hint for known, words in _TOOLS if keys >= known), None)


def describe_unknown(file: Log) -> str:
    """Return a phrase that follows the file's name: `is a Parquet file, which is not supported`."""
    if words := describe_unsupported(file):
        return words
    for signature, words in _SIGNATURES:
        if file.head.startswith(signature):
            return words
    if file.head.startswith(_SQLITE):
        return f"is a SQLite database of another program{_describe_tables(file)}"
    if file.first_record is not None:
        return f"is JSON, but not a known log: its records have the keys {_list_names(sorted(file.first_record))}"
    text = file.head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] in (b"{", b"["):
        return "begins like JSON, but none of its first records can be read"
    if b"\0" in file.head and not file.head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is a binary file of an unknown kind"
    return "is text, but neither JSON nor a table with known columns"


def _describe_tables(file: Log) -> str:
    if file.path is None:
        return ""
    try:
        with closing(sqlite3.connect(f"{file.path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    except sqlite3.Error:
        return ", and damaged"
    return f", with the tables {_list_names([row[0] for row in rows])}" if rows else ", without any table"


def _list_names(names: list[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:_MAX_NAMES])
    return shown + (f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else "")
