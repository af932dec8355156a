"""Log files made in memory, and samples of the formats."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptbench.core.types import BadRecord, LoggedCall
from promptbench.ingest import detect_format, load_format
from promptbench.ingest.files.log_file import LogFile

SAMPLES = Path(__file__).parents[1] / "ingest" / "samples"


def log(content: str | bytes, name: str = "log", **mapping: str) -> LogFile:
    """A file with this content; `mapping` says which column holds which field."""
    data = content if isinstance(content, bytes) else content.encode()
    return replace(LogFile.from_opener(lambda mode: io.BytesIO(data), name), mapping=mapping)


def json_lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def sample(name: str, *others: str) -> LogFile:
    """A sample with the other files of its import."""
    return beside(*(LogFile.from_path(SAMPLES / each, each) for each in (name, *others)))


def beside(file: LogFile, *others: LogFile) -> LogFile:
    return file.with_others(others)


def read(file: LogFile, format_: str | None = None) -> list[LoggedCall | BadRecord]:
    """All that a file holds, by the reader that recognises it; with `format_` that must be this one."""
    name = detect_format(file)
    assert name is not None
    assert format_ in (None, name)
    return list(load_format(name).read(file))


def calls(file: LogFile, format_: str | None = None) -> list[LoggedCall]:
    """The calls of a file in which every record can be read."""
    found = read(file, format_)
    assert [item for item in found if isinstance(item, BadRecord)] == []
    return [item for item in found if isinstance(item, LoggedCall)]


def reasons(found: Iterable[LoggedCall | BadRecord]) -> list[tuple[str, str]]:
    return [(item.place, item.reason) for item in found if isinstance(item, BadRecord)]
