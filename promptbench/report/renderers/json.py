"""JSON with a `schema_version`: everything the report shows, for programs."""

import json
from collections.abc import Sequence

from promptbench.core.canonical import escape_surrogates
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Report, Target
from promptbench.report.model import SCHEMA_VERSION


def render(reports: Sequence[Report], target: Target) -> str:
    """Return one JSON document. Results of a kind that can be several are a list in it, in order."""
    if name := reports[0].collection:
        data = {"schema_version": SCHEMA_VERSION, name: [report.data() for report in reports]}
    else:
        data = {"schema_version": SCHEMA_VERSION, **reports[0].data()}
    return escape_surrogates(json.dumps(data, ensure_ascii=False, indent=2)) + "\n"


SPEC = ReportFormatSpec(render)
