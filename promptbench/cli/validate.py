"""`promptbench validate`: everything that can be wrong without a call."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from promptbench.cli.options import AsJson, Prompts, Suites
from promptbench.core.errors import Exit, InputError


def register(app: typer.Typer) -> None:
    app.command("validate")(validate)


def validate(
    suites: Suites = None,
    prompt: Prompts = None,
    red: Annotated[
        bool,
        typer.Option("--red", help="Every logged answer must still fail its case. What CI runs."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Look at suites, prompts, checks, models and logs, without asking any model."""
    from promptbench import api
    from promptbench.cli.output import coloured, out, out_json, say
    from promptbench.report.diagnostics import as_data, in_order, render

    workspace = api.Workspace.open()
    selection = api.Selection(paths=tuple(suites or ()), prompts=tuple(prompt or ()))
    code = Exit.YES
    try:
        found = list(api.validate(workspace, selection, red=red))
    except InputError as error:
        if not error.diagnostics:
            raise
        found, code = list(error.diagnostics), Exit.INPUT
    if as_json:
        out_json(
            {"schema_version": 1, "valid": code == Exit.YES, "diagnostics": [as_data(item) for item in in_order(found)]}
        )
        return code
    if found:
        say(render(found, colour=coloured(sys.stderr)))
    errors = len({item for item in found if item.severity == "error"})
    warnings = len(set(found)) - errors
    remarks = f", {warnings} {'remark' if warnings == 1 else 'remarks'}" if warnings else ""
    out(f"{errors} {'mistake' if errors == 1 else 'mistakes'} to mend{remarks}" if errors else f"all is well{remarks}")
    return code
