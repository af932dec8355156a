"""`promptbench validate`: check suites without calling a model."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from promptbench.cli.options import AsJson, Prompts, Suites
from promptbench.core.errors import Exit, InputError
from promptbench.core.words import number_of


def register(app: typer.Typer) -> None:
    app.command("validate")(validate)


def validate(
    suites: Suites = None,
    prompt: Prompts = None,
    red: Annotated[
        bool,
        typer.Option("--red", help="Every logged answer must still fail its case. What CI runs."),
    ] = False,
    fix: Annotated[bool, typer.Option("--fix", "--diff", hidden=True)] = False,
    as_json: AsJson = False,
) -> int:
    """Check suites and every file they name. No model is called."""
    from promptbench.cli.output import coloured, out, out_json, say
    from promptbench.engine.prepare.options import Selection
    from promptbench.project import Project
    from promptbench.report.diagnostics import as_data, in_order, render
    from promptbench.workflows.start.validate import validate as validate_suites

    if fix:
        raise InputError("--fix and --diff were removed", hint="each diagnostic says what to write; edit the file")
    selection = Selection(paths=tuple(suites or ()), prompts=tuple(prompt or ()))
    code = Exit.YES
    try:
        found = list(validate_suites(Project.open(), selection, red=red))
    except InputError as error:
        if not error.diagnostics:
            raise
        found, code = list(error.diagnostics), Exit.INPUT
    if as_json:
        diagnostics = [as_data(item) for item in in_order(found)]
        out_json({"schema_version": 1, "valid": code == Exit.YES, "diagnostics": diagnostics})
        return code
    if found:
        say(render(found, colour=coloured(sys.stderr)))
    errors = [item for item in in_order(found) if item.severity == "error"]
    warnings = len(set(found)) - len(errors)
    out(
        (number_of(len(errors), "error") if errors else "no errors")
        + (f", {number_of(warnings, 'warning')}" if warnings else "")
    )
    if errors and sys.stderr.isatty():
        say(f"hint: `promptbench explain {errors[0].code.value}` explains the first one")
    return code
