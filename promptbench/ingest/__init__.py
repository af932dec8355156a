"""Readers of production logs: one file per format."""

from functools import cache

from promptbench.core.plugins import Plugins
from promptbench.core.protocols import Log
from promptbench.plugins import LogFormatSpec

plugins = Plugins("promptbench.ingest", "ingest", LogFormatSpec)


def load_format(name: str) -> LogFormatSpec:
    """Return the format of this name. Raise KeyError if it is unknown."""
    return plugins.load(name)


def detect_format(file: Log) -> str | None:
    """Return the name of the file's format, or None if it is unknown. The most specific format is tried first."""
    return next((name for name in _by_specificity() if load_format(name).matches(file)), None)


@cache
def _by_specificity() -> tuple[str, ...]:
    return tuple(sorted(plugins.names(), key=lambda name: (-load_format(name).specificity, name)))
