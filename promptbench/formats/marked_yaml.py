"""YAML as people mean it, with a place for every key and value.

A number is what JSON's grammar calls one, `null` or nothing is null, `true` and `false` are booleans, and everything
else is text: `no`, `12:30`, `010`, `1_000`, dates. Tags and merge keys are refused, duplicate keys name both lines.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import yaml

from promptbench.core.diagnostics import Code, Diagnostics, Place
from promptbench.core.types import Json
from promptbench.formats.source import Source

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
# Also refused are the line ends that YAML knows and no editor shows as one: U+0085, U+2028 and U+2029.
_CONTROL = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_VALUES = 500_000
_MAX_DEPTH = 64
_MAX_DIGITS = 4_000

Path = Sequence["str | int"]


class WrittenNumber(float):
    """A number whose text in the file says more than its value: `1.10`, `1e3`. It is its value, and shows its text."""

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
    """Leaves every plain scalar as text: `_Converter` decides by JSON's grammar."""

    def resolve(self, kind: type[yaml.Node], value: object, implicit: object) -> str:
        return _TAGS[kind]


class Document:
    """A YAML text as plain data (`value`), and the place of everything in it."""

    def __init__(self, source: Source, value: Json, node: yaml.Node | None, first_line: int) -> None:
        self.source = source
        self.value = value
        self._node = node
        self._first_line = first_line

    def place(self, path: Path = (), *, key: bool = False) -> Place:
        """The place of the value at `path`, or of its key; of the nearest thing above it when there is none."""
        node, key_node, missing = self._find(path)
        marked = key_node if (key or missing) and key_node is not None else node
        if key_node is not None and marked is not None and _is_blank(marked):
            marked = key_node
        if marked is None:
            return self.source.place(self._first_line, 1)
        return self._at(marked)

    def is_blank(self, path: Path) -> bool:
        """Whether nothing at all is written at `path`, which reads as null without saying so."""
        node, _, missing = self._find(path)
        return not missing and node is not None and _is_blank(node)

    def _find(self, path: Path) -> tuple[yaml.Node | None, yaml.Node | None, bool]:
        """The node at `path`, or the nearest above it; its key's node; whether a key of `path` is not there."""
        node, key_node = self._node, None
        for step in path:
            found = _child(node, step)
            if found is None:
                # A single value may stand for a list of one: its place is that of the value.
                return node, key_node, not isinstance(step, int)
            key_node, node = found
        return node, key_node, False

    def _at(self, node: yaml.Node) -> Place:
        # The marks' own lines are YAML's, which end at a few characters more than those of editors.
        base = self.source.starts[self._first_line - 1]
        start = base + node.start_mark.index
        return self.source.place_at(start, base + _end_on_first_line(node) - start)


def parse(source: Source, found: Diagnostics, *, text: str | None = None, first_line: int = 1) -> Document | None:
    """The YAML in `source`, or in `text`, a part of it that starts at `first_line`. None when it is no YAML.

    Problems go to `found`; a document with duplicate keys or odd values is still returned, so that all is reported at
    once.
    """
    text = source.text if text is None else text
    odd = _CONTROL.search(text)
    if odd:
        _explain_control(odd, source, first_line, found)
        return None
    try:
        with _no_collection():
            node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        _explain(error, source, text, first_line, found)
        return None
    document = Document(source, None, node, first_line)
    if node is not None:
        with _no_collection():
            document.value = _Converter(document, found).convert(node)
    return document


@contextmanager
def _no_collection() -> Iterator[None]:
    """Nodes are made by the ten thousand and none is garbage: looking for some costs two thirds of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _end_on_first_line(node: yaml.Node) -> int:
    """Where the part of a node that is on its first line ends; a block ends where the next thing in the file begins."""
    first_line = node.start_mark.line
    while node.end_mark.line > first_line and not isinstance(node, yaml.ScalarNode):
        inner = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        inner = [part for part in inner if part.start_mark.line == first_line]
        if not inner:
            break
        node = max(inner, key=lambda part: int(part.start_mark.index))
    return int(node.end_mark.index)


def _is_blank(node: yaml.Node) -> bool:
    return bool(node.start_mark.index == node.end_mark.index)


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None


class _Converter:
    def __init__(self, document: Document, found: Diagnostics) -> None:
        self._document = document
        self._found = found
        self._left = _MAX_VALUES
        self._open: set[int] = set()

    def convert(self, node: yaml.Node) -> Json:
        # Aliases make one node count many times, so a small file can stand for a huge one.
        self._left -= 1
        if self._left <= 0:
            if self._left == 0:
                hint = "what an anchor (&) names counts again wherever it is used (*)"
                self._problem(Code.TOO_BIG, f"this file holds more than {_MAX_VALUES:,} values", node, hint)
            return None
        if node.tag != _TAGS[type(node)]:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._problem(Code.YAML_FEATURE, f"the tag {tag} is not allowed", node, "leave the tag out")
            return None
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.style else self._scalar(node)
        if id(node) in self._open:
            self._problem(Code.YAML_FEATURE, "this anchor contains itself", node)
            return None
        if len(self._open) >= _MAX_DEPTH:
            self._problem(Code.TOO_BIG, f"this is nested more than {_MAX_DEPTH} levels deep", node)
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.convert(item) for item in node.value]
            return self._mapping(node)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node) -> dict[str, Json]:
        result: dict[str, Json] = {}
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(
                    Code.YAML_FEATURE,
                    "a text that starts with { or [ needs quotes",
                    key,
                    "write it in single quotes, such as '{{name}}'",
                )
                continue
            name = key.value
            if name == "<<" and not key.style:
                self._problem(Code.YAML_FEATURE, "merging with << is not supported", key, "write the keys out")
                continue
            if name in seen:
                first = self._document._at(seen[name])
                self._found.add(
                    Code.DUPLICATE_KEY,
                    f"'{name}' is here twice: first on line {first.line}, again on line {self._document._at(key).line}",
                    self._document._at(key),
                    hint="keep one of the two",
                    related=first,
                )
                continue
            seen[name] = key
            result[name] = self.convert(value)
        return result

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

_PROBLEMS = (
    # (what libyaml says, what a person can act on, what to do)
    (
        "did not find expected '-' indicator",
        "this line does not fit the list above it",
        "start it with '- ' if it is a new entry, or give it as many spaces as the lines that it belongs to",
    ),
    ("did not find expected ',' or ']'", "the list opened with [ is not closed", "close it with ]"),
    ("did not find expected ',' or '}'", "the braces opened with { are not closed", "close them with }"),
    (
        "unexpected end of stream",
        "a quotation mark is opened and never closed",
        "close it, or double it inside the text",
    ),
    (
        "did not find expected key",
        "this line does not fit the lines above it",
        "give it as many spaces at its start as the lines that it belongs to",
    ),
    ("did not find expected node content", "something is missing here", "write a text, or close what is open above"),
    ("could not find expected ':'", "there is no colon after this name", "write it as 'name: value'"),
    ("escape c", "a backslash inside double quotes means something special", "put the text in single quotes"),
    ("another document", "a second '---' starts another document", "keep one suite in a file"),
    ("exceeded maximum nesting depth", "this is nested too deeply", None),
)
_DASH_WITHOUT_SPACE = re.compile(r"\s*(-)[^\s-].*:")
_FIRST_NAME = re.compile(r"\s*(?:- +)*(?P<name>[^:#'\"{\[]+)\Z")


def _explain(error: yaml.YAMLError, source: Source, text: str, first_line: int, found: Diagnostics) -> None:
    problem = " ".join(filter(None, (getattr(error, "problem", None), getattr(error, "context", None)))) or str(error)
    here, opener = (_place_of(getattr(error, name, None), source, first_line) for name in _MARKS)
    here = here or opener or source.place(first_line, 1)
    code, message, hint, place = _reason(problem, source, here, opener or here)
    found.add(code, message, _word(source, place), hint=hint)


_FAR = 1 << 60
_MARKS = ("problem_mark", "context_mark")


def _place_of(mark: yaml.Mark | None, source: Source, first_line: int) -> Place | None:
    """Where the parser points; behind the end of the text is at the end of its last line."""
    if mark is None:
        return None
    line, column = mark.line + first_line, mark.column + 1
    while line > 1 and (line > len(source.lines) or not source.lines[line - 1].strip()):
        line, column = line - 1, _FAR
    return source.place(line, min(column, len(source.lines[line - 1]) + 1))


def _word(source: Source, place: Place) -> Place:
    """The place up to the end of its word, so that the carets show what is meant."""
    word = re.match(r"[\w@%`*&-]+", place.text[place.column - 1 :])
    return source.place(place.line, place.column, len(word.group()) if word else 1)


_Reason = tuple[Code, str, "str | None", Place]


def _reason(problem: str, source: Source, place: Place, opener: Place) -> _Reason:
    """What is wrong, what to do, and where a person can mend it; where the parser gave up is rarely near."""
    rest, before = place.text[place.column - 1 :], place.text[: place.column - 1]
    if rest.startswith("\t") or (not before.strip() and "\t" in before):
        hint = "use two spaces for each level"
        return Code.TAB_INDENT, "this line starts with a tab; YAML wants spaces", hint, place
    quote = _ended_too_early(source, place)
    if quote is not None:
        return quote
    if "cannot start any token" in problem:
        return Code.YAML_SYNTAX, f"a text that starts with {rest[:1]} needs quotes", _in_quotes(place), place
    if "alphabetic or numeric character" in problem or "undefined alias" in problem:
        starts = opener.text[opener.column - 1 : opener.column]
        return Code.YAML_SYNTAX, f"a text that starts with {starts} needs quotes", _in_quotes(opener), opener
    if "mapping values are not allowed" in problem:
        return _colon(source, place)
    for says, message, what_to_do in _PROBLEMS:
        if says in problem:
            closing = bool(what_to_do and what_to_do.startswith("close"))
            return Code.YAML_SYNTAX, message, what_to_do, opener if closing else place
    return Code.YAML_SYNTAX, f"this is not YAML: {problem}", None, place


def _ended_too_early(source: Source, place: Place) -> _Reason | None:
    """A quotation mark inside a text that is in the same quotation marks: 'I don't', "she said "no" to me"."""
    before = place.text[: place.column - 1].rstrip()
    after = place.text[len(before) : len(before) + 2].strip()
    if len(before) < 2 or before[-1] not in "'\"" or not after[:1].isalnum() or before[:-1].rstrip()[-1:] in "{[,:-":
        return None
    where = source.place(place.line, len(before))
    if before[-1] == "'":
        hint = "write it twice, '', where it belongs to the text"
        return Code.YAML_SYNTAX, "this apostrophe ends the text", hint, where
    hint = "put the whole text in single quotes"
    return Code.YAML_SYNTAX, "this quotation mark ends the text", hint, where


def _in_quotes(place: Place) -> str:
    text = place.text[place.column - 1 :].rstrip()
    in_braces = any(char in place.text[: place.column - 1] for char in "{[")
    return f"write it as '{text}'" if not in_braces and "'" not in text else "put the text in single quotes"


def _colon(source: Source, place: Place) -> _Reason:
    before = place.text[: place.column - 1]
    above = source.lines[place.line - 2] if place.line > 1 else ""
    first = _FIRST_NAME.match(before)
    dash = _DASH_WITHOUT_SPACE.match(above) or _DASH_WITHOUT_SPACE.match(place.text)
    if dash and first:
        where = source.place(place.line - (dash.string is above), dash.start(1) + 1)
        return Code.YAML_SYNTAX, "there is no space after this dash", "write '- ', then the name", where
    if first:
        hint = "give it as many spaces at its start as the lines that it belongs to"
        where = source.place(place.line, first.start("name") + 1)
        return Code.YAML_SYNTAX, "this line does not fit the lines above it", hint, where
    name, _, value = place.text.partition(": ")
    hint = "put the text that this colon belongs to in quotes"
    if "'" not in value and not value.lstrip().startswith(("{", "[", '"')):
        hint = f"put the text in quotes: {name.strip()}: '{value.strip()}'"
    return Code.YAML_SYNTAX, "a colon followed by a space is here where none is expected", hint, place


def _explain_control(odd: re.Match[str], source: Source, first_line: int, found: Diagnostics) -> None:
    place = source.place_at(source.starts[first_line - 1] + odd.start())
    name = f"U+{ord(odd.group()):04X}"
    found.add(Code.YAML_SYNTAX, f"there is an invisible character ({name}) here", place, hint="delete it")
