"""Read the calls of a log file of any known format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from promptbench.core.errors import InputError
from promptbench.core.types import BadRecord, LoggedCall
from promptbench.ingest import detect_format, load_format
from promptbench.ingest.files.log_file import LogFile
from promptbench.ingest.files.streams import LogError


def read_calls(path: Path) -> Iterator[LoggedCall]:
    """Yield the calls of a log file, without the records that cannot be read. Raise InputError if it is not a log."""
    try:
        file = LogFile.from_path(path)
        format_ = detect_format(file)
        if format_ is None:
            raise InputError(f"{path} is not a log of a known format", hint="`promptbench import --help` lists them")
        for record in load_format(format_).read(file):
            if not isinstance(record, BadRecord):
                yield record
    except (OSError, LogError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
