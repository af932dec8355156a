"""One file is one log format."""

from __future__ import annotations

from functools import cache

from promptbench.core.plugins import Plugins
from promptbench.core.protocols import Log, LogReader

plugins = Plugins("promptbench.ingest", "ingest")


def recognised(file: Log) -> str | None:
    """The name of the format of a file; None when no reader knows it. The surest reader is asked first."""
    return next((name for name in _by_specificity() if reader(name).matches(file)), None)


def reader(name: str) -> LogReader:
    """The reader of a format. Raises KeyError when there is none."""
    module: LogReader = plugins.load(name)  # type: ignore[assignment]
    return module


@cache
def _by_specificity() -> tuple[str, ...]:
    return tuple(sorted(plugins.names(), key=lambda name: (-getattr(plugins.load(name), "specificity", 0), name)))
