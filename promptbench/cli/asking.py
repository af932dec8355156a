"""Questions to whoever sits at the terminal. They go to stderr, and ^C leaves without an answer."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from typing import TypeVar

import typer

from promptbench.cli.output import say
from promptbench.core.errors import InputError

_Value = TypeVar("_Value")
_PASTED = 0.1  # So many seconds after a line the next one of a text that is pasted has come.


def somebody_is_there() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask() -> str:
    """A line of text behind a question that has been said."""
    say("> ", end="")
    line = sys.stdin.readline()
    if not line:
        raise typer.Abort
    return line.strip()


def ask_text() -> str:
    """A text; one that is pasted may have several lines."""
    lines = [ask()]
    while _more_is_there():
        line = sys.stdin.readline()
        if not line:
            break
        lines.append(line.rstrip())
    return "\n".join(lines).strip()


def _more_is_there() -> bool:
    try:
        return bool(select.select([sys.stdin], [], [], _PASTED)[0])
    except (OSError, ValueError):  # no terminal of this system can be looked at
        return False


def ask_until(read: Callable[[str], _Value]) -> _Value:
    """The first line that `read` takes; what it raises is said, and asked again."""
    while True:
        try:
            return read(ask())
        except InputError as error:
            say(f"{error.message}{f'; {error.hint}' if error.hint else ''}")
        except ValueError as error:
            say(str(error))


def confirm(question: str, *, default: bool = False) -> bool:
    """Yes or no."""
    say(f"{question} [{'Y/n' if default else 'y/N'}]")

    def read(written: str) -> bool:
        word = written.lower()
        if word not in ("", "y", "yes", "n", "no"):
            raise ValueError("write y or n")
        return default if not word else word.startswith("y")

    return ask_until(read)
