"""`promptbench runs gate`: the verdict on a recorded run."""

from __future__ import annotations

import typer

from promptbench.cli.options import ExitZero, Format, JsonFormat, Output, Quiet, Run, Verbose


def register(app: typer.Typer) -> None:
    app.command("gate")(gate)


def gate(
    run: Run = "latest",
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    exit_zero: ExitZero = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Judge a recorded run again, by the suite's gate as it is now. Calls no model."""
    from promptbench.cli.report import report

    return report(run, format_, as_json, output, exit_zero, quiet, verbose)
