"""`promptbench schema`: print JSON Schemas for editors and programs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from promptbench.core.errors import Exit


class What(StrEnum):
    """What a schema describes."""

    SUITE = "suite"
    REPORT = "report"
    DATASETTE = "datasette"


def register(app: typer.Typer) -> None:
    app.command("schema")(schema)


def schema(
    what: Annotated[
        What,
        typer.Argument(
            metavar="WHAT",
            help="`suite` files, the JSON `report`, or the metadata with which `datasette` opens runs.sqlite.",
        ),
    ] = What.SUITE,
) -> int:
    """Print the JSON Schema of suite files, or another. Editors complete and check YAML with it."""
    from promptbench.cli.output import out_json
    from promptbench.workflows.start.schema import report_schema, suite_schema
    from promptbench.workflows.upkeep.datasette import datasette_metadata

    match what:
        case What.SUITE:
            out_json(suite_schema())
        case What.REPORT:
            out_json(report_schema())
        case What.DATASETTE:
            out_json(datasette_metadata())
    return Exit.YES
