"""What a plug-in declares. A plug-in module exposes one of these as `SPEC`; its name is the name of its file, or of the
entry point that names the module or the object itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, LoggedCall

LogRecords = Iterator[LoggedCall | BadRecord]


@dataclass(frozen=True, slots=True)
class LogFormatSpec:
    """A format of production logs: a file in `promptbench/ingest/`, or an entry point in `promptbench.ingest`.

    Args:
        matches: Return True if the file is of this format, judged by its head, its keys or its first record. Must not
            raise.
        read: Yield the calls one at a time, in constant memory. A record that cannot be read is a BadRecord; the
            reader continues with the next one. Raise ValueError if the rest of the file cannot be read.
        specificity: How reliable `matches` is. Formats are tried from the highest to the lowest, equal ones by name:
            100 for a marker of the format's own, 50 for several keys that only this format combines, 10 for a few
            common keys, negative for a format that accepts almost anything.
        read_timings: Like `read`, for latency figures: calls need neither an input nor an answer. Default: `read`.
    """

    matches: Callable[[Log], bool]
    read: Callable[[Log], LogRecords]
    specificity: int = 0
    read_timings: Callable[[Log], LogRecords] | None = None
