"""The failing calls as a log that promptbench reads: JSON Lines, one call each."""

import json
from collections.abc import Sequence

from promptbench.core.canonical import without_halves
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Report, Target


def render(reports: Sequence[Report], target: Target) -> str:
    # Readers of strict JSON, as `import` is, refuse half a character.
    lines = (json.dumps(dict(line), ensure_ascii=False) for report in reports for line in report.failures)
    return "".join(without_halves(line) + "\n" for line in lines)


SPEC = ReportFormatSpec(render)
