"""Read answers from the user at a terminal. Prompts go to stderr; Ctrl-C aborts."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from typing import TypeVar

import typer

from promptbench.cli.output import say
from promptbench.core.errors import InputError

_Value = TypeVar("_Value")
_PASTE_SECONDS = 0.1  # The next line of pasted text arrives within this time.


def is_interactive() -> bool:
    """Return True if a user can answer: stdin and stderr are terminals."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def read_line() -> str:
    """Return one line."""
    say("> ", end="")
    line = sys.stdin.readline()
    if not line:
        raise typer.Abort
    return line.strip()


def read_text() -> str:
    """Return a text, which has several lines if it is pasted."""
    lines = [read_line()]
    while _has_more():
        line = sys.stdin.readline()
        if not line:
            break
        lines.append(line.rstrip())
    return "\n".join(lines).strip()


def _has_more() -> bool:
    try:
        return bool(select.select([sys.stdin], [], [], _PASTE_SECONDS)[0])
    except (OSError, ValueError):  # Some systems cannot select on a terminal.
        return False


def read_valid(read: Callable[[str], _Value]) -> _Value:
    """Return the first line that `read` accepts. Print each error that it raises and read again."""
    while True:
        try:
            return read(read_line())
        except InputError as error:
            say(f"{error.message}{f'; {error.hint}' if error.hint else ''}")
        except ValueError as error:
            say(str(error))


def confirm(question: str, *, default: bool = False) -> bool:
    """Return the answer to a yes-or-no question."""
    say(f"{question} [{'Y/n' if default else 'y/N'}]")

    def read(written: str) -> bool:
        word = written.lower()
        if word not in ("", "y", "yes", "n", "no"):
            raise ValueError("write y or n")
        return default if not word else word.startswith("y")

    return read_valid(read)
