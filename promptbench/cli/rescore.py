"""`promptbench runs rescore`: the answers of a recorded run, scored by today's checks."""

from __future__ import annotations

import typer

from promptbench.cli.options import ExitZero, Format, JsonFormat, Output, Quiet, Run, Verbose


def register(app: typer.Typer) -> None:
    app.command("rescore")(rescore)


def rescore(
    run: Run = "latest",
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    exit_zero: ExitZero = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Score and judge a run's answers again, by today's checks. Calls no model."""
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project
    from promptbench.workflows.judge.rejudge import rescore as rescore_run
    from promptbench.workflows.judge.run_report import run_report

    rendering = Rendering.of(format_, output, as_json=as_json, verbose=verbose, quiet=quiet)
    project = Project.open()
    return rendering.write(project, [run_report(rescore_run(project, run))], exit_zero=exit_zero)
