"""`promptbench view`: the project as a local web page."""

from typing import Annotated

import typer

from promptbench.core.errors import Exit


def view(
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65_535, help="The port; 8788 by default, or any free one.")
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the address, and open no browser.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show everything, change nothing.")] = False,
) -> int:
    """Show the project as a web page on this machine.

    Only this machine reaches it, and only the browser that opens the printed address, which works once. Ctrl-C ends it.
    """
    from promptbench.cli.output import say
    from promptbench.project import Project
    from promptbench.web.serve import serve

    serve(Project.open, port=port, read_only=read_only, open_browser=not no_open, say=say)
    return Exit.YES
