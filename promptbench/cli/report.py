"""`promptbench runs report`, `gate` and `rescore`: a recorded run or comparison, judged again without a call."""

from __future__ import annotations

from promptbench.cli.options import ExitZero, Format, JsonFormat, Output, Quiet, Run, Verbose


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
    from promptbench.workflows.judge import rejudge
    from promptbench.workflows.judge.run_report import run_report

    rendering = Rendering.of(format_, output, as_json=as_json, verbose=verbose, quiet=quiet)
    project = Project.open()
    found = rejudge.gate_run(project, run, evidence=rendering.wants("evidence"))
    return rendering.write(project, [run_report(found)], exit_zero=exit_zero)


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
    from promptbench.workflows.judge import rejudge
    from promptbench.workflows.judge.run_report import run_report

    rendering = Rendering.of(format_, output, as_json=as_json, verbose=verbose, quiet=quiet)
    project = Project.open()
    return rendering.write(project, [run_report(rejudge.rescore(project, run))], exit_zero=exit_zero)
