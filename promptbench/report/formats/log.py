"""The failing calls as a log that promptbench reads: JSON Lines, one call each."""

from __future__ import annotations

import json
from collections.abc import Sequence

from promptbench.core.canonical import escape_surrogates
from promptbench.report.model import RunReport
from promptbench.report.words import Target


def render(reports: Sequence[RunReport], target: Target) -> str:
    lines = (json.dumps(dict(line), ensure_ascii=False) for report in reports for line in report.failures)
    return "".join(escape_surrogates(line) + "\n" for line in lines)
