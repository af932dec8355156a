"""JSON with a `schema_version`: everything the report shows, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from promptbench.core.canonical import escape_surrogates
from promptbench.core.types import Json
from promptbench.report.model import SCHEMA_VERSION, RunReport
from promptbench.report.words import Target

NOT_IN_JSON = ("failures", "proof", "explored")
"""Failing calls, evidence and single attempts have formats of their own, and can be large."""


def render(reports: Sequence[RunReport], target: Target) -> str:
    """One document: `runs` has an entry for each suite, in order."""
    data = {"schema_version": SCHEMA_VERSION, "runs": [_run(report) for report in reports]}
    return escape_surrogates(json.dumps(data, ensure_ascii=False, indent=2)) + "\n"


def _run(report: RunReport) -> dict[str, Json]:
    data = asdict(replace(report, results=tuple(report.results), failures=(), proof=None, explored=None))
    for name in NOT_IN_JSON:
        del data[name]
    return data
