"""`promptbench init`: write a suite that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.asking import ask, is_interactive
from promptbench.cli.output import out, say
from promptbench.core.errors import Exit, InputError


def init(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The task's name, for example orders.", show_default=False)
    ] = None,
    about: Annotated[
        str | None, typer.Option("--about", metavar="TEXT", help="What the prompt should do, in a sentence.")
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option("--fields", metavar="NAMES", help="The answer's fields, with commas; '' for a text."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="PROVIDER/NAME", help="The model; by default a small local one.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="FOLDER", help="The project's folder; this one by default.")
    ] = None,
) -> int:
    """Write a small suite that runs at once.

    If there are no project settings, it writes them too. At a terminal it asks for missing options; an empty answer
    takes the example.
    """
    from promptbench.workflows.start.init import Start, name_for, read_fields
    from promptbench.workflows.start.init import init as write_suite

    default = Start()
    named = None if fields is None else read_fields(fields)
    if is_interactive():
        if about is None and fields is None:
            say("What should the prompt do? Just Enter: an example that finds order numbers.")
            about = ask() or None
        if about is not None and fields is None:
            say("Which fields should its answer have, such as team, urgent? Just Enter: a text.")
            named = read_fields(ask())
        if model is None:
            say("Which model, such as openai/gpt-5-mini? Just Enter: a small local one.")
            model = ask()
    if about is not None and not about.strip():
        raise InputError("--about is empty", hint="write what the prompt should do, in a sentence")
    name = name or (name_for(about) if about else default.name)
    for path in write_suite(folder or Path.cwd(), Start(name, model or default.model, about, named)):
        out(f"wrote {folder / path if folder else path}")
    enter = f"cd {folder} && " if folder else ""
    out(f"next: {enter}promptbench run suites/{name}")
    out(f"a case of your own: {enter}promptbench new case suites/{name}")
    return Exit.YES
