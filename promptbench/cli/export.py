"""`promptbench export`: right and wrong answers as data for fine-tuning."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from promptbench.cli.output import out_lines, say, show
from promptbench.core.errors import Exit
from promptbench.core.words import number_of


def export(
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite's file or folder.")],
    layout: Annotated[
        Literal["messages", "preference-openai", "preference-trl"], typer.Option("--for", help="What a line has.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file of lines to write.")],
    prompt: Annotated[
        Path | None, typer.Option("--prompt", metavar="FILE", help="The prompt to train with, instead of the suite's.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Also the answers of a run: its name, or `latest`.")
    ] = None,
    held_out: Annotated[
        int, typer.Option("--held-out", metavar="PERCENT", min=0, max=99, help="The share of cases that stay out.")
    ] = 20,
) -> int:
    """Export right answers to cases as data for fine-tuning.

    An answer is right if a case or a run has it and it passes the checks. The preference formats pair it with answers
    that fail. Cases of one document or cluster, or with nearly the same text, are exported together or not at all.
    """
    from promptbench.project import Project
    from promptbench.workflows.store.export import export as export_data

    prompts = (prompt,) if prompt else ()
    manifest, warnings = export_data(Project.open(), suite, layout, output, prompts=prompts, run=run, held_out=held_out)
    if warnings:
        say(show(warnings, sys.stderr))
    counts, groups = manifest["counts"], number_of(len(manifest["groups"]["held_out"]), "group")
    left_out = [f"left out: {number_of(count, 'case')}: {why}" for why, count in manifest["discarded"].items()]
    out_lines(
        [
            f"wrote {number_of(counts['lines'], 'line')} of {number_of(counts['exported'], 'case')} to {output}",
            f"held out: {number_of(counts['held_out'], 'case')} in {groups}",
            *left_out,
            f"name the manifest next to the model: 'trained on: {output.with_suffix('.manifest.json').name}'",
        ]
    )
    return Exit.YES
