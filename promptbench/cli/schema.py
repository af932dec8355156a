"""`promptbench schema`: print JSON Schemas for editors and programs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from promptbench.cli.output import out_json
from promptbench.core.errors import Exit


def schema(
    what: Annotated[
        Literal["suite", "report", "datasette"],
        typer.Argument(
            metavar="WHAT",
            help="`suite` files, the JSON `report`, or the metadata with which `datasette` shows runs.sqlite.",
        ),
    ] = "suite",
) -> int:
    """Print the JSON Schema of suite files or of reports."""
    if what == "datasette":
        from promptbench.workflows.upkeep.datasette import datasette_metadata

        out_json(datasette_metadata())
    else:
        from promptbench.workflows.start.schema import report_schema, suite_schema

        out_json(report_schema() if what == "report" else suite_schema())
    return Exit.YES
