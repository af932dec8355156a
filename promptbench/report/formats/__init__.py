"""One file is one format: `render(report, target)` turns a `RunReport` into text."""

from promptbench.core.plugins import Plugins

plugins = Plugins("promptbench.report.formats", "reports")
