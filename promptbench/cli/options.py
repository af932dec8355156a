"""Options that several commands share, so that they are named and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Suites = Annotated[
    list[Path] | None,
    typer.Argument(metavar="SUITE", help="Suite files or folders; all below suites/ by default."),
]
Prompts = Annotated[
    list[Path] | None, typer.Option("--prompt", metavar="FILE", help="Candidate, instead of the suite's.")
]
Models = Annotated[list[str] | None, typer.Option("--model", metavar="PROVIDER/NAME", help="Only these models.")]
Cases = Annotated[
    list[str] | None, typer.Option("--case", metavar="NAME", help="Only these cases; * stands for any text.")
]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Only cases with one of these tags.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Actor = Annotated[
    str | None, typer.Option("--actor", metavar="WHO", help="Who acts, where neither CI nor git says it.")
]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept in the prompt's history.")]
Label = Annotated[str, typer.Option("--label", metavar="LABEL", help="The label that moves.")]
