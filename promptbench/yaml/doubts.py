"""Report valid YAML that was probably not meant that way: texts cut by a comment, curly quotes, tight colons."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.yaml.hints import Loader
from promptbench.yaml.text import CURLY, in_curly, quote

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
