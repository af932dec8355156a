"""JSON with a `schema_version`: everything the report shows, for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from promptbench.core.canonical import escape_surrogates
from promptbench.report.model import SCHEMA_VERSION, RunReport
from promptbench.report.words import Target


def render(report: RunReport, target: Target) -> str:
    # Failing calls and evidence have formats of their own, and can be large.
    data = asdict(replace(report, failures=(), proof=None))
    del data["failures"], data["proof"]
    text = json.dumps({"schema_version": SCHEMA_VERSION, **data}, ensure_ascii=False, indent=2)
    return escape_surrogates(text) + "\n"
