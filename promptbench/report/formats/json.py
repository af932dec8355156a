"""JSON with a `schema_version`: everything the report shows, for programs."""

from __future__ import annotations

import json
from dataclasses import asdict

from promptbench.report.model import SCHEMA_VERSION, RunReport
from promptbench.report.words import Target

_OWN_FORMATS = ("failures", "proof")


def render(report: RunReport, target: Target) -> str:
    data = {key: value for key, value in asdict(report).items() if key not in _OWN_FORMATS}
    text = json.dumps({"schema_version": SCHEMA_VERSION, **data}, ensure_ascii=False, indent=2)
    return text.encode("utf-8", "replace").decode() + "\n"
