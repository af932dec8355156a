"""The failing calls as a log that promptbench reads: JSON Lines, one call each."""

import json
from collections.abc import Sequence

from promptbench.core.canonical import escape_surrogates
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Report
from promptbench.report.words import Target


def render(reports: Sequence[Report], target: Target) -> str:
    lines = (json.dumps(dict(line), ensure_ascii=False) for report in reports for line in report.failures)
    return "".join(escape_surrogates(line) + "\n" for line in lines)


SPEC = ReportFormatSpec(render)
