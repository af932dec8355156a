"""The failing calls as a log that promptbench reads: JSON Lines, one call each."""

from __future__ import annotations

import json

from promptbench.core.canonical import escape_surrogates
from promptbench.report.model import RunReport
from promptbench.report.words import Target


def render(report: RunReport, target: Target) -> str:
    return "".join(escape_surrogates(json.dumps(dict(line), ensure_ascii=False)) + "\n" for line in report.failures)
