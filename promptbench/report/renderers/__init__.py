"""Report formats: one module each, with `SPEC = ReportFormatSpec(render)`."""

from promptbench.core.plugins import Plugins
from promptbench.plugins import ReportFormatSpec

plugins = Plugins("promptbench.report.renderers", "reports", ReportFormatSpec)
