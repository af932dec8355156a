"""`promptbench runs report`: the report on a recorded run or comparison, in any format."""

from __future__ import annotations

import typer

from promptbench.cli.options import ExitZero, Format, JsonFormat, Output, Quiet, Run, Verbose


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    run: Run = "latest",
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    exit_zero: ExitZero = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Show a recorded run or comparison again, in any format. Calls no model.

    A run is judged by the suite's gate as it is now. The exit code is that of the verdict.
    """
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project
    from promptbench.workflows.judge.rejudge import gate_run
    from promptbench.workflows.judge.run_report import run_report

    rendering = Rendering.of(format_, output, as_json=as_json, verbose=verbose, quiet=quiet)
    project = Project.open()
    found = gate_run(project, run, evidence=rendering.wants("evidence"))
    return rendering.write(project, [run_report(found)], exit_zero=exit_zero)
