"""Read the logs of a suite."""

from __future__ import annotations

from pathlib import Path

from promptbench.core.diagnostics import Code, Diagnostics, Location
from promptbench.core.types import BadRecord, LoggedCall
from promptbench.ingest import detect_format, load_format, plugins
from promptbench.ingest.files.log_file import LogFile
from promptbench.ingest.files.streams import LogError
from promptbench.suite.models import Suite
from promptbench.yaml.paths import below


def read_logs(suite: Suite, found: Diagnostics) -> list[LoggedCall]:
    """Return all calls of all logs of a suite, in order."""
    calls: list[LoggedCall] = []
    for index, written in enumerate(suite.logs):
        location = suite.location(("log", index))
        path = below(suite.folder, written, location, found)
        if path is not None:
            calls += _read(path, written, location, found)
    return calls


def _read(path: Path, written: str, location: Location, found: Diagnostics) -> list[LoggedCall]:
    def refuse(why: str, hint: str | None = None) -> list[LoggedCall]:
        found.add(Code.BAD_LOG, f"the log '{written}' cannot be read: {why}", location, hint=hint)
        return []

    try:
        file = LogFile.from_path(path, written)
    except FileNotFoundError:
        found.add(Code.FILE_NOT_FOUND, f"log '{written}' not found next to the suite", location)
        return []
    except (OSError, LogError) as error:
        return refuse("it is a folder" if path.is_dir() else getattr(error, "strerror", None) or f"it {error}")
    if not file.head.strip():
        return []
    name = detect_format(file)
    if name is None:
        known = ", ".join(name.replace("_", " ") for name in plugins.names())
        found.add(Code.BAD_LOG, f"unknown log format: '{written}'", location, hint=f"known formats: {known}")
        return []
    calls = []
    try:
        for call in load_format(name).read(file):
            if isinstance(call, BadRecord):
                return refuse(f"{call.place}: {call.reason}", "fix or delete that record")
            calls.append(call)
    except (OSError, ValueError) as error:
        return refuse(str(error))
    return calls
