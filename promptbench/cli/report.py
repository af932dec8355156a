"""`promptbench report`: a run that is on record, in any format."""

from __future__ import annotations

import typer

from promptbench.cli.options import ExitZero, Format, JsonFormat, Output, Run, Verbose


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    run: Run = "latest",
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    exit_zero: ExitZero = False,
    verbose: Verbose = False,
) -> int:
    """Write the report on a run again, in any format. It is judged by the suite's gate as it is now; no model is asked.

    Exits as the verdict says.
    """
    from promptbench import api
    from promptbench.cli.rendering import Rendering

    rendering = Rendering.of("json" if as_json else format_, output, verbose=verbose)
    project = api.Project.open()
    found = api.judge(project, run, evidence=rendering.wants("evidence"))
    return rendering.write(project, [found], exit_zero=exit_zero)
