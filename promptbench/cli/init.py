"""`promptbench init`: write a suite that runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.core.errors import Exit, InputError

if TYPE_CHECKING:
    from promptbench.workflows.start.init import Start


def register(app: typer.Typer) -> None:
    app.command("init")(init)


def init(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The task's name, for example orders.", show_default=False)
    ] = None,
    about: Annotated[
        str | None, typer.Option("--about", metavar="TEXT", help="What the prompt should do, in a sentence.")
    ] = None,
    fields: Annotated[
        str | None, typer.Option("--fields", metavar="NAMES", help="The answer's fields, with commas; '' for a text.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="PROVIDER/NAME", help="By default a small one on this machine.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="FOLDER", help="The project's folder; this one by default.")
    ] = None,
) -> int:
    """Write a small suite that runs at once.

    If there are no project settings, it writes them too. At a terminal it asks for missing options; an empty answer
    takes the example.
    """
    from promptbench.cli.output import out
    from promptbench.workflows.start.init import init as write_suite

    start = _asked(name, about, fields, model)
    written = write_suite(folder or Path.cwd(), start)
    where = folder.as_posix().rstrip("/") + "/" if folder else ""
    for path in written:
        out(f"wrote {where}{path}")
    enter = f"cd {folder} && " if folder else ""
    out(f"next: {enter}promptbench run suites/{start.name}")
    out(f"a case of your own: {enter}promptbench new case suites/{start.name}")
    return Exit.YES


def _asked(name: str | None, about: str | None, fields: str | None, model: str | None) -> Start:
    """Return the options, completed by questions at a terminal."""
    from promptbench.cli.asking import is_interactive, read_line
    from promptbench.cli.output import say
    from promptbench.workflows.start.init import Start, name_for, read_fields

    default = Start()
    named = None if fields is None else read_fields(fields)
    if is_interactive():
        if about is None and fields is None:
            say("What should the prompt do? Just Enter: an example that finds order numbers.")
            about = read_line() or None
        if about is not None and fields is None:
            say("Which fields should its answer have, such as team, urgent? Just Enter: a text.")
            named = read_fields(read_line())
        if model is None:
            say("Which model, such as openai/gpt-5-mini? Just Enter: a small local one.")
            model = read_line()
    if about is not None and not about.strip():
        raise InputError("--about is empty", hint="write what the prompt should do, in a sentence")
    return Start(
        name=name or (name_for(about) if about else default.name),
        model=model or default.model,
        about=about,
        fields=named,
    )
