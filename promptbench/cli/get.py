"""`promptbench get`: a prompt out of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from promptbench.cli.options import AsJson, variables
from promptbench.core.errors import Exit, InputError

if TYPE_CHECKING:
    from promptbench.core.types import Message


def register(app: typer.Typer) -> None:
    app.command("get")(get)


def get(
    reference: Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N|@HASH]", help="NAME alone is NAME@production.")],
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=TEXT", help="A value for {{NAME}}; =@FILE reads a file.")
    ] = None,
    format_: Annotated[
        Literal["text", "messages", "openai", "anthropic", "json"],
        typer.Option("--format", help="The text, the messages, a request's body, or all that is known."),
    ] = "text",
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="The model to name in a request's body.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Print a prompt of the store, with values in place or without."""
    from promptbench.api.fetching import fetch
    from promptbench.api.workspace import Project
    from promptbench.cli.output import out, out_json

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
        text = _readable(fetched.messages(given)) if given else fetched.version.source
        out(text, end="" if text.endswith("\n") else "\n")
    return Exit.YES


def _readable(messages: Sequence[Message]) -> str:
    """One message as its text, several each below its role."""
    if len(messages) == 1:
        return messages[0].content
    return "\n\n".join(f"{message.role}:\n{message.content}" for message in messages)
