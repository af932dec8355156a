"""`promptbench validate`: check suites without calling a model."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from promptbench.cli.options import AsJson, Prompts, Suites
from promptbench.cli.output import coloured, out, out_json, say, without_keys
from promptbench.core.errors import Exit, InputError
from promptbench.core.words import number_of
from promptbench.report.diagnostics import as_data, in_order, render


def validate(
    suites: Suites = None,
    prompt: Prompts = None,
    red: Annotated[
        bool,
        typer.Option("--red", help="Every logged answer must still fail its case. Use it in CI."),
    ] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the number of errors and warnings.")] = False,
) -> int:
    """Check suites and every file they name. No model is called."""
    from promptbench.project import Project, Selection
    from promptbench.workflows.start.validate import validate as validate_suites

    selection = Selection(paths=tuple(suites or ()), prompts=tuple(prompt or ()))
    code = Exit.YES
    try:
        found = in_order(validate_suites(Project.open(), selection, red=red))
    except InputError as error:
        if not error.diagnostics:
            raise
        found, code = in_order(error.diagnostics), Exit.INPUT
    if as_json:
        diagnostics = [as_data(item) for item in found]
        out_json({"schema_version": 1, "valid": code == Exit.YES, "diagnostics": diagnostics})
        return code
    if found and not quiet:
        out(without_keys(render(found, colour=coloured(sys.stdout))))
    errors = [item for item in found if item.severity == "error"]
    count = number_of(len(errors), "error") if errors else "no errors"
    warnings = len(found) - len(errors)
    out(f"{count}, {number_of(warnings, 'warning')}" if warnings else count)
    if errors and sys.stderr.isatty():
        say(f"hint: `promptbench explain {errors[0].code.value}` explains the first one")
    return code
