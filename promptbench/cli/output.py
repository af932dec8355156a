"""stdout is the result, stderr everything else. Nothing here is ever markup."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from typing import TextIO

from promptbench.core.secrets import Secrets, hide
from promptbench.core.types import Json
from promptbench.report.words import Target, clean


def out(text: str, *, end: str = "\n") -> None:
    """The result, to stdout. A reader that has gone away is no error."""
    _write(sys.stdout, text + end)


def say(text: str, *, end: str = "\n") -> None:
    """A remark, to stderr. A key in it is not shown."""
    _write(sys.stderr, without_keys(text) + end)


def without_keys(text: str) -> str:
    """`text` without the environment's secrets and what else looks like a key."""
    return hide(Secrets(os.environ).mask(text))


def visible(text: str) -> str:
    """A text of others, line by line, with nothing in it that a terminal would obey."""
    return "\n".join(map(clean, text.split("\n")))


def out_lines(lines: Iterable[str]) -> None:
    """A result of several lines."""
    for line in lines:
        out(line)


def out_json(data: Json) -> None:
    """A result for programs; `data` carries its `schema_version`."""
    out(json.dumps(data, ensure_ascii=False, indent=2).encode("utf-8", "replace").decode())


def coloured(stream: TextIO) -> bool:
    """Whether a stream shows colour: a terminal, unless NO_COLOR or TERM=dumb; FORCE_COLOR overrides."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def target(*, verbose: bool = False) -> Target:
    """What stdout is: a terminal of some width, or something that takes 100 columns."""
    width = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 100
    return Target(width=max(40, width), colour=coloured(sys.stdout), verbose=verbose)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text.encode("utf-8", "replace").decode())
        stream.flush()
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
    except BrokenPipeError:
        # Whoever read has seen enough; the exit code stays the one of the work.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
