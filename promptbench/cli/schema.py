"""`promptbench schema`: print JSON Schemas for editors and programs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from promptbench.cli.output import out_json
from promptbench.core.errors import Exit


class What(StrEnum):
    SUITE = "suite"
    REPORT = "report"
    DATASETTE = "datasette"


def schema(
    what: Annotated[
        What,
        typer.Argument(
            metavar="WHAT",
            help="`suite` files, the JSON `report`, or the metadata with which `datasette` shows runs.sqlite.",
        ),
    ] = What.SUITE,
) -> int:
    """Print the JSON Schema of suite files or of reports."""
    if what is What.DATASETTE:
        from promptbench.workflows.upkeep.datasette import datasette_metadata

        out_json(datasette_metadata())
    else:
        from promptbench.workflows.start.schema import report_schema, suite_schema

        out_json(report_schema() if what is What.REPORT else suite_schema())
    return Exit.YES
