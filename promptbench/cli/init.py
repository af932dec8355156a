"""`promptbench init`: write a suite that runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import AsJson
from promptbench.cli.output import ask, is_interactive, out, say, visible
from promptbench.core.errors import Exit, InputError

if TYPE_CHECKING:
    from promptbench.workflows.start.find_models import AvailableModel


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
        str | None, typer.Option("--model", metavar="PROVIDER/NAME", help="The model; by default one that is found.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="FOLDER", help="The project's folder; this one by default.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="A config of promptfoo or an export of evals."),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option("--judge", metavar="PROVIDER/NAME", help="With --from, the model for assertions that one judges."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Write a small suite that runs at once.

    If there are no project settings, it writes them too. At a terminal it asks for missing options; an empty answer
    takes the example. Without --model it takes the embedded model, a server on this machine (Ollama, LM Studio,
    llama.cpp or vLLM on its usual port) or a model whose API key is set; if there is none, the example replays
    recorded answers.
    """
    if source:
        from promptbench.cli.rendering import Rendering
        from promptbench.workflows.start.init_from import init_from

        return Rendering.of("terminal", None, as_json=as_json).write(
            None, [init_from(folder or Path.cwd(), source, name, model, judge)]
        )
    from promptbench.workflows.start.init import Start, init as write_suite, name_for, next_steps, read_fields

    default = Start()
    named = None if fields is None else read_fields(fields)
    if is_interactive():
        if about is None and fields is None:
            say("What should the prompt do? Just Enter: an example that finds order numbers.")
            about = ask() or None
        if about is not None and fields is None:
            say("Which fields should its answer have, such as team, urgent? Just Enter: a text.")
            named = read_fields(ask())
    if about is not None and not about.strip():
        raise InputError("--about is empty", hint="write what the prompt should do, in a sentence")
    name = name or (name_for(about) if about else default.name)
    start = Start(name, about=about, fields=named)
    start = start.on_found(model) if model else start.on_found(_choose(folder or Path.cwd()))
    for path in write_suite(folder or Path.cwd(), start):
        out(f"wrote {folder / path if folder else path}")
    for line in next_steps(folder or Path.cwd(), start, f"cd {folder} && " if folder else ""):
        out(visible(line))
    return Exit.YES


def _choose(folder: Path) -> AvailableModel | str | None:
    """Return the first model that is found, or the one that the user names; None if there is none."""
    from promptbench.project import Project
    from promptbench.workflows.start.find_models import available_models

    models = available_models(Project.open(folder))
    if not is_interactive():
        return next(models, None)
    found = list(models)
    for number, item in enumerate(found, 1):
        say(f"  {number}  {visible(item.name)} ({item.source})")
    wanted, by_default = ("by number or ", "the first") if found else ("", "recorded answers")
    say(f"Which model, {wanted}such as openai/gpt-5.4-mini? Just Enter: {by_default}.")
    answer = ask()
    if answer.isdecimal() and 0 < int(answer) <= len(found):
        return found[int(answer) - 1]
    return answer or (found[0] if found else None)
