"""Write out `{{>name}}`: the text of `_name.prompt` next to the prompt, as in dotprompt.

Partials are written out before a prompt is parsed, so they are part of its version, and the prompt store needs no other
file. A value cannot contain one, because values are inserted later.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from promptbench.core.errors import Code, Diagnostics, Location, suggest
from promptbench.yaml.source import MAX_BYTES, Source, SourceError, read_source

_TAG = re.compile(r"(?<!\\)\{\{>\s*(?P<name>[A-Za-z0-9_-]+)\s*\}\}")
_MAX_DEPTH = 20


@dataclass(frozen=True)
class ExpandedSource(Source):
    """A prompt's text with its partials. `pieces` are (start here, file, start there), in order of starts."""

    pieces: tuple[tuple[int, Source, int], ...] = ()

    def location_at(self, offset: int, length: int = 1) -> Location:
        """Return the location in the file from which the text at `offset` comes."""
        index = bisect_right(self.pieces, offset, key=lambda piece: piece[0]) - 1
        start, source, there = self.pieces[max(0, index)]
        return source.location_at(there + offset - start, length)


def expand(source: Source, folder: Path, found: Diagnostics) -> Source:
    """Return the source with its partials written out. Add what is wrong with them to `found`."""
    if not _TAG.search(source.text):
        return source
    expansion = _Expansion(folder, found)
    expansion.add(source, ())
    return ExpandedSource(source.path, "".join(expansion.texts), tuple(expansion.pieces))


class _Expansion:
    """The text so far and where it comes from."""

    def __init__(self, folder: Path, found: Diagnostics) -> None:
        self.texts: list[str] = []
        self.pieces: list[tuple[int, Source, int]] = []
        self._folder = folder
        self._found = found
        self._files: dict[str, Source | None] = {}
        self._size = 0

    def add(self, source: Source, above: tuple[str, ...]) -> None:
        text, position = source.text, 0
        for match in _TAG.finditer(text):
            start, end = match.span()
            # A tag alone on its line stands for the line, as in Handlebars.
            line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end)
            line_end = len(text) if line_end < 0 else line_end
            whole_line = not text[line_start:start].strip(" \t") and not text[end:line_end].strip(" \t")
            if whole_line:
                start, end = max(position, line_start), line_end
            self._put(source, position, start)
            position = end
            partial = self._partial(match, source, above)
            if partial is None:
                continue
            self.add(partial, (*above, match["name"]))
        self._put(source, position, len(text))

    def _put(self, source: Source, start: int, end: int) -> None:
        if start == end:
            return
        self.pieces.append((self._size, source, start))
        self.texts.append(source.text[start:end])
        self._size += end - start

    def _partial(self, match: re.Match[str], source: Source, above: tuple[str, ...]) -> Source | None:
        name = match["name"]
        location = source.location_at(match.start(), len(match[0]))
        if name in above or len(above) == _MAX_DEPTH:
            chain = " → ".join((*above, name))
            self._found.add(Code.PROMPT_SYNTAX, f"the partial '{name}' contains itself: {chain}", location)
            return None
        if self._size > MAX_BYTES:
            self._found.add(
                Code.TOO_BIG, f"with its partials the prompt is larger than {MAX_BYTES // 2**20} MB", location
            )
            return None
        if name not in self._files:
            self._files[name] = self._read(name, source, location)
        return self._files[name]

    def _read(self, name: str, source: Source, location: Location) -> Source | None:
        path = self._folder / f"_{name}.prompt"
        if not path.is_file() or not path.resolve().is_relative_to(self._folder.resolve()):
            near = [item.stem[1:] for item in self._folder.glob("_*.prompt")]
            hint = suggest(name, near, f"write its text into {path.name}, next to the prompt")
            self._found.add(Code.FILE_NOT_FOUND, f"the partial's file {path.name} is not found", location, hint=hint)
            return None
        try:
            read = read_source(path, str(PurePosixPath(source.path).with_name(path.name)))
        except SourceError as error:
            self._found.extend([error.diagnostic])
            return None
        if read.text.lstrip().startswith("---\n"):
            hint = "write 'config', 'input' and 'output' in the prompt that uses it"
            self._found.add(
                Code.PROMPT_SYNTAX, "a partial has no part between '---' lines", read.location(1, 1, 3), hint=hint
            )
            return None
        # The line end at the end of the file is the editor's.
        return Source(read.path, read.text.removesuffix("\n"))
