"""`promptbench gate`: the verdict on a run that is on record."""

from __future__ import annotations

import typer

from promptbench.cli.options import AsJson, Run, Verbose


def register(app: typer.Typer) -> None:
    app.command("gate")(gate)


def gate(
    run: Run = "latest",
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> int:
    """Judge a recorded run again, by the suite's gate as it is now. Asks no model."""
    from promptbench import api
    from promptbench.cli.output import out_report

    return out_report(api.judge(api.Workspace.open(), run), as_json=as_json, verbose=verbose)
