"""Suite files mended where their mistakes have one reading, and shown before anything is written."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptbench.api.workspace import Selection, Workspace
from promptbench.core.canonical import lf
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError
from promptbench.formats.source import Source, SourceError, read_source
from promptbench.project.assemble import Surroundings, assemble
from promptbench.suite.loader import read as read_suite
from promptbench.suite.mending import Mend, mended
from promptbench.suite.writer import LINE_ENDS, encoding_of, write_whole


@dataclass(frozen=True, slots=True)
class MendedFile:
    """One suite file as it would be. `shown` is how it is named to the user, `left` how many mistakes stay in it."""

    path: Path
    shown: str
    mends: Sequence[Mend]
    left: int
    diff: str
    before: bytes
    after: bytes


def mend(workspace: Workspace, selection: Selection) -> list[MendedFile]:
    """The suites that can be mended; nothing is written. Raises InputError and NothingSelected for paths."""
    with workspace.prompts() as store, workspace.recordings() as runs:
        around = workspace.surroundings(selection, store, runs)
        files = [(path, workspace.shown(path)) for path in workspace.suite_files(selection.paths)]
        found = [_mended(path, shown, around) for path, shown in files]
    return [item for item in found if item is not None]


def write_mended(item: MendedFile) -> None:
    """Puts the mended text into the file's place, at once. Raises InputError when it has changed meanwhile."""
    if item.path.read_bytes() != item.before:
        raise InputError(f"{item.shown} has changed since it was read", hint="start the command again")
    write_whole(item.path, item.after)


def _mended(path: Path, shown: str, around: Surroundings) -> MendedFile | None:
    try:
        source = read_source(path, shown)
        before = path.read_bytes()
    except (SourceError, OSError):
        return None  # `validate` says what is wrong with it

    def look(text: str) -> Diagnostics:
        found = Diagnostics()
        suite = read_suite(Source(shown, text), path, found)
        if suite is not None:
            assemble(suite, around, found)
        return found

    done = mended(source.text, look)
    if not done.mends:
        return None
    old, new = (text.splitlines(keepends=True) for text in (source.text, done.text))
    diff = "".join(_whole_line(line) for line in difflib.unified_diff(old, new, f"a/{shown}", f"b/{shown}"))
    left = len(set(done.left.errors))
    return MendedFile(path, shown, done.mends, left, diff, before, _as_bytes(done.text, before))


def _whole_line(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n"


def _as_bytes(text: str, before: bytes) -> bytes:
    """A text with as many lines as the file has, with that file's encoding, its mark and its line ends."""
    encoding = encoding_of(before)
    was = before.decode(encoding)
    ends = LINE_ENDS.findall(was)
    lines = lf(text).split("\n")
    mark = "\ufeff" if was.startswith("\ufeff") else ""
    whole = "".join(line + end for line, end in zip(lines, [*ends, ""], strict=True))
    return (mark + whole).encode(encoding)
