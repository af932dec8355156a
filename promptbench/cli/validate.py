"""`promptbench validate`: everything that can be wrong without a call."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import AsJson, Prompts, Suites
from promptbench.core.errors import Exit, InputError
from promptbench.core.words import number_of

if TYPE_CHECKING:
    from promptbench.api import Selection, Workspace


def register(app: typer.Typer) -> None:
    app.command("validate")(validate)


def validate(
    suites: Suites = None,
    prompt: Prompts = None,
    red: Annotated[
        bool,
        typer.Option("--red", help="Every logged answer must still fail its case. What CI runs."),
    ] = False,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix", help="Mend what has one reading: tabs, indentation, dashes, quotes. Shows it, then asks."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --fix: write without asking.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Only show what --fix would change.")] = False,
    as_json: AsJson = False,
) -> int:
    """Look for mistakes in suites and all they name. No model is asked."""
    from promptbench import api
    from promptbench.cli.output import coloured, out, out_json, say
    from promptbench.report.diagnostics import as_data, in_order, render

    selection = api.Selection(paths=tuple(suites or ()), prompts=tuple(prompt or ()))
    workspace, code = None, Exit.YES
    try:
        workspace = api.Workspace.open()
        if fix or diff:
            _mend(workspace, selection, write=fix and not diff, yes=yes)
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
    if errors and sys.stderr.isatty():
        first = next(item for item in in_order(found) if item.severity == "error")
        mends = _mendable(workspace, selection) if workspace and not (fix or diff) else ""
        say(f"hint: `promptbench explain {first.code.value}` says more{mends}")
    return code


def _mend(workspace: Workspace, selection: Selection, *, write: bool, yes: bool) -> None:
    """Shows what can be mended, and writes it where somebody says so."""
    from promptbench import api
    from promptbench.cli.asking import confirm, somebody_is_there
    from promptbench.cli.output import out, say

    mended = api.mend(workspace, selection)
    for item in mended:
        out(item.diff, end="")
        for done in item.mends:
            say(f"{item.shown}:{done.line}: {done.message}")
    if not mended:
        out("there is nothing that can be mended without asking you what is meant")
    if not (mended and write):
        return
    if not (yes or somebody_is_there()):
        raise InputError("nothing was written: there is nobody to ask", hint="--yes writes without asking")
    for item in mended:
        if yes or confirm(f"Write this to {item.shown}?", default=True):
            api.write_mended(item)
            out(f"mended {number_of(len(item.mends), 'mistake')} in {item.shown}")


def _mendable(workspace: Workspace, selection: Selection) -> str:
    """What to say of the mistakes that could be mended, if there are any."""
    from promptbench import api

    count = sum(len(item.mends) for item in api.mend(workspace, selection))
    return f"; `promptbench validate --fix` offers {number_of(count, 'mend')}" if count else ""
