"""Read the calls of a log file of a known format."""

from __future__ import annotations

from collections.abc import Iterator

from promptbench.core.types import BadRecord, LoggedCall
from promptbench.ingest import load_format
from promptbench.ingest.files.log_file import LogFile


def read_records(file: LogFile, format_: str, *, timings: bool = False) -> Iterator[LoggedCall | BadRecord]:
    """Yield the calls of a file, and its bad records. Raise OSError or ValueError if the rest cannot be read.

    A call that names no model is one of `file.model`, as if its record had a field `model`.
    """
    spec = load_format(format_)
    found = (spec.read_timings or spec.read)(file) if timings else spec.read(file)
    return map(file.with_model, found) if file.model else found
