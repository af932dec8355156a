"""Report formats: one module each, with `SPEC = ReportFormatSpec(render)`."""

from promptbench.core.plugins import Plugins

plugins = Plugins("promptbench.report.renderers", "reports")
