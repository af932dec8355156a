"""The logs a suite names: found, recognised, read."""

from __future__ import annotations

from pathlib import Path

from promptbench.core.diagnostics import Code, Diagnostics, Place
from promptbench.core.protocols import LogReader
from promptbench.core.types import LoggedCall
from promptbench.formats.paths import below
from promptbench.ingest import plugins
from promptbench.suite.models import Suite

_HEAD = 64 * 1024


def read_logs(suite: Suite, found: Diagnostics) -> list[LoggedCall]:
    """All calls of all logs of a suite, in order."""
    calls: list[LoggedCall] = []
    for index, written in enumerate(suite.logs):
        place = suite.place(("log", index))
        path = below(suite.folder, written, place, found)
        if path is not None:
            calls += _read(path, written, place, found)
    return calls


def _read(path: Path, written: str, place: Place, found: Diagnostics) -> list[LoggedCall]:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        found.add(Code.FILE_NOT_FOUND, f"there is no log '{written}' beside the suite", place)
        return []
    except OSError as error:
        why = "it is a folder" if path.is_dir() else error.strerror
        found.add(Code.BAD_LOG, f"the log '{written}' cannot be read: {why}", place)
        return []
    if not head.strip():
        return []
    reader = _reader(head, path.name)
    if reader is None:
        known = ", ".join(name.replace("_", " ") for name in plugins.names())
        found.add(Code.BAD_LOG, f"'{written}' is no log of a known format", place, hint=f"known formats: {known}")
        return []
    try:
        return list(reader.read(path))
    except (ValueError, OSError) as error:
        hint = "mend or delete that line" if isinstance(error, ValueError) else None
        found.add(Code.BAD_LOG, f"the log '{written}' cannot be read: {error}", place, hint=hint)
        return []


def _reader(head: bytes, name: str) -> LogReader | None:
    for plugin in plugins.names():
        module: LogReader = plugins.load(plugin)  # type: ignore[assignment]
        if module.matches(head, name):
            return module
    return None
