"""Report formats: one module each, with `SPEC = ReportFormatSpec(render)`."""

from __future__ import annotations

from promptbench.core.plugins import Plugins
from promptbench.plugins import ReportFormatSpec

plugins = Plugins("promptbench.report.renderers", "reports", ReportFormatSpec)
