"""Output: results go to stdout, everything else to stderr. Nothing here is ever markup."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from promptbench.core.errors import Diagnostic
from promptbench.core.secrets import Secrets, hide
from promptbench.core.types import Json
from promptbench.report.diagnostics import render
from promptbench.report.words import Target, clean

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
