"""The failing calls as a log that promptbench reads: JSON Lines, one call each."""

from __future__ import annotations

import json

from promptbench.report.model import RunReport
from promptbench.report.words import Target


def render(report: RunReport, target: Target) -> str:
    return "".join(json.dumps(dict(line), ensure_ascii=False) + "\n" for line in report.failures)
