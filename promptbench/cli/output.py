"""Output: results go to stdout, everything else to stderr. Nothing here is ever markup.

Questions to a user at the terminal go to stderr too; Ctrl-C leaves the command.
"""

import json
import os
import select
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO, TypeVar

import typer

from promptbench.core.errors import Diagnostic, InputError
from promptbench.core.secrets import Secrets, hide
from promptbench.core.types import Json
from promptbench.report.diagnostics import render
from promptbench.report.document import Target
from promptbench.report.words import clean

_arguments: list[str] = []


def out(text: str, *, end: str = "\n") -> None:
    """Write a result to stdout. A closed pipe is not an error."""
    _write(sys.stdout, text + end)


def say(text: str, *, end: str = "\n") -> None:
    """Write a message to stderr, with secrets masked."""
    _write(sys.stderr, without_keys(text) + end)


def without_keys(text: str) -> str:
    """Return `text` without the environment's secrets and anything that looks like a key."""
    return hide(Secrets(os.environ).mask(text))


def visible(text: str) -> str:
    """Return a foreign text line by line, without anything that a terminal would obey."""
    return "\n".join(map(clean, text.split("\n")))


def out_lines(lines: Iterable[str]) -> None:
    """Write a result of several lines."""
    for line in lines:
        out(line)


def out_json(data: Json) -> None:
    """Write a result for programs; `data` carries its `schema_version`."""
    out(json.dumps(data, ensure_ascii=False, indent=2).encode("utf-8", "replace").decode())


def coloured(stream: TextIO) -> bool:
    """Return True if a stream shows colour: a terminal without NO_COLOR or TERM=dumb, or FORCE_COLOR."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def show(items: Iterable[Diagnostic], stream: TextIO) -> str:
    """Return diagnostics as a stream shows them: with colour, and with excerpts that fit, if it is a terminal."""
    width = {"width": shutil.get_terminal_size((80, 24)).columns} if stream.isatty() else {}
    return render(items, colour=coloured(stream), **width)


def target(*, verbose: bool = False, quiet: bool = False) -> Target:
    """Return the target for stdout: as wide as the terminal, or 100 columns if it is not one."""
    width = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 100
    return Target(width=max(40, width), colour=coloured(sys.stdout), verbose=verbose, quiet=quiet)


def start_command(arguments: Sequence[str]) -> None:
    """Keep the command line that is being run."""
    _arguments[:] = arguments


def present_command() -> str:
    """Return the command line that is being run, as one would type it."""
    return shlex.join(["promptbench", *_arguments])


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text.encode("utf-8", "replace").decode())
        stream.flush()
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
    except BrokenPipeError:
        # The reader has closed the pipe; the exit code stays that of the work.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
