"""Parse a line of JSON Lines, and know the location of everything in it.

Parsing is as fast as the standard library's; locations are only computed once something is wrong.
"""

import json
from dataclasses import replace
from functools import cached_property

from promptbench.core.errors import Code, Diagnostics, Location
from promptbench.core.types import Json
from promptbench.parsing import _strict
from promptbench.yaml.marked import Path, WrittenNumber, YamlDocument, parse
from promptbench.yaml.source import Source

_DECODER = json.JSONDecoder(
    object_pairs_hook=_strict.members, parse_float=WrittenNumber, parse_constant=_strict.no_constant
)


class JsonLine:
    """One line of a file as plain data (`value`). A float keeps how it was written, as in YAML."""

    def __init__(self, path: str, number: int, text: str, value: Json) -> None:
        self.value = value
        self._path = path
        self._number = number
        self._text = text

    def location(self, path: Path = (), *, key: bool = False) -> Location:
        """Return the location of the value at `path`, or of its key; the whole line if it cannot be located."""
        # The document is parsed only for what is inside of the line.
        if not path or self._document is None:
            return Location(self._path, self._number, 1, max(1, len(self._text)), self._text)
        return replace(self._document.location(path, key=key), line=self._number)

    def is_blank(self, path: Path) -> bool:
        """Return False: JSON has no empty values."""
        return False

    @cached_property
    def _document(self) -> YamlDocument | None:
        # Nearly all JSON is YAML, and the YAML parser knows the location of everything.
        return parse(Source(self._path, self._text), Diagnostics())


def parse_line(path: str, number: int, text: str, found: Diagnostics) -> JsonLine | None:
    """Parse line `number` of the file shown as `path`. Add a diagnostic and return None if it is not one JSON value."""
    try:
        value = _DECODER.decode(text)
        if text.count("[") + text.count("{") > _strict.MOST_DEPTH and _strict.too_deep(value):
            raise ValueError(f"nested more than {_strict.MOST_DEPTH} levels deep")
    except json.JSONDecodeError as error:
        location = Location(path, number, error.colno, 1, text)
        found.add(Code.JSON_SYNTAX, f"this line is not valid JSON: {error.msg}", location, hint=_HINT)
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, ValueError) else "nested too deeply"
        location = Location(path, number, 1, max(1, len(text)), text)
        found.add(Code.JSON_SYNTAX, f"this line is not valid JSON: {why}", location, hint=_HINT)
    else:
        return JsonLine(path, number, text, value)
    return None


_HINT = 'each line is one object: {"case": "…", "vars": {…}, "expect": …}'
