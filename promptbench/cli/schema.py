"""`promptbench schema`: the suite file's JSON Schema, for editors."""

from __future__ import annotations

import typer

from promptbench.core.errors import Exit


def register(app: typer.Typer) -> None:
    app.command("schema")(schema)


def schema() -> int:
    """Print the JSON Schema of suite files, for editors that complete and check YAML."""
    from promptbench import api
    from promptbench.cli.output import out_json

    out_json(api.suite_schema())
    return Exit.YES
