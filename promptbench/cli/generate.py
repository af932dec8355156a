"""`promptbench generate`: questions about documents, for people to review."""

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import Lines, MaxCalls, MaxCost, MaxMinutes, Project, Quiet, prints
from promptbench.core.errors import Exit


@prints
def generate(
    project: Project,
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite's file or folder.")],
    sources: Annotated[
        list[str],
        typer.Option("--from", metavar="FILES", help="Documents: a file, a folder or a pattern; can be repeated."),
    ],
    by: Annotated[str, typer.Option("--by", metavar="PROVIDER/NAME", help="The model that writes the questions.")],
    count: Annotated[int, typer.Option("--count", min=1, help="The number of questions.")] = 20,
    unanswerable: Annotated[
        int, typer.Option("--unanswerable", metavar="PERCENT", min=0, max=100, help="The share without an answer.")
    ] = 20,
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="A new .xlsx or .csv file.")] = Path(
        "review.xlsx"
    ),
    prompt: Annotated[
        Path | None, typer.Option("--prompt", metavar="FILE", help="A prompt in place of the shipped one.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Repeat calls that are on record.")] = False,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    quiet: Quiet = False,
) -> Lines:
    """Write questions about documents for people to review.

    Each is in a sheet with its answer and source sentence. `sheet import` takes what people accepted. An interrupted
    command resumes when it is repeated.
    """
    from promptbench.cli.progress import Progress
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.start.generate import generate as write_questions, summary_lines

    spending = Spending.read(max_cost, max_calls, max_minutes)
    with Progress(quiet=quiet) as progress:
        done = write_questions(
            project,
            suite,
            sources,
            output,
            by=by,
            count=count,
            unanswerable=unanswerable / 100,
            prompt=prompt,
            again=again,
            spending=spending,
            listen=progress.listen,
        )
    yield done
    yield from summary_lines(done)
    return Exit.YES if done["sheet"] else Exit.NO
