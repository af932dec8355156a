"""One file is one format: `render(reports, target)` turns `RunReport`s into text."""

from promptbench.core.plugins import Plugins

plugins = Plugins("promptbench.report.formats", "reports")
