"""Read the calls of a log file of a known format."""

from __future__ import annotations

from collections.abc import Iterator

from promptbench.core.types import BadRecord, FailureTier, LoggedCall
from promptbench.ingest import load_format
from promptbench.ingest.files.log_file import LogFile


def read_records(file: LogFile, format_: str, *, timings: bool = False) -> Iterator[LoggedCall | BadRecord]:
    """Yield the calls of a file, and its bad records. Raise OSError or ValueError if the rest cannot be read.

    A call that names no model is one of `file.model`, as if its record had a field `model`. Unless only `timings` are
    read, a call of another tool without an input is a bad record: with its request it would be another call.
    """
    spec = load_format(format_)
    if timings:
        found = (spec.read_timings or spec.read)(file)
    else:
        # What `record_call` wrote is whole: an application may record only the answer that it could not use.
        found = spec.read(file) if format_ == "promptbench_log" else map(_require_input, spec.read(file))
    return map(file.with_model, found) if file.model else found


def _require_input(record: LoggedCall | BadRecord) -> LoggedCall | BadRecord:
    if isinstance(record, BadRecord) or record.messages or record.variables is not None:
        return record
    failed = f", and failed: {record.failed}" if record.tier is FailureTier.TRANSPORT else ""
    return BadRecord(record.id, f"it has no input{failed}; import the file of the requests together with it")
