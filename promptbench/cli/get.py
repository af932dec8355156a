"""`promptbench get`: a prompt out of the store."""

from __future__ import annotations

from typing import Annotated

import typer

from promptbench.cli.options import AsJson
from promptbench.core.errors import Exit


def register(app: typer.Typer) -> None:
    app.command("get")(get)


def get(
    reference: Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N|@HASH]", help="NAME alone is NAME@production.")],
    as_json: AsJson = False,
) -> int:
    """Print a prompt as it stands in the store."""
    from promptbench import api
    from promptbench.cli.output import out, out_json

    with api.Workspace.open().prompts() as store:
        version = store.get(reference)
    if as_json:
        fields = ("prompt", "number", "hash", "created", "source", "content")
        out_json({"schema_version": 1, **{name: getattr(version, name) for name in fields}})
    else:
        out(version.source, end="" if version.source.endswith("\n") else "\n")
    return Exit.YES
