"""Questions to a user at the terminal. They go to stderr; Ctrl-C leaves the command."""

import select
import sys
from collections.abc import Callable
from typing import TypeVar

import typer

from promptbench.cli.output import say
from promptbench.core.errors import InputError

_Value = TypeVar("_Value")
# Seconds within which the next line of a pasted text arrives.
_PASTE_PAUSE = 0.1


def is_interactive() -> bool:
    """Return True if a user can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask() -> str:
    """Read one line of text."""
    say("> ", end="")
    line = sys.stdin.readline()
    if not line:
        raise typer.Abort
    return line.strip()


def ask_text() -> str:
    """Read a text. A pasted one may have several lines."""
    lines = [ask()]
    while _has_input() and (line := sys.stdin.readline()):
        lines.append(line.rstrip())
    return "\n".join(lines).strip()


def _has_input() -> bool:
    try:
        return bool(select.select([sys.stdin], [], [], _PASTE_PAUSE)[0])
    except (OSError, ValueError):  # Windows cannot wait for a terminal
        return False


def ask_until(read: Callable[[str], _Value]) -> _Value:
    """Return what `read` makes of a line. If it raises InputError or ValueError, print the error and ask again."""
    while True:
        try:
            return read(ask())
        except (InputError, ValueError) as error:
            hint = getattr(error, "hint", None)
            say(f"{error}; {hint}" if hint else str(error))


def confirm(question: str, *, default: bool = False) -> bool:
    """Ask a question with the answers yes and no. An empty answer is the default."""
    say(f"{question} [{'Y/n' if default else 'y/N'}]")
    answer = ask().lower()
    return answer in ("y", "yes") if answer else default
