"""`promptbench rescore`: the answers of a run that is on record, scored by the checks as they are now."""

from __future__ import annotations

import typer

from promptbench.cli.options import AsJson, Run, Verbose


def register(app: typer.Typer) -> None:
    app.command("rescore")(rescore)


def rescore(
    run: Run = "latest",
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> int:
    """Score a recorded run's answers again, by the suite's checks as they are now, and judge them. Asks no model."""
    from promptbench import api
    from promptbench.cli.output import out_report

    return out_report(api.rescore(api.Workspace.open(), run), as_json=as_json, verbose=verbose)
