"""`promptbench get`: a prompt out of the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from promptbench.cli.options import AsJson
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
    """Print a prompt as it stands in the store, or with values in place."""
    from promptbench import api
    from promptbench.cli.output import out, out_json

    chosen = "json" if as_json else format_
    if model is not None and chosen not in ("openai", "anthropic"):
        raise InputError("--model is for a request's body", hint="add --format openai or --format anthropic")
    variables = _variables(var or ())
    fetched = api.fetch(api.Workspace.open(), reference)
    if chosen in ("openai", "anthropic"):
        out_json(fetched.body(chosen, variables, model=model))
    elif chosen == "messages":
        out_json([message.as_dict() for message in fetched.messages(variables)])
    elif chosen == "json":
        rendered = {"messages": [item.as_dict() for item in fetched.messages(variables)]} if variables else {}
        out_json({"schema_version": 1, **fetched.as_dict(), **rendered})
    else:
        text = _readable(fetched.messages(variables)) if variables else fetched.version.source
        out(text, end="" if text.endswith("\n") else "\n")
    return Exit.YES


def _readable(messages: Sequence[Message]) -> str:
    """One message as its text, several each below its role."""
    if len(messages) == 1:
        return messages[0].content
    return "\n\n".join(f"{message.role}:\n{message.content}" for message in messages)


def _variables(written: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in written:
        name, equals, text = item.partition("=")
        if not (name and equals):
            raise InputError(f"'{item}' is no variable", hint="write it as --var NAME=TEXT or --var NAME=@FILE")
        if name in found:
            raise InputError(f"--var {name} is there twice")
        found[name] = _file(Path(text[1:])) if text.startswith("@") else text
    return found


def _file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        hint = "a value that begins with @ itself goes into a file"
        raise InputError(f"{path} cannot be read: {error.strerror}", hint=hint) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None
