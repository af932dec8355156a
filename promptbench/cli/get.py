"""`promptbench get`: print a stored prompt."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from promptbench.cli.options import AsJson, variables
from promptbench.core.errors import Exit, InputError


def get(
    reference: Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N|@HASH]", help="NAME alone is NAME@production.")],
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=TEXT", help="A value for {{NAME}}; =@FILE reads a file.")
    ] = None,
    format_: Annotated[
        Literal["text", "messages", "openai", "anthropic", "json"],
        typer.Option("--format", help="The text, the messages, a request's body, or everything."),
    ] = "text",
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="The model to name in a request's body.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Print a stored prompt, with or without values."""
    from promptbench.cli.output import out, out_json
    from promptbench.project import Project
    from promptbench.workflows.store.get import fetch

    chosen = "json" if as_json else format_
    if model is not None and chosen not in ("openai", "anthropic"):
        raise InputError("--model is for a request's body", hint="add --format openai or --format anthropic")
    given = variables(var or ())
    fetched = fetch(Project.open(), reference)
    if chosen in ("openai", "anthropic"):
        out_json(fetched.body(chosen, given, model=model))
    elif chosen == "messages":
        out_json([message.as_dict() for message in fetched.messages(given)])
    elif chosen == "json":
        rendered = {"messages": [item.as_dict() for item in fetched.messages(given)]} if given else {}
        out_json({"schema_version": 1, **fetched.as_dict(), **rendered})
    else:
        turns = fetched.messages(given) if given else ()
        text = "\n\n".join(turn.content if len(turns) == 1 else f"{turn.role}:\n{turn.content}" for turn in turns)
        text = text if given else fetched.version.source
        out(text, end="" if text.endswith("\n") else "\n")
    return Exit.YES
