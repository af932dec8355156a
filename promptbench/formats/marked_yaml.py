"""YAML as people mean it, with a place for every key and value.

A number is what JSON's grammar calls one, `null` or nothing is null, `true` and `false` are booleans, and everything
else is text: `no`, `12:30`, `010`, `1_000`, dates. Tags and merge keys are refused, duplicate keys name both lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from promptbench.core.diagnostics import Code, Diagnostics, Place
from promptbench.core.types import Json
from promptbench.formats.source import Source

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}
_CONTROL = re.compile("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_NODES = 2_000_000
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


# Without implicit resolvers every plain scalar stays text; `_scalar` decides by JSON's grammar.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Loader: Any = type("_Loader", (_Base,), {"yaml_implicit_resolvers": {}})


class Document:
    """A YAML text as plain data (`value`), and the place of everything in it."""

    def __init__(self, source: Source, value: Json, node: yaml.Node | None, first_line: int) -> None:
        self.source = source
        self.value = value
        self._node = node
        self._first_line = first_line

    def place(self, path: Path = (), *, key: bool = False) -> Place:
        """The place of the value at `path`, or of its key; of the nearest thing above it when there is none."""
        node, key_node = self._node, None
        for step in path:
            found = _child(node, step)
            if found is None:
                # A single value may stand for a list of one: its place is that of the value.
                key = key or not isinstance(step, int)
                break
            key_node, node = found
        marked = key_node if key and key_node is not None else node
        if marked is None:
            return self.source.place(self._first_line, 1)
        return self._at(marked)

    def _at(self, node: yaml.Node) -> Place:
        start, end = node.start_mark, node.end_mark
        line = start.line + self._first_line
        text = self.source.lines[line - 1] if line <= len(self.source.lines) else ""
        if isinstance(node, yaml.ScalarNode) and end.line == start.line:
            stop = end.column
        else:
            stop = len(text.split(" #")[0].rstrip())
        return self.source.place(line, start.column + 1, stop - start.column)


def parse(source: Source, found: Diagnostics, *, text: str | None = None, first_line: int = 1) -> Document | None:
    """The YAML in `source`, or in `text`, a part of it that starts at `first_line`. None when it is no YAML.

    Problems go to `found`; a document with duplicate keys or odd values is still returned, so that all is reported at
    once.
    """
    text = source.text if text is None else text
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        _explain(error, source, text, first_line, found)
        return None
    document = Document(source, None, node, first_line)
    if node is not None:
        document.value = _Converter(document, found).convert(node)
    return document


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
        self._left = _MAX_NODES
        self._open: set[int] = set()

    def convert(self, node: yaml.Node) -> Json:
        # Aliases make one node count many times, so a small file can stand for a huge one.
        self._left -= 1
        if self._left <= 0:
            if self._left == 0:
                self._problem(Code.TOO_BIG, "the anchors (&, *) in this file unfold to more than it may hold", node)
            return None
        if node.tag not in _PLAIN_TAGS:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._problem(Code.YAML_FEATURE, f"the tag {tag} is not allowed", node, "leave the tag out")
            return None
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.style else self._scalar(node)
        if id(node) in self._open:
            self._problem(Code.YAML_FEATURE, "this anchor contains itself", node)
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
                    "a name before a colon must be plain text",
                    key,
                    "a text that starts with { or [ needs quotes",
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
    ("mapping values are not allowed", "a colon followed by a space is here where none is expected", None),
    ("alphabetic or numeric character", "a text that starts with * or & needs quotes", "write it as '*…'"),
    ("undefined alias", "a text that starts with * needs quotes", "write it as '*…'"),
    ("did not find expected '-' indicator", "this line does not fit the list above it", "line it up with the dashes"),
    ("did not find expected ',' or ']'", "the list opened with [ is not closed", "close it with ]"),
    ("did not find expected ',' or '}'", "the braces opened with { are not closed", "close them with }"),
    (
        "unexpected end of stream",
        "a quotation mark is opened and never closed",
        "close it, or double it inside the text",
    ),
    ("did not find expected key", "this line does not fit the lines above it", "check the spaces at its start"),
    ("could not find expected ':'", "there is no colon after this name", "write it as 'name: value'"),
    ("unknown escape character", "a backslash inside double quotes means something special", "use single quotes"),
    ("another document", "a second '---' starts another document", "keep one suite in a file"),
    ("exceeded maximum nesting depth", "this is nested too deeply", None),
)


def _explain(error: yaml.YAMLError, source: Source, text: str, first_line: int, found: Diagnostics) -> None:
    if isinstance(error, yaml.reader.ReaderError):
        # Its position is in bytes or characters, depending on the parser, so the character is looked for.
        odd = _CONTROL.search(text)
        offset = odd.start() if odd else 0
        line, column = text.count("\n", 0, offset), offset - (text.rfind("\n", 0, offset) + 1)
        name = f"U+{ord(text[offset]):04X}"
        place = source.place(line + first_line, column + 1)
        found.add(Code.YAML_SYNTAX, f"there is an invisible control character ({name}) here", place, hint="delete it")
        return
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = " ".join(filter(None, (getattr(error, "problem", None), getattr(error, "context", None)))) or str(error)
    line, column = (mark.line, mark.column) if mark else (0, 0)
    code, message, hint = _reason(problem, source.place(line + first_line, column + 1))
    opener = getattr(error, "context_mark", None)
    if opener and hint and hint.startswith("close"):
        # Where something was opened is where a person can mend it; where the parser gave up is rarely near.
        line, column = opener.line, opener.column
    found.add(code, message, source.place(line + first_line, column + 1), hint=hint)


def _reason(problem: str, place: Place) -> tuple[Code, str, str | None]:
    rest = place.text[place.column - 1 :]
    before = place.text[: place.column - 1]
    if rest.startswith("\t") or (not before.strip() and "\t" in before):
        return Code.TAB_INDENT, "this line starts with a tab; YAML wants spaces", "use two spaces for each level"
    if "cannot start any token" in problem:
        return Code.YAML_SYNTAX, f"a text that starts with {rest[:1]} needs quotes", f"write it as '{rest[:1]}…'"
    for says, message, hint in _PROBLEMS:
        if says in problem:
            colon = says.startswith("mapping values")
            return Code.YAML_SYNTAX, message, _colon_hint(place) if colon else hint
    return Code.YAML_SYNTAX, f"this is not YAML: {problem}", None


def _colon_hint(place: Place) -> str:
    name, colon, value = place.text.partition(": ")
    if colon and ": " in value and "'" not in value:
        return f"put the text in quotes: {name.strip()}: '{value.strip()}'"
    return "if the colon belongs to a text, put the text in quotes; if it follows a name, check the spaces at the start"
