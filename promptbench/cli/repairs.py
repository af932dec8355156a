"""`promptbench repairs`: how many answers each repair rescues, and what only another prompt fixes."""

from __future__ import annotations

import typer

from promptbench.cli.options import Format, JsonFormat, Output, Quiet, Run, Verbose


def register(app: typer.Typer) -> None:
    app.command("repairs")(repairs)


def repairs(
    run: Run = "latest",
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Show which repairs a run's answers depend on. Lists also the failures that only another prompt can fix."""
    from promptbench import api
    from promptbench.api.repairs_report import repairs_report
    from promptbench.cli.rendering import Rendering

    rendering = Rendering.of(format_, output, as_json=as_json, verbose=verbose, quiet=quiet)
    workspace = api.Workspace.open()
    return rendering.write(workspace, [repairs_report(api.repairs(workspace, run))])
