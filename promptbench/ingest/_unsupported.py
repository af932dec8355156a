"""Formats that are known and not read: what a file is, and what to do instead."""

from __future__ import annotations

import re

from promptbench.core.protocols import Log
from promptbench.ingest import _sheets

_CASSETTE = re.compile(rb"(?:\A|\n)interactions:\s*\n\s*- request:")
_COMPRESSED = {b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}


def unsupported(file: Log) -> tuple[str, str] | None:
    """The name of the format, and what to do in a phrase; None for what is not known."""
    head = file.head
    if head.startswith(b"PAR1"):
        return (
            "Parquet",
            "export JSON Lines, or convert it: pandas.read_parquet(file).to_json(out, orient='records', lines=True)",
        )
    if head.startswith(b"PK\x03\x04"):
        return _archive(file)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return "an old Excel workbook (.xls)", "save it as .xlsx or CSV"
    if head.startswith(b"SQLite format 3\x00"):
        return "a database that is not llm's", "export the table of the calls as CSV or JSON Lines"
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            return f"a file compressed by {name}", "unpack it; gzip is read as it is"
    if file.keys() >= {"version", "eval", "status"} or file.keys() >= {"eval", "samples"}:
        return "an inspect_ai log", "write its samples as JSON Lines with input, answer and expected"
    if _CASSETTE.search(head):
        return "a vcrpy cassette", "write its bodies as JSON Lines with request_body, response_body and response_status"
    if file.keys() & {"resourceLogs", "resourceMetrics"}:
        return "OTLP logs or metrics", "export the traces, which hold the calls"
    return None


def _archive(file: Log) -> tuple[str, str] | None:
    names = _sheets.names(file)
    if "header.json" in names or "_journal/start.json" in names:
        return "an inspect_ai log (.eval)", "inspect log convert --to json, then write its samples as JSON Lines"
    if "xl/workbook.xml" in names:
        return None
    return "a ZIP archive", "unpack it and name the files in it"
