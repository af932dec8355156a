"""One file is one log format."""

from promptbench.core.plugins import Plugins

plugins = Plugins("promptbench.ingest", "ingest")
