"""`promptbench rescore`: the answers of a run that is on record, scored by the checks as they are now."""

from __future__ import annotations

import typer

from promptbench.cli.options import ExitZero, Format, JsonFormat, Output, Run, Verbose


def register(app: typer.Typer) -> None:
    app.command("rescore")(rescore)


def rescore(
    run: Run = "latest",
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    exit_zero: ExitZero = False,
    verbose: Verbose = False,
) -> int:
    """Score and judge a run's answers again, by today's checks. Asks no model."""
    from promptbench import api
    from promptbench.cli.rendering import Rendering

    rendering = Rendering.of("json" if as_json else format_, output, verbose=verbose)
    project = api.Project.open()
    return rendering.write(project, [api.rescore(project, run)], exit_zero=exit_zero)
