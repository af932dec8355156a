"""Parse YAML with JSON's types, or a line of JSON Lines, and know the location of every key and value.

Numbers follow JSON's grammar, null is `null` or empty, booleans are `true` and `false`. Everything else is text: `no`,
`12:30`, `010`, `1_000`, dates. Tags and merge keys are refused; duplicate keys are an error that names both lines.

A line of JSON is parsed as fast as by the standard library; its locations are computed once something is wrong.
"""

from __future__ import annotations

import gc
import json
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from typing import Any

import yaml

from promptbench.core.errors import Code, Diagnostics, Location, Severity
from promptbench.core.types import Json
from promptbench.parsing import _strict
from promptbench.yaml.errors import explain_control, explain_error
from promptbench.yaml.hints import Loader
from promptbench.yaml.source import TOO_LARGE, Source
from promptbench.yaml.text import CURLY, SURROGATES, in_curly, quote, whole_character

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
# Also refuses U+0085, U+2028 and U+2029: YAML breaks lines there, but editors do not show a line break.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_MAX_VALUES = 500_000
_MAX_DEPTH = 64
_MAX_DIGITS = 4_000
_PLACE = 5  # Numbers of a value in `YamlDocument._places`.
_NO_KEY = (1, 0)  # Where a value in a list has its key: its end is before its start.

Path = Sequence["str | int"]


class WrittenNumber(float):
    """A float that keeps how it was written, such as `1.10` or `1e3`."""

    text: str

    def __new__(cls, text: str) -> WrittenNumber:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[type[WrittenNumber], tuple[str]]:
        return WrittenNumber, (self.text,)


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS = {
    yaml.ScalarNode: "tag:yaml.org,2002:str",
    yaml.SequenceNode: "tag:yaml.org,2002:seq",
    yaml.MappingNode: "tag:yaml.org,2002:map",
}


class _Loader(_Base):  # type: ignore[misc]
    """A loader that keeps every plain scalar as text; `_Converter` gives it a type."""

    def resolve(self, kind: type[yaml.Node], value: object, implicit: object) -> str:
        return _TAGS[kind]


class YamlDocument:
    """A parsed YAML text: plain data (`value`) and the location of everything in it."""

    def __init__(self, source: Source, first_line: int, value: Json = None) -> None:
        self.source = source
        self.value = value
        self._first_line = first_line
        # For each value, in the order of the text: the start and end of its key, its own, and how many of these numbers
        # it takes together with the values in it. The parser's nodes would take twenty times the memory.
        self._places = array("I")
        self._inner: dict[int, array[int]] = {}  # The positions in `_places` of the values that are directly in one.

    def location(self, path: Path = (), *, key: bool = False) -> Location:
        """Return the location of the value at `path`, or of its key; the nearest parent's if there is none."""
        if not self._places:
            return self.source.location(self._first_line, 1)
        at, missing = self._find(path)
        key_start, key_end, start, end = self._places[at : at + 4]
        if key_start <= key_end and (key or missing or start == end):
            start, end = key_start, key_end
        return self.span(start, end)

    def is_blank(self, path: Path) -> bool:
        """Return whether the value at `path` is empty, which YAML reads as null."""
        at, missing = self._find(path)
        return not missing and bool(self._places) and self._places[at + 2] == self._places[at + 3]

    def span(self, start: int, end: int) -> Location:
        """Return the location of the characters from `start` to `end` of the YAML text, cut at the end of its line."""
        return self.source.location_at(self.source.starts[self._first_line - 1] + start, end - start)

    def _find(self, path: Path) -> tuple[int, bool]:
        """Return the position in `_places` of a value, or of its nearest parent, and whether it is missing."""
        at, value = 0, self.value
        for step in path:
            if isinstance(value, dict) and step in value:
                index = list(value).index(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                index = step
            else:
                # A single value may be written for a list of one; its location is the value's.
                return at, not isinstance(step, int)
            at, value = self._inside(at)[index], value[step]
        return at, False

    def _inside(self, at: int) -> array[int]:
        if at not in self._inner:
            found, place, end = array("I"), at + _PLACE, at + self._places[at + 4]
            while place < end:
                found.append(place)
                place += self._places[place + 4]
            self._inner[at] = found
        return self._inner[at]

    def _at(self, node: yaml.Node) -> Location:
        # Not the marks' own lines: YAML ends lines at more characters than editors do.
        return self.span(node.start_mark.index, _end_on_first_line(node))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Switch off garbage collection while parsing: none of the many nodes is garbage, and it takes 2/3 of the time.

    As a decorator, so that the nodes are gone before it is on again, and none of them is looked at.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_no_collection()
def parse(source: Source, found: Diagnostics, *, text: str | None = None, first_line: int = 1) -> YamlDocument | None:
    """Parse `source`, or `text`, the part of it that starts at line `first_line`. Return None if it is not valid YAML.

    Problems are added to `found`. A document with duplicate keys or invalid values is still returned, so that one pass
    reports everything.
    """
    text = source.text if text is None else text
    odd = _CONTROL.search(text)
    if odd:
        explain_control(odd, source, first_line, found)
        return None
    try:
        node = yaml.compose(_without_pairs(text), Loader=_Loader)
    except yaml.YAMLError as error:
        explain_error(error, source, text, first_line, found)
        return None
    document = YamlDocument(source, first_line)
    if node is not None:
        document.value = _Converter(document, found).convert(node)
        report_doubts(text, node, document.span, found)
    return document


def _without_pairs(text: str) -> str:
    """Return JSON in which characters escaped as two halves, as `json.dumps` does, are escaped as YAML has it.

    Each string is padded with spaces, so that all offsets stay the same. Other texts are returned unchanged.
    """
    if not SURROGATES.search(text):
        return text
    with suppress(ValueError, RecursionError):
        json.loads(text)
        return _JSON_STRING.sub(lambda found: SURROGATES.sub(_one_escape, found[0]).ljust(len(found[0])), text)
    return text


def _one_escape(pair: re.Match[str]) -> str:
    return f"{pair['before']}\\U{ord(whole_character(pair)):08x}"


def _end_on_first_line(node: yaml.Node) -> int:
    """Return where the part of a node on its first line ends; a block's own end mark is at the next node."""
    first_line = node.start_mark.line
    while node.end_mark.line > first_line and not isinstance(node, yaml.ScalarNode):
        inner = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        inner = [part for part in inner if part.start_mark.line == first_line]
        if not inner:
            break
        node = max(inner, key=lambda part: int(part.start_mark.index))
    return int(node.end_mark.index)


class _Converter:
    def __init__(self, document: YamlDocument, found: Diagnostics) -> None:
        self._document = document
        self._found = found
        self._places = document._places
        self._left = _MAX_VALUES
        self._open: set[int] = set()

    def convert(self, node: yaml.Node, key: tuple[int, int] = _NO_KEY) -> Json:
        """Return the value of a node, and add to the document where it and its key start and end."""
        # Aliases repeat nodes, so a small file can expand to a huge one.
        self._left -= 1
        places, at = self._places, len(self._places)
        end = _end_on_first_line(node) if self._left > 0 else node.end_mark.index
        places.extend((*key, node.start_mark.index, end, _PLACE))
        if self._left <= 0:
            if self._left == 0:
                hint = f"{TOO_LARGE}; a value with an anchor (&) counts again at every alias (*)"
                self._problem(Code.TOO_BIG, f"this file holds more than {_MAX_VALUES:,} values", node, hint)
            return None
        if node.tag != _TAGS[type(node)]:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            message, hint = f"the tag {tag} is not allowed", "leave the tag out"
            if isinstance(node, yaml.ScalarNode) and not tag.startswith("!!"):
                message = "a text that starts with ! needs quotes"
                hint = f"write it as {quote(f'{tag} {node.value}'.strip())}"
            return self._problem(Code.YAML_FEATURE, message, node, hint)
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.style else self._scalar(node)
        if id(node) in self._open:
            return self._problem(Code.YAML_FEATURE, "this anchor contains itself", node)
        if len(self._open) >= _MAX_DEPTH:
            hint = "if it is a text, put it in quotes"
            return self._problem(Code.TOO_BIG, f"this is nested more than {_MAX_DEPTH} levels deep", node, hint)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.convert(item) for item in node.value]
            return self._mapping(node)
        finally:
            places[at + 4] = len(places) - at
            self._open.discard(id(node))

    def _mapping(self, node: Any) -> dict[str, Json]:
        result: dict[str, Json] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._unquoted(node, key)
                continue
            name = key.value
            if name == "<<" and not key.style:
                self._problem(Code.YAML_FEATURE, "merging with << is not supported", key, "write the keys out")
                continue
            if name in result:
                first = self._document._at(next(other for other, _ in node.value if other.value == name))
                if name == node.value[0][0].value and first.text[: first.column - 1].strip() == "-":
                    hint = f"write '- {name}: …' if a new entry starts here"
                    self._problem(Code.DUPLICATE_KEY, f"'{name}' is there twice in one entry of the list", key, hint)
                    break  # What follows belongs to the new entry.
                self._found.add(
                    Code.DUPLICATE_KEY,
                    f"duplicate key '{name}': first on line {first.line}, again on line {self._document._at(key).line}",
                    self._document._at(key),
                    hint="keep one of the two",
                    related=first,
                )
                continue
            result[name] = self.convert(value, (key.start_mark.index, key.end_mark.index))
        return result

    def _unquoted(self, node: yaml.MappingNode, key: yaml.Node) -> None:
        """Report a text such as {{name}}, which YAML reads as a mapping with a mapping as its key."""
        location = self._document.span(node.start_mark.index, node.end_mark.index)
        whole = location.text[location.column - 1 :][: location.length]
        at, hint = key, "write it in single quotes, such as '{{name}}'"
        if len(node.value) == 1 and whole.startswith("{{") and node.start_mark.line == node.end_mark.line:
            at, hint = node, f"write it as {quote(whole)}"
        self._problem(Code.YAML_FEATURE, "a text that starts with { or [ needs quotes", at, hint)

    def _scalar(self, node: yaml.ScalarNode) -> Json:
        text = node.value
        if text in _WORDS:
            return _WORDS[text]
        if not _NUMBER.match(text):
            return text
        if len(text) > _MAX_DIGITS:
            self._problem(Code.BAD_VALUE, "this number is too long", node, "put it in quotes to keep it as text")
            return text
        if text.lstrip("-").isdigit() and text != "-0":
            return int(text)
        number = WrittenNumber(text)
        if number in (float("inf"), float("-inf")):
            self._problem(Code.BAD_VALUE, "this number is too large", node, "put it in quotes to keep it as text")
            return text
        return number if repr(float(number)) != text else float(number)

    def _problem(self, code: Code, message: str, node: yaml.Node, hint: str | None = None) -> None:
        self._found.add(code, message, self._document._at(node), hint=hint)


_WORDS: dict[str, Json] = {"": None, "null": None, "true": True, "false": False}


_AMPERSAND = re.compile(r"[:\-,\[{] *&\w")
_HASH = re.compile(r"(?<=[^\s:] )#[^\s#]")
_CURLY = re.compile(f"(?:^|[-:,{{[]) *[{''.join(CURLY)}]", re.MULTILINE)

_TIGHT = re.compile(r"[{,] *[^\W\d_][\w ]*:(?!//)[^\s,}\]:]")
_TIGHT_NAME = re.compile(r"(?P<name>[^\W\d_][\w ]*):(?!//)(?P<value>[^\s:].*)", re.DOTALL)

# Returns the location between two offsets of the text.
_Span = Callable[[int, int], Location]


def report_doubts(text: str, root: yaml.Node, location: _Span, found: Diagnostics) -> None:
    """Add to `found` what is doubtful in a text that parsed as `root`."""
    if "&" in text and _AMPERSAND.search(text):
        _report_anchors(text, location, found)
    # Visiting all nodes takes half as long as parsing, so look for signs of trouble in the text first.
    hashes = [match for match in _HASH.finditer(text) if _may_be_plain(text, match.start())] if "#" in text else []
    curly = not text.isascii() and _CURLY.search(text)
    tight = _TIGHT.search(text)
    if not (hashes or curly or tight):
        return
    plain: dict[int, yaml.ScalarNode] = {}
    for is_key, node in _nodes(root):
        if tight and isinstance(node, yaml.MappingNode) and node.flow_style:
            _report_tight(node, location, found)
        elif isinstance(node, yaml.ScalarNode) and not node.style:
            plain[node.end_mark.index] = node
            if curly:
                _report_curly(is_key, node, location, found)
    for match in hashes:
        # An unquoted text that YAML cuts at ` #word`, where a comment starts.
        node = plain.get(match.start() - 1)
        if node is not None and node.start_mark.index != node.end_mark.index:
            end = text.find("\n", match.start())
            whole = text[node.start_mark.index : end if end >= 0 else len(text)].rstrip()
            found.add(
                Code.COMMENT_IN_TEXT,
                "everything after # is a comment, not part of the text",
                location(match.start(), node.start_mark.index + len(whole)),
                hint=f"put the whole text in quotes: {quote(whole)}; a comment has a space behind its #",
                severity=Severity.WARNING,
            )


def _may_be_plain(text: str, end: int) -> bool:
    line = text[text.rfind("\n", 0, end) + 1 : end]
    return "'" not in line and '"' not in line


def _nodes(root: yaml.Node) -> Iterator[tuple[bool, Any]]:
    """Yield each node once, with whether it is a key."""
    todo, seen = [(False, root)], set()
    while todo:
        is_key, node = todo.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield is_key, node
            if isinstance(node, yaml.SequenceNode):
                todo += [(False, item) for item in node.value]
            elif isinstance(node, yaml.MappingNode):
                todo += [pair for key, value in node.value for pair in ((True, key), (False, value))]


def _report_tight(mapping: yaml.MappingNode, location: _Span, found: Diagnostics) -> None:
    # YAML reads `{name:value}` as one key without a value.
    for key, value in mapping.value:
        tight = _TIGHT_NAME.fullmatch(key.value) if isinstance(key, yaml.ScalarNode) and not key.style else None
        if tight and value.start_mark.index == value.end_mark.index:
            found.add(
                Code.YAML_SYNTAX,
                f"there is no space after the colon of '{tight['name']}'",
                location(key.start_mark.index, key.end_mark.index),
                hint=f"write '{tight['name']}: '",
            )


def _report_anchors(text: str, location: _Span, found: Diagnostics) -> None:
    """Report anchors without an alias: most likely a text that starts with &."""
    events: list[Any] = list(yaml.parse(text, Loader=Loader))
    aliases = {event.anchor for event in events if isinstance(event, yaml.AliasEvent)}
    scalars: list[Any] = [event for event in events if isinstance(event, yaml.ScalarEvent) and event.anchor]
    for event in scalars:
        if event.anchor not in aliases:
            start, end = event.start_mark.index, event.end_mark.index
            message, written = "a text that starts with & needs quotes", quote(text[start:end].rstrip())
            found.add(Code.YAML_FEATURE, message, location(start, end), hint=f"write it as {written}")


def _report_curly(is_key: bool, node: yaml.ScalarNode, location: _Span, found: Diagnostics) -> None:
    inner = in_curly(node.value)
    if inner is None:
        return
    message = "these word-processor quotation marks are part of the text"
    hint = f"write straight ones, {quote(inner)}, or leave them out"
    if is_key:
        message = "these word-processor quotation marks are part of the name"
        hint = f"leave them out: {inner}"
    severity = Severity.ERROR if is_key else Severity.WARNING
    found.add(
        Code.CURLY_QUOTES, message, location(node.start_mark.index, node.end_mark.index), hint=hint, severity=severity
    )


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
